"""What every reader returns: images with captions and a split, and what was left out.

Dimension key: N images, M captions of an image.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from captioner.packing import PackedSequence, PackedTable, pack_texts

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


class CaptionedImage(NamedTuple):
    """One photograph and what people wrote about it.

    Args:
        image_id: the path relative to the images folder, without suffix, with `/` between
            folders; unique within a data set.
        file: the image file; it existed when the data set was read. A string, since a `Path`
            for each of 100,000 takes long to make.
        captions: raw human captions, at least one, none of them blank.
        split: the part of the data set that the image belongs to.
    """

    image_id: str
    file: str
    captions: tuple[str, ...]
    split: Split

    @property
    def path(self) -> Path:
        """The image file."""
        return Path(self.file)


class CaptionedImages(PackedTable[CaptionedImage]):
    """Images packed in columns: a hundred thousand of one caption each take some 15 MB.

    A column is gone through in a fraction of the time that whole records take.

    Args:
        image_ids, files, captions, splits: of each image in order; see `CaptionedImage`.
    """

    def __init__(
        self,
        image_ids: Iterable[str],
        files: Iterable[str],
        captions: Iterable[tuple[str, ...]],
        splits: Iterable[Split],
    ) -> None:
        self.image_ids = pack_texts(image_ids)
        self.files = pack_texts(files)
        self.captions: PackedSequence[tuple[str, ...]] = PackedSequence(captions, tuple)
        self.splits = PackedSequence(map(SPLITS.index, splits), SPLITS.__getitem__)
        super().__init__(CaptionedImage, self.image_ids, self.files, self.captions, self.splits)


@dataclass(frozen=True, slots=True)
class Skip:
    """Something in a data set that was left out.

    Args:
        item: what it was, such as `Flickr8k.token.txt:17` or an image id.
        reason: why, in words that are the same for all skips of one kind.
    """

    item: str
    reason: str


@dataclass(frozen=True)
class CaptionDataset:
    """The images of a data set in a stable order, and what was skipped on the way.

    Args:
        name: the format's name, such as `flickr8k`.
        images: ordered by `image_id`, which no two of them share.
        skips: everything that was left out, each with its place and reason.
        files: the caption files and split lists that were read, images excepted; what
            a fingerprint of the data set must cover beside the images.
        notes: what was read in spite of a flaw, in sentences.
    """

    name: str
    images: CaptionedImages
    skips: tuple[Skip, ...] = field(default=())
    files: tuple[Path, ...] = field(default=())
    notes: tuple[str, ...] = field(default=())

    def in_split(self, split: str) -> tuple[CaptionedImage, ...]:
        """Returns the images of one split, in order."""
        return tuple(image for image in self.images if image.split == split)

    def split_sizes(self) -> dict[str, int]:
        """Returns the number of images in each split that has any."""
        counts = Counter(self.images.splits)
        return {split: counts[split] for split in SPLITS if counts[split]}


def count_reasons(skips: Iterable[Skip]) -> dict[str, int]:
    """Returns how often each reason occurs, the most frequent first."""
    return dict(Counter(skip.reason for skip in skips).most_common())
