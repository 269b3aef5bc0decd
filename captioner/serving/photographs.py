"""A photograph's bytes in, its caption out: reading in threads, captioning in batches."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from captioner.captioning.caption import Caption
from captioner.captioning.stream import Engine
from captioner.errors import ImageError
from captioner.features.sources import count_workers
from captioner.serving.batcher import MicroBatcher

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
    """

    name: str
    engine: Engine
    read: ReadImage
    n_best: int = 1


class PhotographCaptioner:
    """Captions photographs for many requests at once. Use as an asynchronous context manager.

    However many wait, only a few batches of them are decoded.

    Args:
        model: what to caption with.
        workers: threads that read photographs; None takes one for each processor.
    """

    def __init__(self, model: ServedModel, *, workers: int | None = None) -> None:
        self._read = model.read
        self._batcher = MicroBatcher(model.engine)
        self._decoded = asyncio.Semaphore(_BATCHES_AHEAD * model.engine.batch_size)
        num_threads = count_workers() if workers is None else workers
        self._readers = ThreadPoolExecutor(num_threads, thread_name_prefix="decode")

    async def caption(self, content: bytes) -> Caption:
        """Returns the caption of a photograph.

        Args:
            content: of the file.

        Raises:
            ImageError: it cannot be used; `cause` says why.
        """
        async with self._decoded:
            loop = asyncio.get_running_loop()
            image_HWC = await loop.run_in_executor(self._readers, self._decode, content)
            return await self._batcher.caption(image_HWC)

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
