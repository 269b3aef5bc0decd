"""The `.npy` files that hold all rows of one kind: written in place, read through memory maps."""

import mmap
import os
from pathlib import Path

import numpy as np

from captioner.errors import FeatureError
from captioner.features.layout import StoreLayout
from captioner.files import sync_folder


class Shards:
    """The shards of one kind in a feature store's folder.

    Args:
        folder: the store.
        layout: its layout.
        kind: one of the layout's kinds.
    """

    def __init__(self, folder: Path, layout: StoreLayout, kind: str) -> None:
        self._folder = folder
        self._layout = layout
        self._kind = kind

    def write(self, first: int, block: np.ndarray) -> None:
        """Puts rows at `first` and behind; they are on disk when this returns.

        Args:
            first: number of rows before these.
            block: rows (B, *shape) in the dtype of the layout.
        """
        header = self._header(self._layout.rows_per_shard)
        done = 0
        for shard, start, count in self._layout.split_rows(first, len(block)):
            rows = block[done : done + count]
            _write_at(self._path(shard), header, start * self._row_bytes, rows)
            done += count

    def trim(self, num_rows: int) -> None:
        """Gives the last shard its true length, and removes what a killed writer left over."""
        sizes = self._layout.shard_sizes(num_rows)
        kept = [self._path(shard) for shard in range(len(sizes))]
        _write_at(kept[-1], self._header(sizes[-1]), sizes[-1] * self._row_bytes)
        for path in set(self._folder.glob(f"{self._kind}-*.npy")) - set(kept):
            path.unlink()

    def count_whole_rows(self, num_rows: int) -> int:
        """Returns how many of the first `num_rows` rows the files are long enough to hold."""
        header_bytes, found = len(self._header(0)), 0
        for shard, wanted in enumerate(self._layout.shard_sizes(num_rows)):
            path = self._path(shard)
            size = path.stat().st_size if path.exists() else 0
            whole = min(wanted, max(0, size - header_bytes) // self._row_bytes)
            found += whole
            if whole < wanted:
                break
        return found

    def map(self, num_rows: int) -> list[np.ndarray]:
        """Maps finished shards into memory, read-only; reads no rows.

        Raises:
            FeatureError: a shard is missing, or is not what the layout says.
        """
        sizes = self._layout.shard_sizes(num_rows)
        return [self._map_shard(self._path(shard), count) for shard, count in enumerate(sizes)]

    @property
    def _row_bytes(self) -> int:
        return self._layout.row_bytes(self._kind)

    def _path(self, shard: int) -> Path:
        return self._layout.shard_path(self._folder, self._kind, shard)

    def _header(self, num_rows: int) -> bytes:
        return self._layout.shard_header(self._kind, num_rows)

    def _map_shard(self, path: Path, num_rows: int) -> np.ndarray:
        header = self._header(num_rows)
        expected = len(header) + num_rows * self._row_bytes
        try:
            with open(path, "rb") as file:
                found = file.read(len(header))
            if path.stat().st_size != expected:
                raise ValueError(f"{path.stat().st_size:,} bytes instead of {expected:,}")
            if found != header:
                raise ValueError("its header contradicts the index")
        except (OSError, ValueError) as fault:
            raise describe_damage(path, str(fault)) from fault
        shape = (num_rows, *self._layout.shapes[self._kind])
        dtype = self._layout.row_dtype(self._kind)
        return np.memmap(path, dtype, mode="r", offset=len(header), shape=shape)


def release_pages(shard: np.ndarray) -> None:
    """Gives the pages of a mapped shard back: they count as memory of this process while mapped.

    They stay in the system's cache of files, so reading them again takes microseconds.
    """
    if isinstance(shard.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
        shard.base.madvise(mmap.MADV_DONTNEED)


def describe_damage(path: Path, cause: str) -> FeatureError:
    """Returns the error for a file of a store that is not what it was."""
    return FeatureError(f"{path} is damaged: {cause}. Remove {path.parent} and extract again.")


def _write_at(path: Path, header: bytes, offset: int, rows: np.ndarray | None = None) -> None:
    """Writes a header, and rows `offset` bytes behind it; cuts off all that follows."""
    is_new = not path.exists()
    path.touch()
    with open(path, "r+b") as file:
        file.write(header)
        file.seek(offset + len(header))
        if rows is not None:
            file.write(rows.tobytes())
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        sync_folder(path.parent)
