"""Where each row of a feature store lies: kinds, shapes, and the shards that hold them.

A kind is cut into shards of a fixed number of rows. Each shard is an ordinary `.npy` file whose
header has the same length whatever the number of rows, so that rows can be written in place.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from captioner.errors import FeatureError

ROWS_PER_SHARD = 4096
DTYPES = ("float16", "float32")

_HEADER_BYTES = 192  # a multiple of 64, as the format asks, with room for any shape
_NPY_MAGIC = b"\x93NUMPY\x01\x00" + (_HEADER_BYTES - 10).to_bytes(2, "little")


@dataclass(frozen=True)
class StoreLayout:
    """The shape of a feature store.

    Args:
        shapes: kind -> shape of one row, such as {"vector": (4096,), "grid": (7, 7, 512)}.
        dtypes: kind -> "float16" or "float32", how the rows lie on disk.
        encoder: names whatever computes the rows, weights and resizing included, such as a
            digest; "" when nobody asks.
        rows_per_shard: rows of every shard but the last.
    """

    shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, str]
    encoder: str = ""
    rows_per_shard: int = ROWS_PER_SHARD

    def __post_init__(self) -> None:
        sides = [side for shape in self.shapes.values() for side in shape]
        if not sides or not all(isinstance(side, int) and side > 0 for side in sides):
            raise FeatureError(
                f"Every kind needs a shape of positive sides. Received: {self.shapes}"
            )
        if self.shapes.keys() != self.dtypes.keys() or not set(self.dtypes.values()) <= set(DTYPES):
            raise FeatureError(
                f"Every kind of {sorted(self.shapes)} needs a dtype out of {DTYPES}. "
                f"Received: {self.dtypes}"
            )
        if not isinstance(self.rows_per_shard, int) or self.rows_per_shard < 1:
            raise FeatureError(f"A shard has 1 row or more. Received: {self.rows_per_shard!r}")

    def shard_path(self, folder: Path, kind: str, shard: int) -> Path:
        """Returns the file of one shard."""
        return folder / f"{kind}-{shard:05d}.npy"

    def shard_header(self, kind: str, num_rows: int) -> bytes:
        """Returns the `.npy` header of a shard of `num_rows` rows."""
        shape = (num_rows, *self.shapes[kind])
        descr = self.row_dtype(kind).str
        text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
        return _NPY_MAGIC + text.encode().ljust(_HEADER_BYTES - len(_NPY_MAGIC) - 1) + b"\n"

    def row_dtype(self, kind: str) -> np.dtype:
        """Returns the type of the numbers on disk, little-endian on every machine."""
        return np.dtype(self.dtypes[kind]).newbyteorder("<")

    def row_bytes(self, kind: str) -> int:
        """Returns the size of one row."""
        return int(np.prod(self.shapes[kind])) * self.row_dtype(kind).itemsize

    def shard_sizes(self, num_rows: int) -> list[int]:
        """Returns the number of rows in each shard of a store of `num_rows` rows."""
        return [count for _, _, count in self.split_rows(0, num_rows)]

    def split_rows(self, first: int, num_rows: int) -> Iterator[tuple[int, int, int]]:
        """Yields (shard, first row within it, number of rows) for a run of rows."""
        while num_rows > 0:
            shard, start = divmod(first, self.rows_per_shard)
            count = min(num_rows, self.rows_per_shard - start)
            yield shard, start, count
            first, num_rows = first + count, num_rows - count

    def holds_same_rows(self, other: "StoreLayout") -> bool:
        """Says whether the same image has the same row in a store of the `other` layout."""
        mine, theirs = (
            (self.shapes, self.dtypes, self.encoder),
            (other.shapes, other.dtypes, other.encoder),
        )
        return mine == theirs

    def to_json(self) -> dict[str, Any]:
        """Returns the layout as JSON values."""
        return {
            "shapes": {kind: list(shape) for kind, shape in self.shapes.items()},
            "dtypes": self.dtypes,
            "encoder": self.encoder,
            "rows_per_shard": self.rows_per_shard,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "StoreLayout":
        """Reads what `to_json` gave.

        Raises:
            FeatureError, KeyError, TypeError, AttributeError: it is something else.
        """
        return cls(
            shapes={kind: tuple(shape) for kind, shape in value["shapes"].items()},
            dtypes=dict(value["dtypes"]),
            encoder=value["encoder"],
            rows_per_shard=value["rows_per_shard"],
        )


def choose_dtypes(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """Returns float32 for vectors, and float16 for grids, which are many times larger."""
    return {kind: "float32" if len(shape) == 1 else "float16" for kind, shape in shapes.items()}
