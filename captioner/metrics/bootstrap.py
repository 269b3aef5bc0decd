"""How far a score would move with other images: the percentile bootstrap (Efron 1979; for BLEU,
Koehn 2004, aclanthology.org/W04-3250).

Dimension key: N images, S samples, K columns of per-image values.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

LEVEL = 0.95

_CHUNK_ELEMENTS = 4_000_000  # of the matrix (samples, images) held at once


@dataclass(frozen=True)
class Interval:
    """A range that holds the score in `level` of all samples of images."""

    low: float
    high: float
    level: float = LEVEL

    def to_json(self) -> list[float]:
        """Returns [low, high]."""
        return [self.low, self.high]


@dataclass(frozen=True)
class Difference:
    """One system's score minus another's on the same images.

    Args:
        value: the difference on all images.
        interval: the range that holds it in 95 % of all samples of images.
        share_above: the share of samples in which the first system is better.
    """

    value: float
    interval: Interval
    share_above: float

    @property
    def is_significant(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.interval.low > 0 or self.interval.high < 0

    def to_json(self) -> dict[str, Any]:
        """Returns the parts, ready for JSON."""
        return {
            "difference": self.value,
            "interval": self.interval.to_json(),
            "share_above": self.share_above,
        }


@dataclass(frozen=True)
class Resampling:
    """Draws of images with replacement.

    Equal resamplings of equally many images draw equal images, so that two systems can be
    compared in pairs.

    Args:
        num_samples: S, the draws behind an interval.
        seed: of the draws.
    """

    num_samples: int = 1000
    seed: int = 0

    def sum_rows(self, table_NK: np.ndarray) -> np.ndarray:
        """Returns the summed rows of each draw of N images, float64 (S, K)."""
        num_images = len(table_NK)
        generator = np.random.default_rng(self.seed)
        chunk = max(1, _CHUNK_ELEMENTS // num_images)
        shares_N = np.full(num_images, 1 / num_images)
        sums = []
        for start in range(0, self.num_samples, chunk):
            size = min(chunk, self.num_samples - start)
            times_drawn_SN = generator.multinomial(num_images, shares_N, size=size)
            sums.append(times_drawn_SN.astype(np.float64) @ table_NK)
        return np.concatenate(sums)


def find_interval(samples_S: np.ndarray, level: float = LEVEL) -> Interval:
    """Returns the percentile interval of a score's samples."""
    tail = (1 - level) / 2
    low, high = np.quantile(samples_S, [tail, 1 - tail])
    return Interval(float(low), float(high), level)


def find_difference(value: float, differences_S: np.ndarray) -> Difference:
    """Returns a difference with its interval, given its value in each sample."""
    return Difference(value, find_interval(differences_S), float(np.mean(differences_S > 0)))
