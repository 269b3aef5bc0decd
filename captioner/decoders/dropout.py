"""Dropout that depends on a seed and nothing else, so that training resumes exactly."""

import tensorflow as tf


class Dropout:
    """Drops shares of tensors; every call within a step draws its own, repeatable pattern.

    Keras' own layers keep a generator whose state moves with every call. Here the pattern is a
    function of (seed, number of the call), so that step 500 is the same step 500 whether or not
    the run was interrupted before it.

    Args:
        seed: int32 (2,), such as (seed of the run, step); None drops nothing, which is what
            captioning wants.
    """

    def __init__(self, seed: tf.Tensor | None = None) -> None:
        self._seed = seed
        self._calls = 0

    def drops(self, rate: float) -> bool:
        """Tells whether anything is dropped at that rate."""
        return self._seed is not None and rate > 0.0

    def __call__(
        self, tensor: tf.Tensor, rate: float, *, alike_along: int | None = None
    ) -> tf.Tensor:
        """Zeroes a share `rate` of the entries and scales the rest by 1 / (1 - rate).

        Args:
            tensor: of any shape.
            rate: 0 to below 1.
            alike_along: an axis along which the same entries are dropped everywhere.
        """
        if not self.drops(rate):
            return tensor
        self._calls += 1
        seed = tf.random.experimental.stateless_fold_in(self._seed, self._calls)
        shape = tf.unstack(tf.shape(tensor))
        if alike_along is not None:
            shape[alike_along] = 1
        uniform = tf.random.stateless_uniform(shape, seed)
        scale = tf.cast(1.0 / (1.0 - rate), tensor.dtype)
        return tf.where(uniform >= rate, tensor * scale, tf.zeros_like(tensor))


NO_DROPOUT = Dropout(None)
