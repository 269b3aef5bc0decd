"""Images that arrive one by one, captioned together: a micro-batcher in front of an engine.

    whoever waits for a caption -> encoder thread -> search thread -> the caption

While one batch is encoded and another searched, the next one gathers. An engine has one compiled
graph for any batch, so a full batch takes no longer than a single image, and an image's caption
does not depend on what else is in its batch.

Dimension key: B images of a batch, H and W sides of the encoder's input; of weights, those of its
grid.
"""

import asyncio
import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np

from captioner.captioning.caption import Caption
from captioner.captioning.stream import Engine

Looks = tuple[np.ndarray, ...]  # for each caption of an image float32 (T, H, W), T its words
Captioned = tuple[Caption, Looks | None]

LINGER_SECONDS = 0.01  # what a lone image waits for company; short beside a batch's 0.2 s


class LookingEngine(Engine, Protocol):
    """An engine that also says where the words of its captions looked."""

    def look(self, features: Any, captions: Sequence[Caption]) -> Sequence[np.ndarray]:
        """Returns float32 (T, H, W) for each caption, made from the features in its place."""


@dataclass(eq=False, slots=True)
class Waiting:
    """An image, and where its caption is waited for."""

    image_HWC: np.ndarray
    with_looks: bool
    answer: "asyncio.Future[Captioned]"


class MicroBatcher:
    """Captions images in batches as they come. Use as an asynchronous context manager.

    Leaving it waits for the captions that are asked for already.

    Args:
        engine: makes the captions; called from one thread for each of its two steps.
        linger_seconds: how long a batch that is not full waits for more images.

    Example:

        async with MicroBatcher(Captioner.load().engine()) as batcher:
            caption, _ = await batcher.caption(image_HWC)
    """

    def __init__(self, engine: Engine, *, linger_seconds: float = LINGER_SECONDS) -> None:
        self._engine = engine
        self._linger_seconds = linger_seconds
        self._images: asyncio.Queue[Waiting] = asyncio.Queue()
        self._encoded: asyncio.Queue[tuple[list[Waiting], Any]] = asyncio.Queue(1)
        self._answers: set[asyncio.Future[Captioned]] = set()
        self._threads = [ThreadPoolExecutor(1, name) for name in ("encode", "search")]
        self._tasks: list[asyncio.Task[None]] = []

    async def caption(self, image_HWC: np.ndarray, *, with_looks: bool = False) -> Captioned:
        """Returns the caption of an image. Cancelling it takes the image out of the queue.

        Args:
            image_HWC: uint8 (H, W, 3), of the size that the encoder wants.
            with_looks: whether to say where its words looked; only of a `LookingEngine`.

        Returns:
            The caption and, where asked for, the looks of it and of each alternative.

        Raises:
            Exception: what the engine raised for the batch.
        """
        answer: asyncio.Future[Captioned] = asyncio.get_running_loop().create_future()
        self._answers.add(answer)
        answer.add_done_callback(self._answers.discard)
        self._images.put_nowait(Waiting(image_HWC, with_looks, answer))
        return await answer

    @property
    def num_waiting(self) -> int:
        """Images whose captions are waited for."""
        return len(self._answers)

    async def __aenter__(self) -> "MicroBatcher":
        self._tasks = [
            asyncio.create_task(self._encode_batches()),
            asyncio.create_task(self._search_batches()),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._answers:
            await asyncio.wait(self._answers)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for thread in self._threads:
            thread.shutdown()

    async def _encode_batches(self) -> None:
        while True:
            batch = await self._gather()
            with _told_to(batch):
                features = await self._run(0, self._encode, batch)
                await self._encoded.put((batch, features))

    async def _search_batches(self) -> None:
        while True:
            batch, features = await self._encoded.get()
            with _told_to(batch):
                search = functools.partial(self._search, batch)
                made: Sequence[Captioned] = await self._run(1, search, features)
                for waiting, captioned in zip(batch, made, strict=True):
                    if not waiting.answer.done():  # cancelled meanwhile
                        waiting.answer.set_result(captioned)

    async def _gather(self) -> list[Waiting]:
        """Waits for an image that is still wanted, and a moment longer for company."""
        batch: list[Waiting] = []
        while not batch:
            batch = [await self._images.get()]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._linger_seconds):
                    while len(batch) < self._engine.batch_size:
                        batch.append(await self._images.get())
            batch = [waiting for waiting in batch if not waiting.answer.done()]
        return batch

    def _encode(self, batch: list[Waiting]) -> Any:
        return self._engine.encode(np.stack([waiting.image_HWC for waiting in batch]))

    def _search(self, batch: list[Waiting], features: Any) -> Sequence[Captioned]:
        captions = self._engine.search(features)
        looking = [row for row, waiting in enumerate(batch) if waiting.with_looks]
        looks = dict(zip(looking, self._look(features, captions, looking), strict=True))
        return [(caption, looks.get(row)) for row, caption in enumerate(captions)]

    def _look(
        self, features: Any, captions: Sequence[Caption], rows: Sequence[int]
    ) -> Iterator[Looks]:
        """Yields the looks of the images in some rows, all read together."""
        if not rows:
            return
        said = [(row, own) for row in rows for own in (captions[row], *captions[row].alternatives)]
        places = [row for row, _ in said]
        engine = cast(LookingEngine, self._engine)
        weights = iter(engine.look(features[places], [own for _, own in said]))
        for row in rows:
            yield tuple(itertools.islice(weights, 1 + len(captions[row].alternatives)))

    async def _run(self, thread: int, call: Callable[[Any], Any], argument: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(
            self._threads[thread], call, argument
        )


@contextlib.contextmanager
def _told_to(batch: list[Waiting]) -> Iterator[None]:
    """Passes on what goes wrong to those who wait, so that the next batch can be made."""
    try:
        yield
    except Exception as error:
        for waiting in batch:
            if not waiting.answer.done():
                waiting.answer.set_exception(error)
