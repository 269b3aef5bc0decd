"""Records by the hundred thousand, in little more room than their text takes.

As a Python object a name of ten letters takes sixty bytes, and a tuple of names as much again.
"""

import itertools
import marshal
import operator
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar, overload

Record = TypeVar("Record")

_BLOCK = 256  # records that are packed, and unpacked, together


class _MadeAnew(Sequence[Record]):
    """A sequence whose records are made whenever they are read. Equal to others by its records."""

    @overload
    def __getitem__(self, place: int) -> Record: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Record, ...]: ...

    def __getitem__(self, place: int | slice) -> Record | tuple[Record, ...]:
        places = range(len(self))[place]
        if isinstance(places, range):
            return tuple(map(self._make_one, places))
        return self._make_one(places)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(map(operator.eq, self, other))

    @abstractmethod
    def _make_one(self, place: int) -> Record:
        """Returns the record at `place`, 0 or more."""


class PackedSequence(_MadeAnew[Record]):
    """A sequence that keeps its records packed.

    Going through all of them in order costs a fraction of a microsecond each.

    Args:
        values: what the records are made of: text, bytes, numbers, or tuples of such.
        make: makes a record of its value; `str` where the values are texts already.
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
        values = itertools.chain.from_iterable(map(marshal.loads, self._blocks))
        return map(self._make, values)

    def _make_one(self, place: int) -> Record:
        number, within = divmod(place, _BLOCK)
        latest, values = self._latest
        if latest != number:
            values = marshal.loads(self._blocks[number])
            self._latest = (number, values)
        return self._make(values[within])


class PackedTable(_MadeAnew[Record]):
    """Records made of columns, which are of one length and can be read one by one as well.

    Args:
        make: makes a record of a value out of each column.
        columns: packed sequences.

    Example:

        sources = PackedTable(ImageSource, image_ids, files, digests)
    """

    def __init__(self, make: Callable[..., Record], *columns: PackedSequence[Any]) -> None:
        self._make = make
        self._columns = columns

    def __len__(self) -> int:
        return len(self._columns[0])

    def __iter__(self) -> Iterator[Record]:
        return map(self._make, *self._columns)

    def _make_one(self, place: int) -> Record:
        return self._make(*(column[place] for column in self._columns))


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
