"""Features on disk: crash-safe to write, memory-mapped to read.

A finished store is a folder of

    index.json           layout, image ids and digests, in the order of the rows
    vector-00000.npy     rows 0 to 4095 of kind "vector"; and so on for each kind and shard
    failures.jsonl       images without features: image_id, path, cause

While it is being written, `journal.jsonl` stands in for the index: rows are synced first, then
the journal line that vouches for them. A kill at any moment costs the batch under way, and the
finished bytes do not depend on how often that happened or on how rows were batched.

Dimension key: B rows of a batch, N rows read.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from captioner.errors import FeatureError
from captioner.features import index as index_files
from captioner.features.journal import Batch, Failure, Journal
from captioner.features.layout import ROWS_PER_SHARD, StoreLayout, choose_dtypes
from captioner.features.reading import ROWS_AT_ONCE, RowIndex, name_some
from captioner.features.shards import Shards, release_pages
from captioner.packing import pack_digests, pack_texts


class FeatureWriter:
    """Writes a feature store batch by batch, continuing where an earlier writer was cut off.

    Args:
        folder: made if need be; empty, or left by an interrupted writer of the same layout.
        shapes: kind -> shape of one row.
        dtypes: kind -> "float16" or "float32"; None stores vectors as float32 and the much
            larger grids as float16.
        encoder: names what computes the rows; another name does not continue this store.
        rows_per_shard: rows of every shard but the last.

    Raises:
        FeatureError: the folder holds a finished store, or one of another layout or encoder.

    Example:
        writer = FeatureWriter(folder, {"vector": (4096,)})
        writer.append(["1000268201_693b08cb0e"], [digest], {"vector": vector_BF})
        store = writer.seal()
    """

    def __init__(
        self,
        folder: Path,
        shapes: Mapping[str, tuple[int, ...]],
        dtypes: Mapping[str, str] | None = None,
        *,
        encoder: str = "",
        rows_per_shard: int = ROWS_PER_SHARD,
    ) -> None:
        dtypes = choose_dtypes(shapes) if dtypes is None else dtypes
        self.folder = folder
        self.layout = StoreLayout(dict(shapes), dict(dtypes), encoder, rows_per_shard)
        if index_files.is_finished(folder):
            raise FeatureError(f"{folder} holds a finished feature store. Write to another folder.")
        folder.mkdir(parents=True, exist_ok=True)
        self._shards = {kind: Shards(folder, self.layout, kind) for kind in shapes}
        self._journal = Journal(folder / index_files.JOURNAL_NAME)
        self._continue_journal()

    def batches(self) -> Iterator[Batch]:
        """Reads what is safely on disk, in order."""
        return self._journal.batches()

    @property
    def num_rows(self) -> int:
        """Counts the rows that are safely on disk."""
        return self._journal.num_rows

    def append(
        self,
        image_ids: Sequence[str],
        digests: Sequence[str],
        arrays: Mapping[str, np.ndarray],
        failures: Sequence[Failure] = (),
    ) -> None:
        """Adds a batch; all of it is on disk when this returns.

        Args:
            image_ids: images with features; B of them, 0 included.
            digests: SHA-256 of each image file, in hexadecimal.
            arrays: kind -> finite numbers (B, *shape).
            failures: images without features.

        Raises:
            FeatureError: the arrays do not fit the layout; nothing was added.
            OSError: the disk is full or the like; what was there before is unharmed.
        """
        rows = {kind: self._to_rows(kind, arrays, image_ids) for kind in self.layout.shapes}
        first = self.num_rows
        for kind, block in rows.items():
            self._shards[kind].write(first, block)
        self._journal.append(Batch(tuple(image_ids), tuple(digests), tuple(failures)))

    def rewind(self, num_batches: int) -> None:
        """Forgets all batches but the first `num_batches`."""
        if num_batches < self._journal.num_batches:
            self._journal.rewind(num_batches)

    def seal(self) -> "FeatureStore":
        """Finishes the store and opens it.

        Raises:
            FeatureError: there are no rows, or an image has two.
            OSError: the disk is full or the like; sealing can be tried again.
        """
        image_ids = pack_texts(name for batch in self.batches() for name in batch.image_ids)
        digests = pack_digests(digest for batch in self.batches() for digest in batch.digests)
        _check_unique(self.folder, image_ids)
        for shards in self._shards.values():
            shards.trim(len(image_ids))
        failures = (failure for batch in self.batches() for failure in batch.failures)
        index_files.write_failures(self.folder, failures)
        index_files.write_index(self.folder, self.layout, image_ids, digests)
        index_files.remove_leftovers(self.folder)
        return FeatureStore(self.folder, self.layout, image_ids, digests)

    def _continue_journal(self) -> None:
        header = {"version": index_files.STORE_VERSION, **self.layout.to_json()}
        if self._journal.header is None:
            self._journal.start(header)
        elif self._journal.header != header:
            raise FeatureError(
                f"{self.folder} holds an unfinished feature store of another encoder or layout: "
                f"{self._journal.header}, not {header}. Remove the folder, or use another."
            )
        self._drop_unbacked_batches()

    def _drop_unbacked_batches(self) -> None:
        """Forgets batches whose rows are gone, as after a disk fault: they are computed again."""
        num_whole = min(s.count_whole_rows(self.num_rows) for s in self._shards.values())
        while self.num_rows > num_whole:
            self._journal.rewind(self._journal.num_batches - 1)

    def _to_rows(
        self, kind: str, arrays: Mapping[str, np.ndarray], image_ids: Sequence[str]
    ) -> np.ndarray:
        shape = (len(image_ids), *self.layout.shapes[kind])
        if not image_ids:
            return np.empty(shape, self.layout.row_dtype(kind))
        if kind not in arrays or np.shape(arrays[kind]) != shape:
            received = np.shape(arrays[kind]) if kind in arrays else "nothing"
            raise FeatureError(f"{kind}: expected an array of {shape}. Received: {received}")
        _check_range(kind, arrays[kind], self.layout.row_dtype(kind), image_ids)
        return np.ascontiguousarray(arrays[kind], self.layout.row_dtype(kind))


class FeatureStore:
    """A finished feature store, read through memory maps: opening it reads no features.

    Get one from `FeatureStore.open` or `FeatureWriter.seal`.
    """

    def __init__(
        self, folder: Path, layout: StoreLayout, image_ids: Sequence[str], digests: Sequence[str]
    ) -> None:
        self.folder = folder
        self.layout = layout
        self.image_ids = image_ids
        self.digests = digests
        self._index = RowIndex(str(folder), self.image_ids, tuple(layout.shapes))
        self._rows = {
            kind: Shards(folder, layout, kind).map(len(self.image_ids)) for kind in layout.shapes
        }

    @classmethod
    def open(cls, folder: Path) -> "FeatureStore":
        """Opens the store in `folder`.

        Raises:
            FeatureError: there is none, it is unfinished, or it is damaged.
        """
        layout, image_ids, digests = index_files.read_index(folder)
        return cls(folder, layout, pack_texts(image_ids), pack_digests(digests))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """What there is for every image: "vector" -> (F,), "grid" -> (H, W, C)."""
        return self.layout.shapes

    def read(self, kind: str, image_ids: Sequence[str]) -> np.ndarray:
        """Returns features of some images.

        Args:
            kind: "vector" or "grid".
            image_ids: N images in any order; repeats are allowed.

        Returns:
            float32 (N, *shapes[kind]), in the order of `image_ids`.

        Raises:
            FeatureError: the store has no such kind, or no features of some of the images.
        """
        return self.read_rows(kind, self._index.find_rows(kind, image_ids))

    def read_rows(self, kind: str, rows_N: np.ndarray) -> np.ndarray:
        """Returns features of some rows, float32 (N, *shapes[kind]); row 0 is that of image 0."""
        values = np.empty((len(rows_N), *self.shapes[kind]), np.float32)
        shard_N, within_N = np.divmod(rows_N, self.layout.rows_per_shard)
        for shard in np.unique(shard_N):
            chosen_N = shard_N == shard
            values[chosen_N] = self._rows[kind][shard][within_N[chosen_N]]
            release_pages(self._rows[kind][shard])
        return values

    def read_in_order(self, kind: str) -> Iterator[np.ndarray]:
        """Yields the rows of all images in their order, float32 (some hundred, *shapes[kind])."""
        for shard in self._rows[kind]:
            for first in range(0, len(shard), ROWS_AT_ONCE):
                yield shard[first : first + ROWS_AT_ONCE].astype(np.float32)
                release_pages(shard)


def _check_range(kind: str, array: np.ndarray, dtype: np.dtype, image_ids: Sequence[str]) -> None:
    largest = np.finfo(dtype).max
    if np.abs(array).max() <= largest:  # NaN is not
        return
    fits = (np.abs(array) <= largest).reshape(len(array), -1).all(axis=1)
    broken = [image_id for image_id, good in zip(image_ids, fits, strict=True) if not good]
    raise FeatureError(
        f"The encoder's {kind} holds NaN, infinity or more than {largest} ({dtype}) for "
        f"{name_some(broken)}. Check the weights, or store the {kind} as float32."
    )


def _check_unique(folder: Path, image_ids: Sequence[str]) -> None:
    if not image_ids:
        raise FeatureError(f"{folder}: no image has features, so there is nothing to finish.")
    hashes_N = np.fromiter(map(hash, image_ids), np.int64, len(image_ids))
    seems_doubled = len(np.unique(hashes_N)) < len(image_ids)  # spares a set of all of them
    if seems_doubled and len(set(image_ids)) < len(image_ids):
        raise FeatureError(f"{folder}: an image has two rows. Give every image an id of its own.")
