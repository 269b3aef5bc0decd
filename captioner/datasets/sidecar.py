"""A folder of images, each with its captions beside it in a text file of the same name."""

from pathlib import PurePosixPath

from captioner.datasets.assembly import (
    EMPTY_CAPTION,
    NO_SUCH_IMAGE,
    CaptionEntry,
    Contents,
    assemble,
    read_listed_images,
)
from captioner.datasets.image_folder import ImageFolder
from captioner.datasets.records import CaptionDataset
from captioner.datasets.source import DatasetSource
from captioner.datasets.text_files import read_text

SIDECAR_SUFFIX = ".txt"


def read_sidecar(source: DatasetSource) -> CaptionDataset:
    """Reads images in a folder and the folders below it, and for `dog.jpg` the file `dog.txt`.

    Each line of a sidecar is a caption. Split lists count only when `splits` names their
    folder, because `train.txt` may as well be the caption of `train.jpg`; else splits are
    drawn by image.

    Args:
        source: the folder, with whatever the user named beyond it.

    Raises:
        UsageError: a folder that the user named is missing.
        DatasetError: the folder cannot be listed, an image is in two splits, or nothing is
            left.
    """
    images = source.image_folder(".")
    contents = Contents()
    for name in images.names_ending(SIDECAR_SUFFIX):
        _add_sidecar(name, images, contents)
    if source.splits is not None:
        read_listed_images(source, contents)
    return assemble(source, contents, images)


def _add_sidecar(name: str, images: ImageFolder, contents: Contents) -> None:
    image_names = images.images_with_id(str(PurePosixPath(name).with_suffix("")))
    if not image_names:
        contents.skip(name, NO_SUCH_IMAGE)
        return
    file = read_text(images.path_of(name), name)
    contents.add_file(file)
    captions = list(file.numbered())
    if not captions:
        contents.skip(name, EMPTY_CAPTION)
    for image_name in image_names:
        contents.entries += [CaptionEntry(image_name, text, item) for item, text in captions]
