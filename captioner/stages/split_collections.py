"""Digests of a data set's images as inputs of stages, each of which depends on some splits.

What is kept is packed; text is put together when an artifact lists it, and once for all
fingerprints, since every stage asks for another choice of splits.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from captioner.datasets.records import SPLITS, CaptionedImages
from captioner.packing import PackedSequence
from captioner.pipeline.fingerprint import Collection, encode_pair, summarise_pairs


@dataclass(frozen=True)
class SplitDigests:
    """Image id -> digest, of the images in some splits."""

    images: CaptionedImages
    digests: PackedSequence[str]
    splits: frozenset[str]

    def items(self) -> Iterator[tuple[str, str]]:
        """Yields the pairs, sorted by image id as the images are."""
        pairs = zip(self.images.image_ids, self.digests, strict=True)
        return itertools.compress(pairs, map(self.splits.__contains__, self.images.splits))


@dataclass(frozen=True, eq=False)
class SplitCollection(Collection):
    """A collection whose summary is known in advance."""

    known: Mapping[str, Any]

    def summary(self) -> dict[str, Any]:
        """Returns what a manifest shows instead of thousands of lines."""
        return dict(self.known)


def collect_splits(
    noun: str, images: CaptionedImages, digests: PackedSequence[str]
) -> dict[frozenset[str], Collection]:
    """Returns the collection of every choice of splits.

    Args:
        noun: what the digests are of, in words.
        images: the images, sorted by id.
        digests: one for each image, in order.
    """
    encoded = [*map(encode_pair, images.image_ids, digests)]
    splits = list(images.splits)
    collections: dict[frozenset[str], Collection] = {}
    for size in range(1, len(SPLITS) + 1):
        for choice in map(frozenset, itertools.combinations(SPLITS, size)):
            pairs = list(itertools.compress(encoded, map(choice.__contains__, splits)))
            known = summarise_pairs(noun, pairs)
            collections[choice] = SplitCollection(
                noun, SplitDigests(images, digests, choice), known
            )
    return collections
