"""Whether features tell images apart at all: what constant and collapsed features look like.

Dimension key: N images, F width of a vector.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

MIN_DIMENSION = 2.0  # effective dimensions; of ImageNet features over a hundred, of noise more
MIN_SHARE_DISTINCT = 0.5
PARALLEL = 0.9999  # mean cosine from which on features count as collapsed
NEARLY_PARALLEL = 0.99  # ImageNet features have 0.3 to 0.7, those of random weights up to 0.99

_STILL = 1e-6  # a column that moves less, measured by the largest value, is constant
_MAX_ROWS = 2000  # images that the effective dimension is measured on


@dataclass(frozen=True)
class FeatureHealth:
    """Counts that catch features which do not depend on the image.

    Args:
        width: F.
        num_constant: columns that are the same for all images.
        share_distinct: different vectors, as a share of the images.
        mean_cosine: between the vectors of two images, on average.
        effective_dimension: (sum of eigenvalues)^2 / sum of their squares, of the correlation
            matrix; 1 when all columns say the same, F when all are uncorrelated, 0 when all are
            constant.
    """

    width: int
    num_constant: int
    share_distinct: float
    mean_cosine: float
    effective_dimension: float

    @property
    def is_constant(self) -> bool:
        """Whether every image has the same features."""
        return self.num_constant == self.width

    def warnings(self) -> Iterator[str]:
        """Yields what is wrong, in words; nothing for sound features."""
        if self.is_constant:
            yield (
                "constant: every image has the same features. The encoder is broken: check its "
                "weights and pre-processing (captioner doctor)."
            )
            return
        if self.share_distinct < MIN_SHARE_DISTINCT:
            yield f"collapsed: {self.share_distinct:.0%} as many different vectors as images."
        if self.effective_dimension < MIN_DIMENSION:
            yield (
                f"collapsed: all {self.width:,} columns say nearly the same (effective dimension "
                f"{self.effective_dimension:.1f})."
            )
        if self.mean_cosine > PARALLEL:
            yield f"collapsed: all vectors are parallel (mean cosine {self.mean_cosine:.6f})."
        elif self.mean_cosine > NEARLY_PARALLEL:
            yield (
                f"nearly collapsed: all vectors point the same way (mean cosine "
                f"{self.mean_cosine:.4f}), as with random weights."
            )

    def to_json(self) -> dict[str, Any]:
        """Returns all fields and the warnings, ready for JSON."""
        return {**asdict(self), "warnings": list(self.warnings())}


def examine_features(vectors_NF: np.ndarray) -> FeatureHealth:
    """Measures how much features differ from image to image.

    Args:
        vectors_NF: float32 (N, F), finite, N at least 2.
    """
    moving_F = find_moving(vectors_NF)
    return FeatureHealth(
        width=vectors_NF.shape[1],
        num_constant=int((~moving_F).sum()),
        share_distinct=len({row.tobytes() for row in vectors_NF}) / len(vectors_NF),
        mean_cosine=_mean_cosine(vectors_NF),
        effective_dimension=_effective_dimension(vectors_NF[:_MAX_ROWS, moving_F]),
    )


def find_moving(vectors_NF: np.ndarray) -> np.ndarray:
    """Returns which columns differ between images by more than rounding, bool (F,)."""
    scale = np.abs(vectors_NF).max()
    moving_F: np.ndarray = np.ptp(vectors_NF, axis=0) > _STILL * scale
    return moving_F


def _mean_cosine(vectors_NF: np.ndarray) -> float:
    """Returns the mean over all pairs of different images, from the length of the mean vector."""
    norms_N1 = np.linalg.norm(vectors_NF.astype(np.float64), axis=1, keepdims=True)
    unit_NF = np.divide(vectors_NF, norms_N1, out=np.zeros(vectors_NF.shape), where=norms_N1 > 0)
    num, lit = len(unit_NF), float((norms_N1 > 0).sum())
    return float((np.square(unit_NF.sum(axis=0)).sum() - lit) / (num * (num - 1)))


def _effective_dimension(moving_NF: np.ndarray) -> float:
    deviation_F = moving_NF.std(axis=0, dtype=np.float64)
    moving_NF = moving_NF[:, deviation_F > 0]
    if moving_NF.shape[1] == 0:
        return 0.0
    standard_NF = (moving_NF - moving_NF.mean(axis=0)) / deviation_F[deviation_F > 0]
    num, width = standard_NF.shape
    smaller = standard_NF @ standard_NF.T if num < width else standard_NF.T @ standard_NF
    return float(np.trace(smaller) ** 2 / np.square(smaller).sum())
