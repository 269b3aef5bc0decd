"""Stages of a stream that work at the same time, with a few items waiting between them."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")

_POLL_SECONDS = 0.1  # how soon a stage notices that nobody wants its items any more
_END = object()


def overlap(items: Iterable[Item], *, ahead: int = 1) -> Generator[Item, None, None]:
    """Yields `items`, which are made in a thread of their own while earlier ones are used.

    What goes wrong there is raised here. Closing the iterator ends the thread.

    Args:
        items: used by that thread alone.
        ahead: how many items may wait, 1 or more; this bounds the memory.
    """
    waiting: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(ahead)
    is_closed = threading.Event()
    thread = threading.Thread(target=_feed, args=(items, waiting, is_closed), daemon=True)
    thread.start()
    try:
        while True:
            item, fault = waiting.get()
            if fault is not None:
                raise fault
            if item is _END:
                return
            yield item
    finally:
        is_closed.set()
        thread.join()


def map_ahead(
    make: Callable[[Item], Made], items: Iterable[Item], *, workers: int, ahead: int
) -> Generator[tuple[Item, Made], None, None]:
    """Yields each item with what `make` gives for it, in order, while threads make the next.

    Args:
        make: called in the threads.
        items: taken when there is room for one more.
        workers: number of threads, 1 or more.
        ahead: how many items are taken before the first is yielded.
    """
    taken: deque[tuple[Item, Future[Made]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="ahead")
    try:
        for item in items:
            taken.append((item, pool.submit(make, item)))
            if len(taken) >= ahead:
                first, future = taken.popleft()
                yield first, future.result()
        while taken:
            first, future = taken.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _feed(
    items: Iterable[Any],
    waiting: "queue.Queue[tuple[Any, BaseException | None]]",
    is_closed: threading.Event,
) -> None:
    try:
        for item in items:
            if not _offer(waiting, (item, None), is_closed):
                break
        _offer(waiting, (_END, None), is_closed)
    except BaseException as fault:  # told to whoever waits for items
        _offer(waiting, (None, fault), is_closed)
    finally:
        if isinstance(items, Iterator) and hasattr(items, "close"):
            items.close()


def _offer(
    waiting: "queue.Queue[tuple[Any, BaseException | None]]",
    offered: tuple[Any, BaseException | None],
    is_closed: threading.Event,
) -> bool:
    while not is_closed.is_set():
        try:
            waiting.put(offered, timeout=_POLL_SECONDS)
            return True
        except queue.Full:
            continue
    return False
