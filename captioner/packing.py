"""Records by the hundred thousand, in little more room than their text takes.

As a Python object a name of ten letters takes sixty bytes, and a tuple of names as much again.
"""

import itertools
import marshal
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar, overload

Record = TypeVar("Record")

_BLOCK = 256  # records that are packed, and unpacked, together


class PackedSequence(Sequence[Record]):
    """A sequence that keeps its records packed and makes them anew whenever they are read.

    Going through all of them costs about a microsecond each.

    Args:
        values: what the records are made of: text, bytes, numbers, or tuples of such.
        make: makes a record of its value; `str` where the values are texts already.

    Example:

        images = PackedSequence(map(tuple, images), CaptionedImage._make)
    """

    def __init__(self, values: Iterable[Any], make: Callable[[Any], Record]) -> None:
        self._make = make
        self._blocks: list[bytes] = []
        self._length = 0
        rest = iter(values)
        while block := list(itertools.islice(rest, _BLOCK)):
            self._blocks.append(marshal.dumps(block))
            self._length += len(block)
        self._latest: tuple[int, list[Any]] = (-1, [])  # the block that was read last, unpacked

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Record]:
        for block in self._blocks:
            yield from map(self._make, marshal.loads(block))

    @overload
    def __getitem__(self, place: int) -> Record: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Record, ...]: ...

    def __getitem__(self, place: int | slice) -> Record | tuple[Record, ...]:
        places = range(self._length)[place]
        if isinstance(places, range):
            return tuple(map(self._read, places))
        return self._read(places)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(map(operator.eq, self, other))

    def _read(self, place: int) -> Record:
        number, within = divmod(place, _BLOCK)
        latest, values = self._latest
        if latest != number:
            values = marshal.loads(self._blocks[number])
            self._latest = (number, values)
        return self._make(values[within])


def pack_texts(texts: Iterable[str]) -> PackedSequence[str]:
    """Packs names and the like."""
    return PackedSequence(texts, str)


def pack_digests(digests: Iterable[str]) -> PackedSequence[str]:
    """Packs SHA-256 digests as 32 bytes each; any other text is kept as it is."""
    return PackedSequence(map(_shorten, digests), _lengthen)


def _shorten(digest: str) -> str | bytes:
    try:
        short = bytes.fromhex(digest)
    except ValueError:
        return digest
    return short if short.hex() == digest else digest  # and not spaced or in capitals


def _lengthen(short: str | bytes) -> str:
    return short.hex() if isinstance(short, bytes) else short
