"""A photograph's bytes in, its caption out: reading in threads, captioning in batches."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from captioner.captioning.stream import Engine
from captioner.errors import ImageError
from captioner.features.sources import count_workers
from captioner.report.looks import Ground
from captioner.serving.batcher import Captioned, MicroBatcher

ReadImage = Callable[[bytes], np.ndarray]  # -> uint8 (H, W, 3), or ImageError
_BATCHES_AHEAD = 4


@dataclass(frozen=True)
class ServedModel:
    """What a server captions with.

    Args:
        name: the model's, as `captioner models` lists it.
        engine: makes the captions.
        read: reads a file's content as the encoder wants it.
        n_best: captions that the engine gives for each image.
        ground: what the weights lie upon that say where words looked; None where the engine
            cannot say.
    """

    name: str
    engine: Engine
    read: ReadImage
    n_best: int = 1
    ground: Ground | None = None


class PhotographCaptioner:
    """Captions photographs for many requests at once. Use as an asynchronous context manager.

    However many wait, only a few batches of them are decoded.

    Args:
        model: what to caption with.
        workers: threads that read photographs; None takes one for each processor.
    """

    def __init__(self, model: ServedModel, *, workers: int | None = None) -> None:
        self._read = model.read
        self._looks = model.ground is not None
        self._batcher = MicroBatcher(model.engine)
        self._decoded = asyncio.Semaphore(_BATCHES_AHEAD * model.engine.batch_size)
        num_threads = count_workers() if workers is None else workers
        self._readers = ThreadPoolExecutor(num_threads, thread_name_prefix="decode")

    async def caption(self, content: bytes, *, with_looks: bool = False) -> Captioned:
        """Returns the caption of a photograph.

        Args:
            content: of the file.
            with_looks: whether to say where its words looked, if the model can.

        Returns:
            The caption and the looks of it and of each alternative, see `MicroBatcher.caption`.

        Raises:
            ImageError: it cannot be used; `cause` says why.
        """
        async with self._decoded:
            loop = asyncio.get_running_loop()
            image_HWC = await loop.run_in_executor(self._readers, self._decode, content)
            return await self._batcher.caption(image_HWC, with_looks=with_looks and self._looks)

    async def __aenter__(self) -> "PhotographCaptioner":
        await self._batcher.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._batcher.__aexit__()
        self._readers.shutdown()

    def _decode(self, content: bytes) -> np.ndarray:
        try:
            return self._read(content)
        except MemoryError as error:
            raise ImageError("upload", "is too large for this machine's memory") from error
