"""`descriptions.txt`, the file that the classic course keeps its cleaned captions in."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from captioner.datasets.records import CaptionedImage
from captioner.files import replace_file
from captioner.text.normalisation import normalise


def write_descriptions(path: Path, images: Sequence[CaptionedImage], scheme: str) -> None:
    """Writes one line a caption, `image_id word word ...`, whole or not at all.

    Captions that normalisation emptied are written as well, as the course does: the line then
    holds the image id alone.

    Args:
        path: the file to make or replace.
        images: the images, of any split, in the order wanted.
        scheme: how captions are normalised, see `normalise`.
    """
    with replace_file(path, "w", newline="\n") as file:
        file.writelines(_lines(images, scheme))


def _lines(images: Sequence[CaptionedImage], scheme: str) -> Iterator[str]:
    for image in images:
        for caption in image.captions:
            yield " ".join([image.image_id, *normalise(caption, scheme)]) + "\n"
