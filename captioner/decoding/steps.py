"""The one thing a search asks of a decoder: the log-probabilities of the next word.

Dimension key: N images, B partial captions (N x K beams, the beams of an image side by side),
V tokens.
"""

from typing import Any, Protocol

import tensorflow as tf

# Any nesting of tensors whose first dimension is that of images or of partial captions.
Tree = Any


class Start(Protocol):
    """Encodes images, once each."""

    def __call__(self, *features: tf.Tensor) -> tuple[Tree, Tree]:
        """Maps features (N, ...) to (context, state), both with first dimension N.

        The context is what stays the same while a caption grows: the encoded image. The
        state is what each word changes: the memory of an LSTM.
        """


class Step(Protocol):
    """Reads one word of each partial caption."""

    def __call__(self, tokens_B: tf.Tensor, state: Tree, context: Tree) -> tuple[tf.Tensor, Tree]:
        """Maps tokens, int32 (B,), to log-probabilities, float32 (B, V), and the next state.

        The state has first dimension B, the context N: an image is kept once for all its beams.
        The first word may be read of fewer beams than the next.
        """


def count_rows(tree: Tree) -> tf.Tensor:
    """Returns the first dimension that all tensors share, int32."""
    return tf.shape(tf.nest.flatten(tree)[0])[0]


def repeat_rows(tree: Tree, times: int | tf.Tensor) -> Tree:
    """Gives each image `times` rows, side by side: (N, ...) -> (N * times, ...)."""
    return tf.nest.map_structure(lambda tensor: tf.repeat(tensor, times, axis=0), tree)


def gather_rows(tree: Tree, rows_B: tf.Tensor) -> Tree:
    """Reorders the rows of every tensor in a state."""
    return tf.nest.map_structure(lambda tensor: tf.gather(tensor, rows_B), tree)


def normalise_length(
    log_probs: tf.Tensor, num_tokens: tf.Tensor, length_exponent: float
) -> tf.Tensor:
    """Returns log P / tokens ** length_exponent, which is how captions are ranked."""
    return log_probs / tf.maximum(tf.cast(num_tokens, tf.float32), 1.0) ** length_exponent
