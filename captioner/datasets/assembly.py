"""From what a caption file says to a `CaptionDataset`: every reader ends here.

What cannot be used is left out, counted and listed; nothing disappears in silence.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from captioner.datasets.image_folder import ImageFolder, image_id_of, is_image_name, leads_outside
from captioner.datasets.records import (
    SPLITS,
    CaptionDataset,
    CaptionedImages,
    Skip,
    Split,
    count_reasons,
)
from captioner.datasets.source import DatasetSource
from captioner.datasets.splits import ListedImage, check_disjoint, read_split_lists
from captioner.datasets.text_files import TextFile
from captioner.errors import DatasetError

NO_SUCH_IMAGE = "no such image"
OUTSIDE = "image name is absolute or contains `..`"
EMPTY_CAPTION = "empty caption"
DOUBLE_CAPTION = "caption id occurs twice"
DOUBLE_IMAGE = "another image has the same id"
NO_CAPTIONS = "image has no captions"
IN_NO_LIST = "in no split list"


class CaptionEntry(NamedTuple):
    """One caption as a file has it.

    Args:
        image_name: the image as written there.
        caption: the text, perhaps blank.
        item: where it is written, such as `Flickr8k.token.txt:17`.
    """

    image_name: str
    caption: str
    item: str


@dataclass
class Contents:
    """What a reader found in its files.

    Args:
        entries: captions, in the order of the files.
        listed: what is said about splits; None where nothing is, and splits are drawn.
        skips: what the reader itself could not use.
        files: what was read, images excepted.
        notes: flaws that did no harm.
    """

    entries: list[CaptionEntry] = field(default_factory=list)
    listed: list[ListedImage] | None = None
    skips: list[Skip] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add_file(self, file: TextFile) -> None:
        """Remembers a text file as read, with its notes."""
        self.files.append(file.path)
        self.notes.extend(file.notes())

    def skip(self, item: str, reason: str) -> None:
        """Leaves something out."""
        self.skips.append(Skip(item, reason))


def read_listed_images(source: DatasetSource, contents: Contents, *folders: Path) -> None:
    """Adds what the split lists say to `contents`, if there are split lists.

    Args:
        source: the data set as the user described it.
        contents: what is known so far.
        folders: where the format may have the lists, the likeliest first.
    """
    if lists := source.split_lists(*folders):
        contents.listed, files = read_split_lists(lists)
        for file in files:
            contents.add_file(file)


def assemble(source: DatasetSource, contents: Contents, images: ImageFolder) -> CaptionDataset:
    """Joins captions, images and splits.

    Args:
        source: the data set as the user described it.
        contents: what its files say.
        images: its images folder.

    Returns:
        The data set, ordered by image id.

    Raises:
        DatasetError: an image is in two splits, or no image is left.
    """
    captions = _gather_captions(contents, images)
    names = _choose_names(captions, contents)
    splits = _assign_splits(source, contents, images, names)
    _report_uncaptioned(contents, images, captions)
    image_ids = sorted(filter(splits.__contains__, names))
    captioned = CaptionedImages(
        image_ids,
        (images.file_of(names[image_id]) for image_id in image_ids),
        (tuple(captions[names[image_id]]) for image_id in image_ids),
        map(splits.__getitem__, image_ids),
    )
    skips = tuple(dict.fromkeys(contents.skips))
    if not captioned:
        raise DatasetError(_explain_emptiness(source, images, skips))
    return CaptionDataset(
        source.format, captioned, skips, tuple(contents.files), tuple(contents.notes)
    )


def _gather_captions(contents: Contents, images: ImageFolder) -> dict[str, list[str]]:
    """Returns the usable captions of each image file, by its name in the images folder."""
    captions: dict[str, list[str]] = {}
    found: dict[str, str | None] = {}  # a name is looked up once for all its captions
    for entry in contents.entries:
        if entry.image_name not in found:
            found[entry.image_name] = images.find(entry.image_name)
        name = found[entry.image_name]
        if name is None:
            contents.skip(entry.item, _explain_absence(entry.image_name))
        elif not entry.caption.strip():
            contents.skip(entry.item, EMPTY_CAPTION)
        else:
            captions.setdefault(name, []).append(entry.caption.strip())
    return captions


def _explain_absence(image_name: str) -> str:
    """Says why no file of the images folder is meant by a name."""
    return OUTSIDE if leads_outside(image_name) else NO_SUCH_IMAGE


def _choose_names(names: Iterable[str], contents: Contents) -> dict[str, str]:
    """Returns the image file of each image id; of two files with one id, the first by name."""
    chosen: dict[str, str] = {}
    for name in sorted(names):
        if chosen.setdefault(image_id_of(name), name) != name:
            contents.skip(name, DOUBLE_IMAGE)
    return chosen


def _assign_splits(
    source: DatasetSource, contents: Contents, images: ImageFolder, names: dict[str, str]
) -> dict[str, Split]:
    """Returns the split of each image id that has one; `names` maps image ids to files."""
    if contents.listed is None or source.wants_seeded_split:
        splits = {image_id: source.seeded_split.split_of(image_id) for image_id in names}
        _note_empty_splits(source, contents, splits)
        return splits
    places = _locate(contents, contents.listed, images)
    check_disjoint(places)
    for name in sorted(set(names.values()) - places.keys()):
        contents.skip(name, IN_NO_LIST)
    return {image_id: places[name][0].split for image_id, name in names.items() if name in places}


def _locate(
    contents: Contents, listed: Sequence[ListedImage], images: ImageFolder
) -> dict[str, Sequence[ListedImage]]:
    """Returns what is said of each image's split, by its name in the images folder.

    An image that is missing keeps its name as written: its being in two lists is still wrong.
    """
    places: dict[str, list[ListedImage]] = defaultdict(list)
    for place in listed:
        name = images.find(place.name)
        if name is None:
            contents.skip(place.item, _explain_absence(place.name))
        places[place.name if name is None else name].append(place)
    return dict(places)


def _report_uncaptioned(
    contents: Contents, images: ImageFolder, captions: dict[str, list[str]]
) -> None:
    for name in filter(is_image_name, images.doubles):
        contents.skip(name, DOUBLE_IMAGE)
    for name in images.names():
        if name not in captions and is_image_name(name):
            contents.skip(name, NO_CAPTIONS)


def _note_empty_splits(source: DatasetSource, contents: Contents, splits: dict[str, Split]) -> None:
    used = set(splits.values())
    for split, fraction in zip(SPLITS, source.seeded_split.fractions, strict=True):
        if fraction and splits and split not in used:
            contents.notes.append(
                f"No image fell into the {split} split; with so few images, try another "
                f"`split_seed` than {source.seeded_split.seed}, or write split lists."
            )


def _explain_emptiness(source: DatasetSource, images: ImageFolder, skips: Sequence[Skip]) -> str:
    reasons = [f"  {count} x {reason}" for reason, count in count_reasons(skips).items()]
    example = [f"  first: {skips[0].item}: {skips[0].reason}"] if skips else []
    return "\n".join(
        [
            f"No captioned image is left in {source.root} (read as {source.format}, images in "
            f"{images.root}).",
            *reasons,
            *example,
            "Check that the names in the captions file are those of files in the images folder, "
            "that the split lists name them too, and that `format` fits.",
        ]
    )
