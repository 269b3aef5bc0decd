"""Names in order, without holding more than a few thousand of them.

A folder of a million files is sorted as tapes once were: sorted runs are written to temporary
files and merged while they are read.
"""

import contextlib
import heapq
import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO

RUN_LENGTH = 20_000  # names held at a time, some 2 MB
_READ_BYTES = 1 << 12  # of each run while they are merged


def sort_names(names: Iterable[str], *, run_length: int = RUN_LENGTH) -> Iterator[str]:
    """Yields `names` sorted as bytes: the same order on every machine.

    Args:
        names: any number of file names.
        run_length: how many are held in memory.
    """
    rest = iter(names)
    held = sorted(itertools.islice(rest, run_length), key=os.fsencode)
    if len(held) < run_length:
        yield from held
        return
    with contextlib.ExitStack() as stack:
        runs = []
        while held:
            runs.append(stack.enter_context(_spill(held)))
            held = sorted(itertools.islice(rest, run_length), key=os.fsencode)
        yield from heapq.merge(*map(_read_back, runs), key=os.fsencode)


def _spill(names: list[str]) -> IO[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    file.writelines(os.fsencode(name) + b"\0" for name in names)
    file.seek(0)
    return file


def _read_back(file: IO[bytes]) -> Iterator[str]:
    rest = b""
    while chunk := file.read(_READ_BYTES):
        *whole, rest = (rest + chunk).split(b"\0")
        yield from map(os.fsdecode, whole)
