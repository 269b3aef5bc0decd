"""Disk and memory: what a pipeline will need against what is free."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from captioner.backbones.registry import find_spec
from captioner.backbones.spec import BackboneSpec
from captioner.doctor.finding import Finding, fine, note, problem
from captioner.features.layout import StoreLayout, choose_dtypes
from captioner.settings import Settings

BASE_BYTES = 1_500_000_000  # TensorFlow, its compiled graphs, and a decoder with its batches

_FLOAT_BYTES = 4
_COPIES_OF_DECODER = 5  # weights, average, two moments, checkpoint under way
_DECODER_BYTES = 40_000_000  # of the largest decoder with its defaults, rounded up
_ID_BYTES = 200  # of an image in index, digests and collections
_GRID_BATCH = 64  # images whose activations are held at once, generously
_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def estimate_grid(spec: BackboneSpec) -> tuple[int, int, int] | None:
    """Returns the shape of an encoder's grid, (H, W, C), where one can be told.

    At another size than the published one there are more places or fewer, in proportion. Of
    several networks joined it follows from theirs: all have as many as the one that has most.
    """
    grids = [grid for part in spec.parts or (spec,) if (grid := _scale_grid(part)) is not None]
    if not grids:
        return None
    height, width = max(grid[0] for grid in grids), max(grid[1] for grid in grids)
    return height, width, sum(grid[2] for grid in grids)


def _scale_grid(spec: BackboneSpec) -> tuple[int, int, int] | None:
    published = find_spec(spec.name)
    if published.grid_shape is None:
        return None
    height, width, channels = published.grid_shape
    down = spec.rule.height / published.rule.height
    across = spec.rule.width / published.rule.width
    return round(height * down), round(width * across), channels


def estimate_features(settings: Settings, shapes: dict[str, tuple[int, ...]], images: int) -> int:
    """Returns the bytes that the features of some images take on disk, features.pkl included."""
    kinds: dict[str, tuple[int, ...]] = {kind: shapes[kind] for kind in settings.feature_kinds}
    layout = StoreLayout(kinds, choose_dtypes(kinds))
    row = sum(layout.row_bytes(kind) for kind in kinds)
    pickled = layout.row_bytes("vector") if "vector" in kinds else 0
    return images * (row + pickled + _ID_BYTES)


def estimate_disk(features: int, images: int) -> int:
    """Returns the bytes of all artifacts, given those of the features."""
    return features + _COPIES_OF_DECODER * _DECODER_BYTES + 5 * images * _ID_BYTES


def estimate_memory(spec: BackboneSpec, features: int) -> int:
    """Returns the bytes of memory that the hungriest stage takes, roughly."""
    side = spec.rule.height * spec.rule.width
    activations = _GRID_BATCH * side * 64 * _FLOAT_BYTES
    parameters = 0 if spec.num_parameters is None else spec.num_parameters
    encoding = 2 * _FLOAT_BYTES * parameters + activations
    return BASE_BYTES + max(encoding, features)


def check_disk(artifacts: Path, needed: int) -> Iterator[Finding]:
    """Yields whether the artifacts folder can be written and has room for so many bytes."""
    folder = next(path for path in [artifacts, *artifacts.resolve().parents] if path.exists())
    elsewhere = "choose another folder with --artifacts DIR"
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        yield problem("disk", f"{folder} cannot be written", elsewhere)
        return
    free = shutil.disk_usage(folder).free
    text = f"{_gigabytes(free)} free in {folder}; a run from nothing takes {_gigabytes(needed)}"
    if free < needed:
        yield problem("disk", text, f"make room (captioner clean), or {elsewhere}")
    else:
        yield fine("disk", text)


def check_memory(needed: int) -> Finding:
    """Says whether so many bytes of memory are to be had."""
    free = available_memory()
    if free is None:
        return note("memory", f"a run takes about {_gigabytes(needed)}; this system tells no more")
    text = f"{_gigabytes(free)} available; a run takes about {_gigabytes(needed)}"
    if free < needed:
        return problem(
            "memory",
            text,
            "close other programs, or take smaller features: --set extract.outputs='[\"vector\"]', "
            "--set extract.batch_size=8",
        )
    return fine("memory", text)


def available_memory(root: Path = Path("/")) -> int | None:
    """Returns the bytes of memory to be had, container limits included; None if unknown."""
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        free = int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
    return min([free, *_container_limits(root)])


def _container_limits(root: Path) -> Iterator[int]:
    for path in _LIMITS:
        try:
            yield int((root / path.relative_to("/")).read_text(encoding="ascii"))
        except (OSError, ValueError):  # no such limit, or "max"
            continue


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
