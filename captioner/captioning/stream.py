"""Images in, captions out, in the same order: decoding, encoding and searching overlap.

    listing -> decoding threads -> two encoding threads -> search thread -> whoever asks

Two batches are in the encoder at once: a network has steps that keep one processor alone busy,
and the other batch fills these gaps. A search is cheaper the more images it has at once, an
encoder is not, so several encoded batches are searched together. A few batches at most are on
their way, whatever the number of images.

Dimension key: B images of a batch, M images of some batches, H and W sides of the encoder's input.
"""

import itertools
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from captioner.captioning.caption import Caption
from captioner.errors import ImageError
from captioner.overlap import map_ahead, overlap

_BATCHES_DECODED_AHEAD = 2
_BATCHES_ENCODED_AT_ONCE = 2


class Engine(Protocol):
    """What turns decoded images into captions, with one compiled graph for any batch."""

    @property
    def batch_size(self) -> int:
        """Images per call of `encode`; a smaller last batch is as good."""

    @property
    def batches_per_search(self) -> int:
        """How many such batches `search` should get at once; fewer at the end are as good."""

    def encode(self, images_BHWC: np.ndarray) -> np.ndarray:
        """Maps uint8 (B, H, W, 3) to features (B, ...); called in threads."""

    def search(self, features: np.ndarray) -> Sequence[Caption]:
        """Returns the captions of M images, from their features (M, ...)."""


class Readable(Protocol):
    """A file to caption, or one that is known not to be readable."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def fault(self) -> str | None:
        """Why it cannot be captioned, if that is known."""


Source = TypeVar("Source", bound=Readable)
LoadImage = Callable[[Path], np.ndarray]  # -> uint8 (H, W, 3), or ImageError


@dataclass
class Batch(Generic[Source]):
    """Consecutive sources, and for each what was made of it so far.

    Args:
        sources: in order.
        made: per source an image, later a caption, or the reason why there is none.
    """

    sources: list[Source]
    made: list[Any]

    def good(self) -> list[int]:
        """Returns the indices of the sources that have not failed."""
        return [i for i, made in enumerate(self.made) if not isinstance(made, str)]


Encoded = tuple[Batch[Source], np.ndarray | None]  # no features where all images are bad


def caption_stream(
    sources: Iterable[Source], engine: Engine, load: LoadImage, *, workers: int
) -> Generator[list[tuple[Source, Caption | str]], None, None]:
    """Captions `sources` batch by batch; a bad file has a reason in place of its caption.

    Args:
        sources: taken as they are needed.
        engine: makes the captions.
        load: reads one file; called in threads.
        workers: decoding threads, 1 or more.

    Yields:
        (source, caption or reason) for consecutive sources, in order.
    """
    decoded = _decode(sources, engine.batch_size, load, workers)
    encoded = overlap(_gather(_encode(decoded, engine), engine.batches_per_search))
    searched = overlap(_search(encoded, engine))
    with closing(searched):
        for batch in searched:
            yield list(zip(batch.sources, batch.made, strict=True))


def _decode(
    sources: Iterable[Source], batch_size: int, load: LoadImage, workers: int
) -> Iterator[Batch[Source]]:
    def decode(source: Source) -> np.ndarray | str:
        if source.fault is not None:
            return source.fault
        return _load_or_say_why(source.path, load)

    ahead = _BATCHES_DECODED_AHEAD * batch_size
    batch: Batch[Source] = Batch([], [])
    for source, made in map_ahead(decode, sources, workers=workers, ahead=ahead):
        batch.sources.append(source)
        batch.made.append(made)
        if len(batch.sources) == batch_size:
            yield batch
            batch = Batch([], [])
    if batch.sources:
        yield batch


def _load_or_say_why(path: Path, load: LoadImage) -> np.ndarray | str:
    try:
        return load(path)
    except ImageError as error:
        return error.cause
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    except MemoryError:
        return "is too large for this machine's memory"


def _encode(batches: Iterator[Batch[Source]], engine: Engine) -> Iterator[Encoded[Source]]:
    def encode(batch: Batch[Source]) -> np.ndarray | None:
        good = batch.good()
        if not good:
            return None
        images_BHWC = np.stack([batch.made[i] for i in good])
        for i in good:
            batch.made[i] = None
        return engine.encode(images_BHWC)

    at_once = _BATCHES_ENCODED_AT_ONCE
    return map_ahead(encode, batches, workers=at_once, ahead=at_once)


def _gather(
    encoded: Iterator[Encoded[Source]], num_batches: int
) -> Iterator[list[Encoded[Source]]]:
    while gathered := list(itertools.islice(encoded, num_batches)):
        yield gathered


def _search(gathered: Iterator[list[Encoded[Source]]], engine: Engine) -> Iterator[Batch[Source]]:
    for encoded in gathered:
        features = [own for _, own in encoded if own is not None]
        captions = iter(engine.search(np.concatenate(features)) if features else ())
        for batch, _ in encoded:
            for i in batch.good():
                batch.made[i] = next(captions)
            yield batch
