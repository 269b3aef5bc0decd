"""Extraction: image files in, a finished feature store out.

Threads decode the next batches while the encoder works on the ones before and the rows of
earlier ones are written, so no processor waits. Every finished batch is on disk; an interrupted
run continues behind the last one and ends in the same bytes.

Dimension key: B images of a batch, H and W sides of the encoder's input.
"""

import itertools
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from captioner.errors import FeatureError
from captioner.features.earlier import EarlierFeatures
from captioner.features.index import is_finished, read_failures, remove_leftovers
from captioner.features.journal import Batch, Failure
from captioner.features.reading import name_some
from captioner.features.sources import (
    ImageSource,
    LoadImage,
    PlannedBatch,
    count_workers,
    decode_ahead,
    plan_batches,
)
from captioner.features.store import FeatureStore, FeatureWriter
from captioner.features.summary import ExtractionSummary
from captioner.overlap import map_ahead
from captioner.progress import Progress

# A network has steps that keep one processor alone busy; another batch fills these gaps.
BATCHES_ENCODED_AT_ONCE = 2
BATCHES_TAKEN = BATCHES_ENCODED_AT_ONCE + 1  # and one to go on with while rows are written

Decoded = tuple[PlannedBatch, list[np.ndarray | Failure]]


class ImageEncoder(Protocol):
    """What extraction needs of an encoder; threads call it at the same time."""

    @property
    def spec(self) -> Any:
        """Its specification; `spec.rule` says how images are resized."""

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Kind -> shape for one image."""

    def encode(self, images_BHWC: np.ndarray) -> Mapping[str, np.ndarray]:
        """Maps uint8 (B, H, W, 3) to features (B, *shape) of each kind."""


def extract_features(
    sources: Sequence[ImageSource],
    encoder: ImageEncoder,
    folder: Path,
    *,
    batch_size: int = 32,
    workers: int | None = None,
    earlier: Sequence[Path] = (),
    encoder_name: str = "",
    background: tuple[int, int, int] = (255, 255, 255),
    load: LoadImage | None = None,
) -> tuple[FeatureStore, ExtractionSummary]:
    """Extracts the features of all `sources` into a store, in their order.

    Args:
        sources: image files; image ids are all different.
        encoder: computes the features.
        folder: the store. Continued if an earlier run was interrupted, left alone if it is
            already finished for the same sources.
        batch_size: images per call of the encoder, 1 or more. Does not change the result.
        workers: decoding threads, 1 or more; None takes one for each processor.
        earlier: finished stores whose rows are copied where the image file is the same.
        encoder_name: identifies encoder, weights and resizing, such as a digest. Only stores of
            the same name are continued or reused.
        background: RGB, 0-255, laid under transparent images.
        load: maps a file's content to uint8 (H, W, 3), or raises ImageError; None decodes and
            resizes as the encoder's specification says.

    Returns:
        The store, open for reading, and what was done.

    Raises:
        FeatureError: no image could be used, the disk is full, or `folder` holds other features.
    """
    workers = count_workers() if workers is None else workers
    _check_request(sources, batch_size, workers)
    started = time.perf_counter()
    if is_finished(folder):
        return _summarise_finished(sources, folder, encoder, encoder_name)
    load = _choose_loader(encoder, background) if load is None else load
    extraction = _Extraction(sources, encoder, folder, earlier, encoder_name)
    store = extraction.run(load, batch_size, workers)
    return store, extraction.summarise(time.perf_counter() - started)


class _Extraction:
    """One run: the store it writes, and what it counted."""

    def __init__(
        self,
        sources: Sequence[ImageSource],
        encoder: ImageEncoder,
        folder: Path,
        earlier: Sequence[Path],
        encoder_name: str,
    ) -> None:
        self._sources = sources
        self._encoder = encoder
        self._folder = folder
        with _explaining(folder):
            self._writer = FeatureWriter(folder, encoder.shapes, encoder=encoder_name)
            self._num_settled = self._keep_matching_batches()
        self._earlier = EarlierFeatures(earlier, self._writer.layout)
        self._num_resumed = self._writer.num_rows
        self._num_computed = self._num_reused = 0

    def run(self, load: LoadImage, batch_size: int, workers: int) -> FeatureStore:
        """Settles all sources and finishes the store."""
        rest = itertools.islice(self._sources, self._num_settled, None)
        batches = plan_batches(rest, self._earlier.knows, batch_size)
        progress = Progress("extract", len(self._sources), initial=self._num_settled)
        with (
            progress,
            closing(decode_ahead(batches, load, workers)) as decoded,
            closing(self._encode_ahead(decoded)) as encoded,
        ):
            for (batch, images), features in encoded:
                self._settle(batch, images, features)
                progress.advance(len(batch.sources))
        with _explaining(self._folder):
            self._check_any_row()
            return self._writer.seal()

    def summarise(self, seconds: float) -> ExtractionSummary:
        """Returns what was done."""
        return ExtractionSummary(
            num_images=len(self._sources),
            num_computed=self._num_computed,
            num_reused=self._num_reused,
            num_resumed=self._num_resumed,
            num_failed=len(self._sources) - self._writer.num_rows,
            seconds=seconds,
            images_per_second=(self._num_computed + self._num_reused) / seconds,
            notes=tuple(self._earlier.notes),
        )

    def _keep_matching_batches(self) -> int:
        """Forgets batches of other sources than these; returns how many images are settled."""
        num_batches = num_images = 0
        sources = iter(self._sources)
        for batch in self._writer.batches():
            if not _is_of(batch, list(itertools.islice(sources, batch.num_images))):
                break
            num_batches, num_images = num_batches + 1, num_images + batch.num_images
        self._writer.rewind(num_batches)
        return num_images

    def _encode_ahead(
        self, decoded: Iterable[Decoded]
    ) -> Generator[tuple[Decoded, Mapping[str, np.ndarray]], None, None]:
        """Yields each batch with the features of those of its images that could be decoded."""

        def encode(item: Decoded) -> Mapping[str, np.ndarray]:
            return self._encode([image for image in item[1] if not isinstance(image, Failure)])

        return map_ahead(encode, decoded, workers=BATCHES_ENCODED_AT_ONCE, ahead=BATCHES_TAKEN)

    def _settle(
        self,
        batch: PlannedBatch,
        images: Sequence[np.ndarray | Failure],
        encoded: Mapping[str, np.ndarray],
    ) -> None:
        """Puts one batch into the store: computed and reused rows in the order of the sources."""
        failures = [image for image in images if isinstance(image, Failure)]
        failed = {failure.image_id for failure in failures}
        rows = [
            (source, is_computed)
            for source, is_computed in zip(batch.sources, batch.computed, strict=True)
            if source.image_id not in failed
        ]
        arrays = self._interleave(batch.select(False), encoded, [flag for _, flag in rows])
        with _explaining(self._folder):
            self._writer.append(
                [source.image_id for source, _ in rows],
                [source.digest for source, _ in rows],
                arrays,
                failures,
            )
        self._num_computed += len(images) - len(failures)
        self._num_reused += len(batch.sources) - len(images)

    def _encode(self, images: Sequence[np.ndarray]) -> Mapping[str, np.ndarray]:
        """Returns features (B, *shape) of each kind."""
        if not images:
            return {kind: np.empty((0, *shape)) for kind, shape in self._encoder.shapes.items()}
        encoded = self._encoder.encode(np.stack(images))
        for kind, shape in self._encoder.shapes.items():
            received = np.shape(encoded[kind]) if kind in encoded else "nothing"
            if received != (len(images), *shape):
                raise FeatureError(
                    f"The encoder should give a {kind} of shape {(len(images), *shape)} for "
                    f"{len(images)} images. Received: {received}"
                )
        return encoded

    def _interleave(
        self,
        reused: Sequence[ImageSource],
        encoded: Mapping[str, np.ndarray],
        is_computed: Sequence[bool],
    ) -> Mapping[str, np.ndarray]:
        """Returns rows in the order of the sources, from the encoder and from earlier stores."""
        if not reused:
            return encoded
        computed_B = np.array(is_computed, dtype=bool)
        arrays = {}
        for kind, shape in self._encoder.shapes.items():
            arrays[kind] = np.empty((len(computed_B), *shape), np.float32)
            arrays[kind][computed_B] = encoded[kind]
            arrays[kind][~computed_B] = self._earlier.read(kind, reused)
        return arrays

    def _check_any_row(self) -> None:
        """Stops when every image failed, and forgets the failures so that a mended cause helps."""
        if self._writer.num_rows:
            return
        first = next(self._writer.batches()).failures[0]
        self._writer.rewind(0)
        raise FeatureError(
            f"None of the {len(self._sources):,} images could be used. The first of them: "
            f"{first.path}: {first.cause}"
        )


def _is_of(batch: Batch, listed: Sequence[ImageSource]) -> bool:
    failed = {failure.image_id for failure in batch.failures}
    rows = [(s.image_id, s.digest) for s in listed if s.image_id not in failed]
    unused = [(s.image_id, s.digest) for s in listed if s.image_id in failed]
    return rows == list(zip(batch.image_ids, batch.digests, strict=True)) and unused == [
        (failure.image_id, failure.digest) for failure in batch.failures
    ]


def _check_request(sources: Sequence[ImageSource], batch_size: int, workers: int) -> None:
    if batch_size < 1 or workers < 1:
        raise FeatureError(
            "`batch_size` and `workers` are 1 or more. "
            f"Received: batch_size={batch_size}, workers={workers}"
        )
    if not sources:
        raise FeatureError("There are no images to extract features from.")
    if doubled := _find_doubled(sources):
        raise FeatureError(f"Image ids must differ; given more than once: {name_some(doubled)}")


def _find_doubled(sources: Sequence[ImageSource]) -> list[str]:
    """Returns the image ids that are given more than once."""
    pairs = itertools.pairwise(source.image_id for source in sources)
    if all(before < after for before, after in pairs):  # as data sets are: nothing to remember
        return []
    counts = Counter(source.image_id for source in sources)
    return [image_id for image_id, count in counts.items() if count > 1]


def _choose_loader(encoder: ImageEncoder, background: tuple[int, int, int]) -> LoadImage:
    from captioner.images import load_image  # only here: callers with their own need no Pillow

    rule = encoder.spec.rule
    return lambda content: load_image(content, rule, background=background)


def _summarise_finished(
    sources: Sequence[ImageSource], folder: Path, encoder: ImageEncoder, encoder_name: str
) -> tuple[FeatureStore, ExtractionSummary]:
    """Returns a store that an earlier run finished, if it is what is wanted, and its summary."""
    remove_leftovers(folder)
    store = FeatureStore.open(folder)
    failed = {failure.image_id for failure in read_failures(folder)}
    wanted = [(s.image_id, s.digest) for s in sources if s.image_id not in failed]
    is_same = list(zip(store.image_ids, store.digests, strict=True)) == wanted
    if not is_same or (store.shapes, store.layout.encoder) != (encoder.shapes, encoder_name):
        raise FeatureError(
            f"{folder} holds the finished features of other images or of another encoder. Extract "
            "into another folder, and give this one as `earlier` to reuse what is the same."
        )
    num_rows = len(store.image_ids)
    return store, ExtractionSummary(
        num_images=len(sources), num_resumed=num_rows, num_failed=len(sources) - num_rows
    )


@contextmanager
def _explaining(folder: Path) -> Iterator[None]:
    """Turns what the system says about a disk into what the user can do."""
    try:
        yield
    except OSError as fault:
        raise FeatureError(
            f"{folder} cannot be written: {fault.strerror or fault}. Every finished batch is kept: "
            "make room, or mend the cause, and extract again to continue."
        ) from fault
