"""The description of a JPEG, PNG or WebP file, changed on the bytes of the file.

Images are never decoded here: a container is cut at its own seams, the piece that holds the
description is replaced, and all other pieces are put back as they were.
"""

from collections.abc import Callable
from dataclasses import dataclass

from captioner.captioning.metadata import jpeg, png, webp


@dataclass(frozen=True)
class Container:
    """A file format that holds a description.

    Args:
        read: content of a file -> its description, or None.
        write: content of a file and a description -> content with that description.
    """

    read: Callable[[bytes], str | None]
    write: Callable[[bytes, str], bytes]


JPEG = Container(jpeg.read_description, jpeg.write_description)
PNG = Container(png.read_description, png.write_description)
WEBP = Container(webp.read_description, webp.write_description)


def find_container(content: bytes) -> Container | None:
    """Returns how descriptions are kept in this file, by its content; None: not at all."""
    if content.startswith(b"\xff\xd8\xff"):
        return JPEG
    if content.startswith(png.SIGNATURE):
        return PNG
    return WEBP if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else None
