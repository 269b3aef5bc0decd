"""Streams that work ahead: order, bounds, faults, and threads that end."""

import threading
import time

import numpy as np
import pytest
from fake_model import ColourEngine, load

from captioner.captioning.folders import ListedImage
from captioner.captioning.stream import caption_stream
from captioner.overlap import map_ahead, overlap


class Counted:
    """An iterable that knows how many items were taken from it."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.num_taken = 0

    def __iter__(self):
        for item in range(self.count):
            self.num_taken += 1
            yield item


def test_overlap_keeps_order_and_stays_within_its_bound():
    source = Counted(50)
    taken = []
    for item in overlap(source, ahead=2):
        taken.append(item)
        time.sleep(0.001)
        assert source.num_taken <= item + 1 + 2 + 1  # this one, two that wait, one on offer
    assert taken == list(range(50))


def test_what_goes_wrong_in_the_thread_is_raised_here():
    def fail():
        yield 1
        raise RuntimeError("in the thread")

    stream = overlap(fail())
    assert next(stream) == 1
    with pytest.raises(RuntimeError, match="in the thread"):
        next(stream)


def test_closing_ends_the_threads_of_a_whole_chain():
    before = threading.active_count()
    is_closed = []

    def endless():
        try:
            while True:
                yield 1
        finally:
            is_closed.append(True)

    stream = overlap(overlap(endless()))
    next(stream)
    assert threading.active_count() == before + 2
    stream.close()
    assert threading.active_count() == before
    assert is_closed == [True]


def test_map_ahead_bounds_what_is_taken():
    source = Counted(40)
    for item, made in map_ahead(lambda x: x * x, source, workers=3, ahead=5):
        assert made == item * item
        assert source.num_taken <= item + 5
    assert source.num_taken == 40


def test_a_stream_of_many_images_takes_few_in_advance(draw):
    path = draw("one.png")
    engine = ColourEngine(batch_size=4)
    source = Counted(400)
    listed = (ListedImage("", str(path)) for _ in source)
    num_seen = 0
    for batch in caption_stream(listed, engine, load, workers=2):
        num_seen += len(batch)
        # Images for two batches being decoded, and one put together of them; two encoded; two
        # gathered for a search, two that wait for it and two just searched; one that waits.
        assert source.num_taken - num_seen <= (2 + 1 + 2 + 2 + 2 + 2 + 1) * 4
    assert (num_seen, engine.num_images, engine.num_calls) == (400, 400, 100)


def test_stages_work_at_the_same_time(draw):
    path = draw("one.png")
    at_work: list[str] = []
    seen_together = threading.Event()

    def watch(name):
        at_work.append(name)
        if len(set(at_work)) == 2:
            seen_together.set()
        seen_together.wait(timeout=5)
        at_work.remove(name)

    class Watched(ColourEngine):
        def encode(self, images_BHWC):
            if self.num_calls > 1:  # before, there is nothing to search
                watch("encode")
            return super().encode(images_BHWC)

        def search(self, features):
            watch("search")
            return super().search(features)

    listed = [ListedImage("", str(path))] * 24
    assert sum(map(len, caption_stream(listed, Watched(4), load, workers=1))) == 24
    assert seen_together.is_set()


def test_two_batches_are_in_the_encoder_at_once(draw):
    both = threading.Barrier(2, timeout=10)

    class Meeting(ColourEngine):
        def encode(self, images_BHWC):
            both.wait()  # broken, and raised, where no second batch comes
            return super().encode(images_BHWC)

    listed = [ListedImage("", str(draw("one.png")))] * 16
    assert sum(map(len, caption_stream(listed, Meeting(4), load, workers=1))) == 16


def test_an_encoder_that_breaks_stops_the_stream(draw):
    class Broken(ColourEngine):
        def encode(self, images_BHWC):
            raise ValueError(f"no batch of {np.shape(images_BHWC)}")

    listed = [ListedImage("", str(draw("one.png")))]
    with pytest.raises(ValueError, match=r"no batch of \(1, 8, 8, 3\)"):
        list(caption_stream(listed, Broken(), load, workers=1))
