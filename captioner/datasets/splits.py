"""Train, dev and test: read from split lists, or drawn by image where there are none."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from captioner.datasets.records import SPLITS, Split
from captioner.datasets.text_files import TextFile, read_text
from captioner.errors import DatasetError, UsageError

SEEDED = "seeded"  # the value of `splits` that asks for a drawn split

SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "test": "test",
}
_LIST_NAME = re.compile(
    r"(?:flickr_?(?:8k|30k)[._-])?(train|training|dev|val|valid|validation|test)_?(?:images)?\.txt",
    re.IGNORECASE,
)
_SHOWN_IMAGES = 5


@dataclass(frozen=True, slots=True)
class ListedImage:
    """A data set's word that an image belongs to a split.

    Args:
        name: the image as written there.
        split: the part it is said to belong to.
        item: where that is written, such as `Flickr_8k.devImages.txt:17`.
    """

    name: str
    split: Split
    item: str


@dataclass(frozen=True, slots=True)
class SeededSplit:
    """Draws an image's split from its id alone, so that it stays when images come and go.

    Args:
        seed: another seed gives another split.
        fractions: of the images in train, dev and test, each 0 to 1, in sum 1.

    Raises:
        UsageError: the fractions do not divide the data set.
    """

    seed: int = 0
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)

    def __post_init__(self) -> None:
        whole = len(self.fractions) == len(SPLITS) and abs(sum(self.fractions) - 1) < 1e-6
        if not whole or not all(0 <= fraction <= 1 for fraction in self.fractions):
            raise UsageError(
                "Split fractions are three numbers from 0 to 1, for train, dev and test, whose "
                f"sum is 1, such as 0.8, 0.1, 0.1. Received: {', '.join(map(str, self.fractions))}."
            )

    def split_of(self, image_id: str) -> Split:
        """Returns the split of one image."""
        digest = hashlib.sha256(f"{self.seed}:{image_id}".encode("utf-8", "surrogateescape"))
        position = int.from_bytes(digest.digest()[:8]) / 2**64
        train, dev, _ = self.fractions
        if position < train:
            return "train"
        return "dev" if position < train + dev else "test"


def find_split_lists(folders: Iterable[Path]) -> dict[Split, Path]:
    """Returns the split lists of the first folder that has any, such as `dev.txt`.

    Raises:
        DatasetError: two files of the folder claim to list the same split.
    """
    for folder in folders:
        lists: dict[Split, Path] = {}
        for path in sorted(folder.glob("*.txt")):
            if match := _LIST_NAME.fullmatch(path.name):
                split = SPLIT_NAMES[match[1].lower()]
                if split in lists:
                    raise DatasetError(
                        f"{folder}: both {lists[split].name} and {path.name} list the {split} "
                        "split. Remove one of them, or name a folder of lists with `splits`."
                    )
                lists[split] = path
        if lists:
            return lists
    return {}


def read_split_lists(lists: dict[Split, Path]) -> tuple[list[ListedImage], list[TextFile]]:
    """Reads split lists: one image a line, with or without suffix.

    Returns:
        What the lists say, and the files that were read.
    """
    files = {split: read_text(path) for split, path in lists.items()}
    listed = [
        ListedImage(name.strip(), split, item)
        for split, file in files.items()
        for item, name in file.numbered()
    ]
    return listed, list(files.values())


def check_disjoint(places: dict[str, Sequence[ListedImage]]) -> None:
    """Checks that no image is in two splits, where its caption would be known in advance.

    Args:
        places: for each image, everything that is said of its split.

    Raises:
        DatasetError: some are; the message names images and lists.
    """
    doubled = {
        name: listed
        for name, listed in places.items()
        if len({place.split for place in listed}) > 1
    }
    if doubled:
        shown = [
            f"  {name}: " + ", ".join(f"{place.split} ({place.item})" for place in listed)
            for name, listed in sorted(doubled.items())[:_SHOWN_IMAGES]
        ]
        more = [f"  and {len(doubled) - _SHOWN_IMAGES} more"] if len(doubled) > len(shown) else []
        count = "1 image is" if len(doubled) == 1 else f"{len(doubled)} images are"
        raise DatasetError(
            "\n".join([f"{count} in more than one split:", *shown, *more])
            + "\nLeave each image in one list only, so that no score is taken on training images."
        )
