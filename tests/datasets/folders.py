"""Data sets written in a few lines. Readers look at names only, so images need no content."""

from pathlib import Path


def write_files(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Writes texts or bytes under a folder; names may have folders in them."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def skipped(dataset) -> list[tuple[str, str]]:
    """Returns the skips as plain pairs."""
    return [(skip.item, skip.reason) for skip in dataset.skips]


def captions(dataset) -> dict[str, tuple[str, ...]]:
    """Returns the captions by image id."""
    return {image.image_id: image.captions for image in dataset.images}


def splits(dataset) -> dict[str, str]:
    """Returns the split by image id."""
    return {image.image_id: image.split for image in dataset.images}
