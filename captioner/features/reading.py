"""How decoders read features, wherever the features come from.

Dimension key: N images asked for, F width of a vector, H and W sides of a grid, C its channels.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np

from captioner.errors import FeatureError

ROWS_AT_ONCE = 256  # where all are gone through
NUM_NAMED = 5  # ids that an error names before it only counts


class Features(Protocol):
    """Features of many images: a finished store, or a features.pkl."""

    @property
    def image_ids(self) -> Sequence[str]:
        """All images, in a stable order."""

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """What there is for every image: "vector" -> (F,), "grid" -> (H, W, C)."""

    def read(self, kind: str, image_ids: Sequence[str]) -> np.ndarray:
        """Returns features, float32 (N, *shapes[kind]), in the order of `image_ids`."""


class RowIndex:
    """Finds rows by image id, and says clearly what cannot be found.

    Args:
        source: where the features lie; opens every message.
        image_ids: the image of each row; all different.
        kinds: the kinds that `source` holds.
    """

    def __init__(self, source: str, image_ids: Sequence[str], kinds: Sequence[str]) -> None:
        self._source = source
        self._image_ids = image_ids
        self._kinds = tuple(kinds)

    def find_rows(self, kind: str, image_ids: Sequence[str]) -> np.ndarray:
        """Returns the rows of `image_ids`, int64 (N,).

        Raises:
            FeatureError: there is no such kind, or images have no features.
        """
        if kind not in self._kinds:
            raise FeatureError(
                f"{self._source} has no {kind}, only {' and '.join(self._kinds)}. "
                f'Set extract.outputs so that it includes "{kind}", and extract again.'
            )
        rows = [self._row_of.get(image_id, -1) for image_id in image_ids]
        if -1 in rows:
            raise self._missing(
                [name for name, row in zip(image_ids, rows, strict=True) if row < 0]
            )
        return np.array(rows, dtype=np.int64)

    @cached_property
    def _row_of(self) -> Mapping[str, int]:
        return {image_id: row for row, image_id in enumerate(self._image_ids)}

    def _missing(self, missing: list[str]) -> FeatureError:
        return FeatureError(
            f"{self._source} has no features of {len(missing):,} of the images asked for: "
            f"{name_some(missing)}. It holds {len(self._row_of):,} images; image ids are paths "
            "without suffix. Extract the features of these images, or leave the images out."
        )


def name_some(names: Sequence[str]) -> str:
    """Returns the first few of `names`, and how many more there are."""
    text = ", ".join(names[:NUM_NAMED])
    rest = len(names) - NUM_NAMED
    return f"{text} and {rest:,} more" if rest > 0 else text
