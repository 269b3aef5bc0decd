"""Karpathy's `dataset_coco.json`, `dataset_flickr8k.json`, `dataset_flickr30k.json`.

Karpathy and Fei-Fei 2015, "Deep Visual-Semantic Alignments for Generating Image
Descriptions" (arXiv:1412.2306).
"""

from typing import Any

from captioner.datasets.assembly import CaptionEntry, Contents, assemble
from captioner.datasets.image_folder import ImageFolder
from captioner.datasets.json_records import list_of, text_of
from captioner.datasets.records import CaptionDataset, Split
from captioner.datasets.source import DatasetSource
from captioner.datasets.splits import SPLIT_NAMES, ListedImage
from captioner.datasets.text_files import read_json

DATASET_FILES = ("dataset_*.json", "dataset.json")
IMAGE_FOLDERS = (
    "images",
    "Images",
    "Flicker8k_Dataset",
    "Flickr8k_Dataset",
    "flickr30k-images",
    "flickr30k_images",
    ".",
)
NO_FILE_NAME = "image record has no filename"
NOT_TEXT = "caption is not text"
UNKNOWN_SPLIT = "split is none of train, restval, val, test"
_SPLITS: dict[str, Split] = {
    **SPLIT_NAMES,
    "restval": "train",
}  # the part of COCO's val that everybody trains on


def read_karpathy(source: DatasetSource) -> CaptionDataset:
    """Reads one of Karpathy's data set files: `restval` goes to train, `val` to dev.

    Args:
        source: the folder, with whatever the user named beyond it.

    Raises:
        UsageError: a file or folder that the user named is missing.
        DatasetError: the file is not of this kind, an image is in two splits, or nothing is
            left.
    """
    path = source.caption_file(*DATASET_FILES)
    value, notes = read_json(path)
    images = source.image_folder(*IMAGE_FOLDERS)
    contents = Contents(listed=[], files=[path], notes=list(notes))
    for number, record in enumerate(list_of(value, "images", path)):
        _add_record(f"{path.name}: images[{number}]", record, contents, images)
    return assemble(source, contents, images)


def _add_record(item: str, record: Any, contents: Contents, images: ImageFolder) -> None:
    image_name = _image_name_of(record, images)
    if image_name is None:
        contents.skip(item, NO_FILE_NAME)
        return
    split = _SPLITS.get(str(record.get("split")).lower())
    if split is None:
        contents.skip(item, UNKNOWN_SPLIT)
    elif contents.listed is not None:
        contents.listed.append(ListedImage(image_name, split, item))
    sentences = record.get("sentences")
    for sentence in sentences if isinstance(sentences, list) else [None]:
        caption = text_of(sentence, "raw")
        if caption is None:
            contents.skip(item, NOT_TEXT)
        else:
            contents.entries.append(CaptionEntry(image_name, caption, item))


def _image_name_of(record: Any, images: ImageFolder) -> str | None:
    """Returns the image's name: inside `filepath` (`val2014`) where it lies there."""
    filename, folder = text_of(record, "filename"), text_of(record, "filepath")
    if filename is None or not folder:
        return filename
    nested = f"{folder}/{filename}"
    return filename if images.find(nested) is None and images.find(filename) else nested
