"""Features computed by earlier extractions, found by the content of the image file."""

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from captioner.errors import FeatureError
from captioner.features.layout import StoreLayout
from captioner.features.sources import ImageSource
from captioner.features.store import FeatureStore


class EarlierFeatures:
    """Rows of finished stores that need not be computed again.

    The digest of the file decides, not the image id: a renamed image is known, an image edited
    in place is not. Where several stores know an image, the first one counts.

    Args:
        folders: finished stores. One that is damaged, unfinished, or of another encoder or
            layout is left out, and `notes` says so.
        layout: what rows are wanted, and from which encoder.
    """

    def __init__(self, folders: Sequence[Path], layout: StoreLayout) -> None:
        self.notes: list[str] = []
        self._stores: list[FeatureStore] = []
        self._ends = [0]  # rows before each store, and of all
        self._row_of: dict[int, int] = {}  # hash of a digest -> row, counted through all stores
        for folder in folders:
            self._add(folder, layout)

    def knows(self, source: ImageSource) -> bool:
        """Says whether there are features of exactly this file."""
        row = self._row_of.get(hash(source.digest))
        if row is None:
            return False
        number, row = self._locate(row)
        return self._stores[number].digests[row] == source.digest  # its hash might be another's

    def read(self, kind: str, sources: Sequence[ImageSource]) -> np.ndarray:
        """Returns features of known sources, float32 (B, *shape), in order."""
        shape = self._stores[0].shapes[kind] if self._stores else ()
        values = np.empty((len(sources), *shape), np.float32)
        places = [self._locate(self._row_of[hash(source.digest)]) for source in sources]
        for number, store in enumerate(self._stores):
            here = [i for i, place in enumerate(places) if place[0] == number]
            if here:
                values[here] = store.read_rows(kind, np.array([places[i][1] for i in here]))
        return values

    def _locate(self, row: int) -> tuple[int, int]:
        """Returns the number of the store that holds a row, and the row within it."""
        number = bisect_right(self._ends, row) - 1
        return number, row - self._ends[number]

    def _add(self, folder: Path, layout: StoreLayout) -> None:
        try:
            store = FeatureStore.open(folder)
        except FeatureError as fault:
            self.notes.append(f"No features are reused: {fault}")
            return
        if not store.layout.holds_same_rows(layout):
            self.notes.append(f"No features are reused: {folder} is of another encoder or layout.")
            return
        self._stores.append(store)
        for row, digest in enumerate(store.digests, start=self._ends[-1]):
            self._row_of.setdefault(hash(digest), row)
        self._ends.append(self._ends[-1] + len(store.digests))
