"""Captions as ids: what the tokenize stage leaves and the decoders are trained on.

Dimension key: C captions, N images, L ids of all captions in one row.
"""

import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from captioner.datasets.records import SPLITS, CaptionedImage, Split
from captioner.errors import VocabularyError
from captioner.files import replace_file
from captioner.text.normalisation import find_scheme, normalise
from captioner.text.statistics import count_captions
from captioner.text.vocabulary import Vocabulary

VERSION = 1

_ARRAYS = ("version", "tokens", "offsets", "image_index", "image_ids", "splits")


@dataclass(frozen=True, eq=False)
class TokenisedCaptions:
    """The captions of a data set as ids, in the order of its images.

    Args:
        tokens: int32 (L,), the ids of all captions one after another, each from START to END; a
            caption that was cut has no END.
        offsets: int64 (C + 1,); caption c is `tokens[offsets[c]:offsets[c + 1]]`.
        image_index: int32 (C,), the image of each caption, never decreasing.
        image_ids: the N images, with or without captions left.
        splits: the split of each image.

    Raises:
        VocabularyError: the arrays contradict each other.
    """

    tokens: np.ndarray
    offsets: np.ndarray
    image_index: np.ndarray
    image_ids: tuple[str, ...]
    splits: tuple[Split, ...]

    def __post_init__(self) -> None:
        _check_arrays(self)

    def __len__(self) -> int:
        """Returns the number of captions."""
        return len(self.image_index)

    def __getitem__(self, caption: int) -> np.ndarray:
        """Returns the ids of one caption, int32 (T,), as a view."""
        if not 0 <= caption < len(self):
            raise IndexError(f"caption {caption} of {len(self)}")
        return self.tokens[self.offsets[caption] : self.offsets[caption + 1]]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[caption] for caption in range(len(self)))

    @cached_property
    def lengths(self) -> np.ndarray:
        """Ids in each caption, sentinels included, int64 (C,)."""
        return np.diff(self.offsets)

    def select(self, split: str) -> np.ndarray:
        """Returns which captions belong to a split, int64, in order."""
        in_split_N = np.array([own == split for own in self.splits], dtype=bool)
        return np.flatnonzero(in_split_N[self.image_index])

    def image_ids_in(self, split: str) -> tuple[str, ...]:
        """Returns the images of a split, in order."""
        pairs = zip(self.image_ids, self.splits, strict=True)
        return tuple(image_id for image_id, own in pairs if own == split)

    def restrict(self, image_ids: Iterable[str]) -> "TokenisedCaptions":
        """Returns the captions of these images alone, such as those with features."""
        wanted = set(image_ids)
        kept_N = np.array([image_id in wanted for image_id in self.image_ids], dtype=bool)
        captions = np.flatnonzero(kept_N[self.image_index])
        rows = [self[caption] for caption in captions.tolist()]
        new_index_N = np.cumsum(kept_N) - 1
        return TokenisedCaptions(
            tokens=np.concatenate([*rows, self.tokens[:0]]),
            offsets=np.cumsum([0, *map(len, rows)], dtype=np.int64),
            image_index=new_index_N[self.image_index[captions]].astype(np.int32),
            image_ids=tuple(np.array(self.image_ids, dtype=object)[kept_N]),
            splits=tuple(np.array(self.splits, dtype=object)[kept_N]),
        )

    def save(self, path: Path) -> None:
        """Writes the arrays as `.npz`, whole or not at all; equal captions give equal bytes."""
        with replace_file(path) as file:
            np.savez(
                file,
                version=np.array(VERSION),
                tokens=self.tokens,
                offsets=self.offsets,
                image_index=self.image_index,
                image_ids=np.array(self.image_ids, dtype=np.str_),
                splits=np.array([SPLITS.index(split) for split in self.splits], dtype=np.uint8),
            )

    @classmethod
    def load(cls, path: Path) -> "TokenisedCaptions":
        """Reads what `save` wrote.

        Raises:
            VocabularyError: the file is missing, damaged, or of another version.
        """
        try:
            arrays = _read_arrays(path)
            return cls(
                arrays["tokens"],
                arrays["offsets"],
                arrays["image_index"],
                tuple(arrays["image_ids"].tolist()),
                tuple(SPLITS[code] for code in arrays["splits"].tolist()),
            )
        except (OSError, EOFError, ValueError, IndexError, zipfile.BadZipFile) as error:
            raise VocabularyError(
                f"{path}: the tokenised captions cannot be read: {error}. "
                "Run the tokenize stage again."
            ) from error
        except VocabularyError as error:
            raise VocabularyError(f"{path}: {error} Run the tokenize stage again.") from error


