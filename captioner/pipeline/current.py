"""What a pipeline made last, found by name: `artifacts/<pipeline>/<stage>`."""

from pathlib import Path

from captioner.files import parse_json
from captioner.pipeline.artifacts import POINTERS


def find_current(folder: Path, stage: str) -> Path | None:
    """Returns the folder of a pipeline's current artifact of one stage, or None.

    Args:
        folder: `artifacts/<pipeline>`. Where links are not to be had, its `pipeline.json` is
            followed instead.
        stage: the stage's name.
    """
    linked = folder / stage
    if linked.is_dir():
        return linked
    try:
        fingerprint = parse_json((folder / POINTERS).read_text(encoding="utf-8"))[stage]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    pointed = folder.parent / stage / str(fingerprint)[:16]
    return pointed if pointed.is_dir() else None


def list_current(root: Path, stage: str) -> list[str]:
    """Returns the names of the pipelines that have an artifact of a stage, in order."""
    folders = sorted(path.parent for path in root.glob(f"*/{POINTERS}"))
    return [folder.name for folder in folders if find_current(folder, stage) is not None]
