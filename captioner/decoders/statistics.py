"""Mean and deviation of the training images' features, taken before the first step.

Dimension key: C channels; ... any dimensions before it.
"""

import keras
import numpy as np
import tensorflow as tf

SMALLEST_DEVIATION = 1e-2  # channels that hardly vary are not blown up


class ImageStatistics:
    """Standardises features channel by channel, as the training images say.

    Features are added batch by batch, in whatever pieces they come, so that all of them are
    never in memory at once; `finish` then sets the weights.

    Args:
        name: of the statistics among a decoder's weights.
        width: C.

    Attributes:
        weights: mean and deviation, by name. No gradient reaches them.
    """

    def __init__(self, name: str, width: int) -> None:
        self._mean = keras.Variable(tf.zeros([width]), name="mean")
        self._deviation = keras.Variable(tf.ones([width]), name="deviation")
        self.weights = {f"{name}/mean": self._mean, f"{name}/deviation": self._deviation}
        self._count = 0
        self._sum_C = np.zeros(width)
        self._sum_of_squares_C = np.zeros(width)

    def add(self, features: np.ndarray) -> None:
        """Counts more features of training images, (..., C)."""
        rows = np.reshape(features, (-1, features.shape[-1])).astype(np.float64)
        self._count += len(rows)
        self._sum_C += rows.sum(axis=0)
        self._sum_of_squares_C += np.einsum("nc,nc->c", rows, rows)

    def finish(self) -> None:
        """Takes mean and deviation from all that was added."""
        mean_C = self._sum_C / self._count
        variance_C = np.maximum(self._sum_of_squares_C / self._count - mean_C**2, 0)
        self._mean.assign(mean_C)
        self._deviation.assign(np.sqrt(variance_C) + SMALLEST_DEVIATION)

    def __call__(self, features: tf.Tensor, factor: tf.Tensor | float = 1.0) -> tf.Tensor:
        """Returns features (..., C), float32, with mean 0 and deviation 1 over those added.

        Args:
            features: float32 (..., C).
            factor: what they are multiplied by besides, of any shape that broadcasts to theirs.
        """
        mean_C, deviation_C = tf.stop_gradient(self._mean), tf.stop_gradient(self._deviation)
        return (features - mean_C) * (factor / deviation_C)
