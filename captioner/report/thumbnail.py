"""Photographs made small enough to be written into a page."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from captioner.images import Source, open_image


@dataclass(frozen=True, slots=True)
class Quality:
    """How much of a photograph a thumbnail keeps.

    Args:
        side: the longer side, in pixels; smaller photographs keep their size.
        jpeg: Pillow's JPEG quality, 1 to 95.
    """

    side: int = 320
    jpeg: int = 72


# from the finest to the coarsest: about 20 kB down to 2 kB a photograph
QUALITIES = (
    Quality(320, 72),
    Quality(288, 62),
    Quality(256, 55),
    Quality(224, 50),
    Quality(192, 45),
    Quality(144, 40),
)


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small JPEG, ready for the attributes of an `<img>`.

    Args:
        uri: `data:image/jpeg;base64,...`
        width: in pixels.
        height: in pixels.
    """

    uri: str
    width: int
    height: int


def make_thumbnail(
    source: Source, qualities: Sequence[Quality] = QUALITIES[:1], *, max_bytes: int | None = None
) -> Thumbnail:
    """Returns a photograph as a small JPEG, upright and on white, without its metadata.

    Args:
        source: a path, a file's content, a PIL image or an array, see `captioner.images`.
        qualities: from the finest to the coarsest.
        max_bytes: length of the URI that the first fitting quality is chosen for; if none
            fits, the coarsest is taken.

    Raises:
        ImageError: the image cannot be used.
    """
    image = open_image(source, size_hint=(qualities[0].side, qualities[0].side))
    for quality in qualities:
        thumbnail = _shrink(image, quality)
        if max_bytes is None or len(thumbnail.uri) <= max_bytes:
            break
    return thumbnail


def _shrink(image: Image.Image, quality: Quality) -> Thumbnail:
    small = image.copy()
    small.thumbnail((quality.side, quality.side), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    small.save(content, "JPEG", quality=quality.jpeg, optimize=True)
    encoded = base64.b64encode(content.getvalue()).decode()
    return Thumbnail(f"data:image/jpeg;base64,{encoded}", *small.size)
