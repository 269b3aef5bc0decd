"""Labelled photographs in batches, decoded from disk ahead of the network by a few threads.

Dimension key: B images of a batch, H and W sides of the network's input.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

import numpy as np

from captioner.classifiers.class_folders import LabelledImage
from captioner.errors import DatasetError
from captioner.features.journal import Failure
from captioner.features.sources import (
    ImageSource,
    PlannedBatch,
    count_workers,
    decode_ahead,
)
from captioner.images import load_image
from captioner.progress import Progress
from captioner.resizing import ResizeRule

_CHECKED_AT_ONCE = 64  # images

Batch = tuple[np.ndarray, np.ndarray]  # images_BHWC uint8, labels_B int32


class LabelledBatches:
    """Images that are all readable, batch by batch; never more than a few batches in memory.

    Args:
        images: one or more.
        digests: name of each -> SHA-256 of its file when it was listed.
        rule: how it comes to the network's size.
        batch_size: images of a batch; the last one may have fewer.
        workers: decoding threads; None takes one for each processor.
    """

    def __init__(
        self,
        images: Sequence[LabelledImage],
        digests: Mapping[str, str],
        rule: ResizeRule,
        batch_size: int,
        workers: int | None = None,
    ) -> None:
        self._sources = _list_sources(images, digests)
        self._rule = rule
        self._batch_size = batch_size
        self._workers = count_workers() if workers is None else workers
        self.labels = np.array([image.label for image in images], np.int32)

    @property
    def digest(self) -> str:
        """SHA-256 of names, classes and content of all images."""
        sources = zip(self._sources, self.labels.tolist(), strict=True)
        listed = [[source.image_id, source.digest, label] for source, label in sources]
        return hashlib.sha256(json.dumps(listed).encode()).hexdigest()

    def __len__(self) -> int:
        return -(-len(self._sources) // self._batch_size)

    def shuffled(self, seed: int, epoch: int) -> Iterator[Batch]:
        """Yields all images once, in an order that depends on nothing but seed and epoch."""
        order = np.random.default_rng([seed, epoch]).permutation(len(self._sources))
        return self._yield(order)

    def in_order(self) -> Iterator[Batch]:
        """Yields all images in their order."""
        return self._yield(np.arange(len(self._sources)))

    def _yield(self, order: np.ndarray) -> Iterator[Batch]:
        parts = [order[i : i + self._batch_size] for i in range(0, len(order), self._batch_size)]
        planned = (_plan([self._sources[index] for index in part]) for part in parts)
        with closing(decode_ahead(planned, self._load, self._workers)) as decoded:
            for part, (_, images) in zip(parts, decoded, strict=True):
                yield np.stack([_expect_image(image) for image in images]), self.labels[part]

    def _load(self, content: bytes) -> np.ndarray:
        return load_image(content, self._rule)


def find_unreadable(
    images: Sequence[LabelledImage],
    digests: Mapping[str, str],
    rule: ResizeRule,
    workers: int | None = None,
) -> list[Failure]:
    """Decodes every image once and returns those that cannot be used, in order.

    One pass before training costs little beside it, and makes batches, class weights and
    schedule what they will be on every later run.
    """
    sources = _list_sources(images, digests)
    parts = range(0, len(sources), _CHECKED_AT_ONCE)
    planned = (_plan(sources[i : i + _CHECKED_AT_ONCE]) for i in parts)
    workers = count_workers() if workers is None else workers
    failures = []
    with (
        Progress("check", len(sources)) as progress,
        closing(
            decode_ahead(planned, lambda content: load_image(content, rule), workers)
        ) as parts_,
    ):
        for batch, decoded in parts_:
            failures += [image for image in decoded if isinstance(image, Failure)]
            progress.advance(len(batch.sources))
    return failures


def _list_sources(images: Sequence[LabelledImage], digests: Mapping[str, str]) -> list[ImageSource]:
    return [ImageSource(image.name, image.path, digests[image.name]) for image in images]


def _plan(sources: Sequence[ImageSource]) -> PlannedBatch:
    return PlannedBatch(tuple(sources), (True,) * len(sources))


def _expect_image(image: np.ndarray | Failure) -> np.ndarray:
    if isinstance(image, Failure):
        raise DatasetError(
            f"{image.path} could be read when training began and now {image.cause}. Put it back "
            "as it was, or start again without it."
        )
    return image
