"""Features computed by earlier extractions, found by the content of the image file."""

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
        self._place_of: dict[str, tuple[int, str]] = {}  # digest -> store, image id
        for folder in folders:
            self._add(folder, layout)

    def knows(self, source: ImageSource) -> bool:
        """Says whether there are features of exactly this file."""
        return source.digest in self._place_of

    def read(self, kind: str, sources: Sequence[ImageSource]) -> np.ndarray:
        """Returns features of known sources, float32 (B, *shape), in order."""
        shape = self._stores[0].shapes[kind] if self._stores else ()
        values = np.empty((len(sources), *shape), np.float32)
        for number, store in enumerate(self._stores):
            places = [self._place_of[source.digest] for source in sources]
            here = [row for row, place in enumerate(places) if place[0] == number]
            if here:
                values[here] = store.read(kind, [places[row][1] for row in here])
        return values

    def _add(self, folder: Path, layout: StoreLayout) -> None:
        try:
            store = FeatureStore.open(folder)
        except FeatureError as fault:
            self.notes.append(f"No features are reused: {fault}")
            return
        if not store.layout.holds_same_rows(layout):
            self.notes.append(f"No features are reused: {folder} is of another encoder or layout.")
            return
        number = len(self._stores)
        self._stores.append(store)
        for image_id, digest in zip(store.image_ids, store.digests, strict=True):
            self._place_of.setdefault(digest, (number, image_id))
