"""What a report tells beside captions and scores: how the model came to be, and at what cost.

It is kept as `background.json` in the folder of the evaluation, so that a report can be made
again from that folder alone, wherever it has been moved.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from captioner.decoders.history import read_history
from captioner.history import HISTORY_FILE
from captioner.pipeline.artifacts import MANIFEST
from captioner.pipeline.runner import recorded_versions

_TOLD_OF_STAGE = ("seconds", "peak_memory_bytes", "created")


def describe_background(
    name: str,
    command: str | None,
    settings: Mapping[str, Any],
    stages: Mapping[str, Path],
    vocabulary: Mapping[str, Any],
    seconds: float,
) -> dict[str, Any]:
    """Returns the content of `background.json`; nothing but reports read it.

    Args:
        name: of the pipeline.
        command: the command line that runs it, if there is one.
        settings: section -> key -> value.
        stages: the artifact of each stage that the evaluation was built upon.
        vocabulary: how many words the training captions have, and how many were kept.
        seconds: what the evaluation itself has taken.
    """
    history = read_history(stages["train"] / HISTORY_FILE)
    return {
        "pipeline": name,
        "command": command,
        "settings": settings,
        "versions": recorded_versions(),
        "stages": {
            **{stage: _describe_stage(folder) for stage, folder in stages.items()},
            "evaluate": {
                "seconds": round(seconds, 3),
                "peak_memory_bytes": None,
                "created": datetime.now(UTC).isoformat(),
            },
        },
        "history": [row.to_json() for row in history],
        "vocabulary": vocabulary,
    }


def _describe_stage(folder: Path) -> dict[str, Any]:
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return {name: manifest[name] for name in _TOLD_OF_STAGE}
