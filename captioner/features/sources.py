"""The images to extract features from, decoded ahead of the encoder by a few threads.

Dimension key: B images of a batch, H and W sides of the encoder's input.
"""

import contextlib
import hashlib
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from captioner.errors import ImageError
from captioner.features.journal import Failure

BATCHES_AHEAD = 2  # decoded while the encoder is at work on the one before them
MAX_WORKERS = 8

LoadImage = Callable[[bytes], np.ndarray]  # a file's content -> uint8 (H, W, 3); ImageError if not


@dataclass(frozen=True, slots=True)
class ImageSource:
    """An image file as it was when it was listed.

    Args:
        image_id: names the image in the store.
        path: its file; a string takes a quarter of the room.
        digest: SHA-256 of the file, 64 hexadecimal digits.
    """

    image_id: str
    path: str | Path
    digest: str


@dataclass(frozen=True, slots=True)
class PlannedBatch:
    """Consecutive sources, and which of them must be computed.

    Args:
        sources: in order.
        computed: True for each source to compute, False for each to take from earlier.
    """

    sources: tuple[ImageSource, ...]
    computed: tuple[bool, ...]

    def select(self, computed: bool) -> list[ImageSource]:
        """Returns the sources to compute, or the others."""
        return [s for s, flag in zip(self.sources, self.computed, strict=True) if flag == computed]


def plan_batches(
    sources: Iterable[ImageSource], is_known: Callable[[ImageSource], bool], batch_size: int
) -> Iterator[PlannedBatch]:
    """Cuts `sources` into batches with up to `batch_size` images to compute.

    What a batch holds depends on what is listed and known alone, never on what turns out to be
    unreadable or on timing, so that a resumed run meets the same batches again.
    """
    batch: list[ImageSource] = []
    computed: list[bool] = []
    longest = max(batch_size, 256)  # bounds the rows held in memory where all are known
    for source in sources:
        batch.append(source)
        computed.append(not is_known(source))
        if sum(computed) == batch_size or len(batch) == longest:
            yield PlannedBatch(tuple(batch), tuple(computed))
            batch, computed = [], []
    if batch:
        yield PlannedBatch(tuple(batch), tuple(computed))


def decode_ahead(
    batches: Iterable[PlannedBatch], load: LoadImage, workers: int
) -> Generator[tuple[PlannedBatch, list[np.ndarray | Failure]], None, None]:
    """Yields each batch with its images, while threads decode the next ones.

    Args:
        batches: consumed only `BATCHES_AHEAD` in advance, which bounds the memory.
        load: decodes and resizes one file's content.
        workers: number of threads.

    Yields:
        The batch, and uint8 (H, W, 3) or a Failure for each source that it computes.
    """
    pending: deque[tuple[PlannedBatch, list[Future[np.ndarray | Failure]]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    try:
        for batch in batches:
            pending.append((batch, [pool.submit(read_image, s, load) for s in batch.select(True)]))
            if len(pending) > BATCHES_AHEAD:
                yield _wait_for(pending.popleft())
        while pending:
            yield _wait_for(pending.popleft())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def read_image(source: ImageSource, load: LoadImage) -> np.ndarray | Failure:
    """Returns the decoded image, uint8 (H, W, 3), or why there is none.

    A file that changed after it was listed is a failure: its features would be kept under the
    digest of what it used to be.
    """
    try:
        content = Path(source.path).read_bytes()
    except OSError as fault:
        return _fail(source, f"cannot be read: {fault.strerror}")
    if hashlib.sha256(content).hexdigest() != source.digest:
        return _fail(source, "changed after it was listed; extract again")
    try:
        return load(content)
    except ImageError as fault:
        return _fail(source, fault.cause)


def count_workers() -> int:
    """Returns a good number of decoding threads: one for each processor, within reason."""
    with contextlib.suppress(AttributeError):  # Linux knows which processors are ours
        return min(MAX_WORKERS, len(os.sched_getaffinity(0)))
    num_processors = os.cpu_count()
    return 1 if num_processors is None else min(MAX_WORKERS, num_processors)


def _wait_for(
    pending: tuple[PlannedBatch, Sequence[Future[np.ndarray | Failure]]],
) -> tuple[PlannedBatch, list[np.ndarray | Failure]]:
    batch, futures = pending
    return batch, [future.result() for future in futures]


def _fail(source: ImageSource, cause: str) -> Failure:
    return Failure(source.image_id, str(source.path), cause, source.digest)
