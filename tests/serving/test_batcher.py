"""The micro-batcher: every image is answered once, in batches that are never too large."""

import asyncio
import threading

import numpy as np
import pytest
from fake_model import ColourEngine
from hypothesis import given, settings
from hypothesis import strategies as st

from captioner.serving.batcher import MicroBatcher


class WatchedEngine(ColourEngine):
    """Keeps the sizes of its batches; waits in `encode` while `gate` is closed."""

    def __init__(self, batch_size: int = 4) -> None:
        super().__init__(batch_size)
        self.sizes: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def encode(self, images_BHWC):
        self.sizes.append(len(images_BHWC))
        assert self.gate.wait(10)
        return super().encode(images_BHWC)


def image_of(number: int) -> np.ndarray:
    return np.full((2, 2, 3), number, np.uint8)


def text_of(number: int) -> str:
    return f"colour {number} {number} {number}"


@settings(max_examples=25, deadline=None)
@given(
    batch_size=st.integers(1, 5),
    delays=st.lists(st.sampled_from([0.0, 0.0, 0.001, 0.004]), min_size=1, max_size=24),
)
def test_every_image_gets_its_own_caption_and_no_batch_is_too_large(batch_size, delays):
    engine = WatchedEngine(batch_size)

    async def ask(batcher: MicroBatcher, number: int, delay: float) -> str:
        await asyncio.sleep(delay)
        caption, _ = await batcher.caption(image_of(number))
        return caption.text

    async def run() -> list[str]:
        async with MicroBatcher(engine, linger_seconds=0.001) as batcher:
            return await asyncio.gather(*(ask(batcher, i, d) for i, d in enumerate(delays)))

    assert asyncio.run(run()) == [text_of(i) for i in range(len(delays))]
    assert engine.num_images == len(delays)
    assert max(engine.sizes) <= batch_size


def test_what_arrives_during_a_batch_goes_together():
    engine = WatchedEngine(4)

    async def run() -> None:
        async with MicroBatcher(engine) as batcher:
            engine.gate.clear()
            first = asyncio.ensure_future(batcher.caption(image_of(0)))
            await until(lambda: engine.sizes == [1])
            others = [asyncio.ensure_future(batcher.caption(image_of(i))) for i in range(1, 9)]
            await asyncio.sleep(0)
            engine.gate.set()
            await asyncio.gather(first, *others)

    asyncio.run(run())
    assert engine.sizes == [1, 4, 4]


def test_a_cancelled_image_is_not_captioned_and_the_others_are():
    engine = WatchedEngine(2)

    async def run() -> list[str]:
        async with MicroBatcher(engine) as batcher:
            engine.gate.clear()
            tasks = [asyncio.ensure_future(batcher.caption(image_of(i))) for i in range(6)]
            await until(lambda: engine.sizes == [2])
            for cancelled in (0, 3, 4):  # 0 is in work already
                tasks[cancelled].cancel()
            engine.gate.set()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            assert batcher.num_waiting == 0
            return [str(a[0]) for a in answers if not isinstance(a, asyncio.CancelledError)]

    assert asyncio.run(run()) == [text_of(1), text_of(2), text_of(5)]
    assert engine.num_images == 4


def test_a_fault_is_told_to_its_batch_alone():
    class Faulty(WatchedEngine):
        def search(self, features):
            if (features == 7).any():
                raise RuntimeError("no memory")
            return super().search(features)

    async def run() -> list[object]:
        async with MicroBatcher(Faulty(1)) as batcher:
            asked = (batcher.caption(image_of(i)) for i in (6, 7, 8))
            return await asyncio.gather(*asked, return_exceptions=True)

    six, seven, eight = asyncio.run(run())
    assert (str(six[0]), str(eight[0])) == (text_of(6), text_of(8))
    with pytest.raises(RuntimeError, match="no memory"):
        raise seven


def test_closing_waits_for_what_is_asked_for():
    engine = WatchedEngine(2)

    async def run() -> list[object]:
        async with MicroBatcher(engine) as batcher:
            tasks = [asyncio.ensure_future(batcher.caption(image_of(i))) for i in range(5)]
            await asyncio.sleep(0)
        assert all(task.done() for task in tasks)
        return [str((await task)[0]) for task in tasks]

    assert asyncio.run(run()) == [text_of(i) for i in range(5)]


async def until(is_true) -> None:
    async with asyncio.timeout(10):
        while not is_true():
            await asyncio.sleep(0.001)
