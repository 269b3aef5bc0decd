"""Image features brought to where they can be compared.

Dimension key: N images, T training images, F features.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class FeatureScale:
    """Signed square roots of features, less their mean and in units of their deviation.

    Roots, because differences among small activations tell as much as among large ones. Vectors
    are then brought to length 1, so that no image counts for more than another.

    Args:
        mean_F: float32 (F,), of the roots over the training images.
        factor_F: float32 (F,), one over their deviation; 0 for a feature that is the same in all
            training images and tells nothing.
    """

    mean_F: np.ndarray
    factor_F: np.ndarray

    @classmethod
    def learn(cls, training_TF: np.ndarray) -> "FeatureScale":
        """Takes mean and deviation from the features of training images, float (T, F)."""
        roots_TF = _take_roots(training_TF)
        deviation_F = roots_TF.std(axis=0)
        factor_F = np.divide(1, deviation_F, out=np.zeros_like(deviation_F), where=deviation_F > 0)
        return cls(roots_TF.mean(axis=0), factor_F)

    def __call__(self, vectors_NF: np.ndarray) -> np.ndarray:
        """Returns vectors of length 1, or of zeros alone, float32 (N, F)."""
        scaled_NF = (_take_roots(vectors_NF) - self.mean_F) * self.factor_F
        norms_N1 = np.linalg.norm(scaled_NF, axis=1, keepdims=True)
        return scaled_NF / np.maximum(norms_N1, np.finfo(np.float32).tiny)


def _take_roots(vectors: np.ndarray) -> np.ndarray:
    vectors = vectors.astype(np.float32, copy=False)
    return np.sign(vectors) * np.sqrt(np.abs(vectors))
