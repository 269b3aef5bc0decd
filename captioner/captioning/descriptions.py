"""The description inside an image file, read and replaced in place."""

from pathlib import Path

from captioner.captioning.metadata.containers import Container, find_container
from captioner.captioning.metadata.exif import DamagedMetadataError
from captioner.captioning.writing import replace_content
from captioner.errors import ImageError

FORMATS = "JPEG, PNG and WebP"


def read_description(path: Path) -> str | None:
    """Returns the description that an image file holds, or None where there is none.

    Raises:
        ImageError: the file is of a kind that holds no descriptions, or its structure is damaged.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    container = _find_container(path, content)
    try:
        return container.read(content)
    except DamagedMetadataError as fault:
        raise ImageError(path, f"its description cannot be read: {fault}") from fault


def write_description(path: Path, text: str) -> None:
    """Replaces the description of an image file; its pixels and all else stay as they are.

    The file is replaced whole. Where it is a link, what it links to is replaced. Its permissions
    are kept. Writing what is there already does nothing.

    Args:
        path: a JPEG (Exif ImageDescription and XMP dc:description), a PNG (text chunk
            Description, and XMP where it has any) or a WebP (as JPEG).
        text: any text without NUL.

    Raises:
        ImageError: the file is of another kind, or its structure is damaged.
        OSError: it cannot be read, or its folder cannot be written.
    """
    content = path.read_bytes()
    container = _find_container(path, content)
    try:
        if container.read(content) == text:
            return
        edited = container.write(content, text)
    except DamagedMetadataError as fault:
        raise ImageError(path, f"no description can be written into it: {fault}") from fault
    replace_content(path, edited, keep_mode=True)


def _find_container(path: Path, content: bytes) -> Container:
    container = find_container(content)
    if container is None:
        raise ImageError(
            path, f"descriptions can be written into {FORMATS} files, and this is none of them"
        )
    return container