def tokenise_captions(
    images: Sequence[CaptionedImage],
    scheme: str = "default",
    min_count: int = 1,
    max_length: int | None = None,
) -> tuple[Vocabulary, TokenisedCaptions, dict[str, Any]]:
    """Turns captions into ids; the vocabulary comes from the training split alone.

    Args:
        images: all images of the data set, of any split.
        scheme: how captions are normalised, see `normalise`.
        min_count: words seen less often in the training captions are unknown words.
        max_length: ids kept of a caption, START and END included, at least 3; a longer caption is
            cut, and a cut caption has no END, so that no decoder learns to stop there. None
            keeps captions whole.

    Returns:
        The vocabulary; the captions of all splits, without those that normalisation emptied; and
        the statistics, see `count_captions`.

    Raises:
        VocabularyError: no image is in the training split, no word is left, or `max_length` is
            below 3.
        UsageError: the scheme is unknown.
    """
    _check_request(images, max_length)
    scheme = find_scheme(scheme)
    words = [[normalise(caption, scheme) for caption in image.captions] for image in images]
    pairs = list(zip(images, words, strict=True))
    train = (kept for image, captions in pairs if image.split == "train" for kept in captions)
    vocabulary = Vocabulary.build(train, scheme=scheme, min_count=min_count)
    captions = _encode_captions(images, words, vocabulary, max_length)
    return vocabulary, captions, count_captions(pairs, vocabulary, max_length)


def _check_request(images: Sequence[CaptionedImage], max_length: int | None) -> None:
    if not any(image.split == "train" for image in images):
        raise VocabularyError(
            f"None of the {len(images)} images is in the training split, so there are no "
            "captions to take a vocabulary from. Check the data set's splits."
        )
    if max_length is not None and max_length < 3:
        raise VocabularyError(
            "`max_length` counts ids, START and END included, so 3 or more. "
            f"Received: max_length={max_length}"
        )


def _encode_captions(
    images: Sequence[CaptionedImage],
    words: Sequence[Sequence[Sequence[str]]],
    vocabulary: Vocabulary,
    max_length: int | None,
) -> TokenisedCaptions:
    rows: list[np.ndarray] = []
    image_index: list[int] = []
    for index, captions in enumerate(words):
        kept = [vocabulary.encode(caption)[:max_length] for caption in captions if caption]
        rows += kept
        image_index += [index] * len(kept)
    return TokenisedCaptions(
        tokens=np.concatenate(rows),
        offsets=np.cumsum([0, *map(len, rows)], dtype=np.int64),
        image_index=np.array(image_index, dtype=np.int32),
        image_ids=tuple(image.image_id for image in images),
        splits=tuple(image.split for image in images),
    )


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    file = np.load(path, allow_pickle=False)
    if not isinstance(file, np.lib.npyio.NpzFile):
        raise ValueError("it is no .npz archive")
    with file:
        missing = [name for name in _ARRAYS if name not in file.files]
        if missing:
            raise ValueError(f"it holds no array `{missing[0]}`")
        arrays = {name: file[name] for name in _ARRAYS}
    if arrays["version"].tolist() != VERSION:
        raise ValueError(f"its version is {arrays['version']}, and this captioner reads {VERSION}")
    return arrays


def _check_arrays(captions: TokenisedCaptions) -> None:
    offsets, index = captions.offsets, captions.image_index
    if len(captions.splits) != len(captions.image_ids):
        raise VocabularyError("Images and splits differ in number.")
    if len(set(captions.image_ids)) != len(captions.image_ids):
        raise VocabularyError("An image id stands twice among the tokenised captions.")
    if len(offsets) != len(index) + 1 or offsets[0] != 0 or offsets[-1] != len(captions.tokens):
        raise VocabularyError("The captions' offsets do not fit the tokens.")
    if np.any(np.diff(offsets) < 1):
        raise VocabularyError("The captions' offsets do not rise.")
    if len(index) and (index.min() < 0 or index.max() >= len(captions.image_ids)):
        raise VocabularyError("A caption belongs to an image that is not listed.")
