"""How likely a decoder holds the words of a given caption.

Dimension key: N images, T tokens of a caption.
"""

import numpy as np
import tensorflow as tf

from captioner.decoders.batches import CaptionWords
from captioner.decoders.ensemble import AnyDecoder


def measure_words(decoder: AnyDecoder, features_N: np.ndarray, tokens_T: np.ndarray) -> np.ndarray:
    """Returns how likely each word of one caption is for each of several images.

    Args:
        decoder: the one to ask.
        features_N: float32 (N, ...), shaped as its spec says.
        tokens_T: int32 (T,), a caption from START to END.

    Returns:
        Natural log-probabilities of each token given the image and those before it, float32
        (N, T - 1); their sum is the caption's.
    """
    num_images, num_words = len(features_N), len(tokens_T) - 1
    words = CaptionWords(
        tf.constant(np.tile(tokens_T[:-1], (num_images, 1))),
        tf.range(num_images),
        tf.range(num_images * num_words),
    )
    logits_PV = decoder.predict(tf.constant(features_N), words).logits_PV
    targets_P = tf.constant(np.tile(tokens_T[1:], num_images))
    losses_P = tf.nn.sparse_softmax_cross_entropy_with_logits(targets_P, logits_PV)
    return -losses_P.numpy().reshape(num_images, num_words)
