"""COCO captions: `annotations/captions_train2017.json` and its like, one file or several.

Chen et al. 2015, "Microsoft COCO Captions" (arXiv:1504.00325).
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from captioner.datasets.assembly import DOUBLE_CAPTION, CaptionEntry, Contents, assemble
from captioner.datasets.image_folder import ImageFolder
from captioner.datasets.json_records import list_of, text_of
from captioner.datasets.records import CaptionDataset, Split
from captioner.datasets.source import DatasetSource
from captioner.datasets.splits import SPLIT_NAMES, ListedImage
from captioner.datasets.text_files import read_json
from captioner.errors import DatasetError

ANNOTATION_FILES = ("annotations/captions_*.json", "captions_*.json")
IMAGE_FOLDERS = ("images", "Images", ".")
NO_FILE_NAME = "image record has no file_name"
UNKNOWN_IMAGE = "annotation names no image record"
NOT_TEXT = "caption is not text"
_SPLIT_WORD = re.compile(r"(?:^|[^a-z])(train|val|dev|test)(?![a-z])")


def read_coco(source: DatasetSource) -> CaptionDataset:
    """Reads COCO caption annotations.

    The word in a file's name decides its split: train, val (dev) or test; where no name has
    one, splits are drawn by image. Photographs may lie in the images folder itself or, as
    published, in folders such as `train2017/`.

    Args:
        source: the folder, with whatever the user named beyond it.

    Raises:
        UsageError: a file or folder that the user named is missing.
        DatasetError: a file is not such an annotation file, only some names have a split,
            an image is in two splits, or nothing is left.
    """
    paths = source.caption_files(*ANNOTATION_FILES)
    splits = _splits_of(paths)
    images = source.image_folder(*IMAGE_FOLDERS)
    contents = Contents(listed=None if splits is None else [])
    for path in paths:
        _read_annotations(path, contents, images, None if splits is None else splits[path])
    return assemble(source, contents, images)


def _splits_of(paths: Sequence[Path]) -> dict[Path, Split] | None:
    words = {path: _SPLIT_WORD.search(path.stem.lower()) for path in paths}
    splits = {path: SPLIT_NAMES[word[1]] for path, word in words.items() if word}
    if splits and len(splits) < len(paths):
        unnamed = ", ".join(path.name for path in paths if path not in splits)
        raise DatasetError(
            f"Some annotation files name their split and some do not: {unnamed}. Put train, val "
            "or test into each name, or into none to have splits drawn."
        )
    return splits or None


def _read_annotations(
    path: Path, contents: Contents, images: ImageFolder, split: Split | None
) -> None:
    value, notes = read_json(path)
    contents.files.append(path)
    contents.notes.extend(notes)
    names = _read_image_names(path, list_of(value, "images", path), contents, images)
    if contents.listed is not None and split is not None:
        contents.listed.extend(ListedImage(name, split, path.name) for name in names.values())
    seen = set()
    for number, annotation in enumerate(list_of(value, "annotations", path)):
        item = f"{path.name}: annotations[{number}]"
        caption = text_of(annotation, "caption")
        image_name = names.get(_key_of(annotation, "image_id"))
        annotation_id = _key_of(annotation, "id")
        if image_name is None:
            contents.skip(item, UNKNOWN_IMAGE)
        elif caption is None:
            contents.skip(item, NOT_TEXT)
        elif annotation_id is not None and annotation_id in seen:
            contents.skip(item, DOUBLE_CAPTION)
        else:
            seen.add(annotation_id)
            contents.entries.append(CaptionEntry(image_name, caption, item))


def _read_image_names(
    path: Path, records: list[Any], contents: Contents, images: ImageFolder
) -> dict[object, str]:
    """Returns the name of each image, by its number in the file."""
    folder = path.stem.removeprefix("captions_")  # captions_train2017.json -> train2017/
    names: dict[object, str] = {}
    for number, record in enumerate(records):
        file_name = text_of(record, "file_name")
        if file_name is None:
            contents.skip(f"{path.name}: images[{number}]", NO_FILE_NAME)
            continue
        in_folder = images.find(file_name) is None and images.find(f"{folder}/{file_name}")
        names[_key_of(record, "id")] = f"{folder}/{file_name}" if in_folder else file_name
    return names


def _key_of(record: Any, key: str) -> object:
    """Returns a number or text under `key`, fit to be looked up, or None."""
    found = record.get(key) if isinstance(record, dict) else None
    return found if isinstance(found, int | str) else None
