"""Where a decoder looks while it says each word of a caption.

Dimension key: N captions, T words of the longest, L places of an image's grid, H x W of them.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from captioner.decoders.ensemble import AnyDecoder
from captioner.errors import DecoderError
from captioner.text.vocabulary import PAD, Vocabulary

_BATCH_SIZE = 64


class AttentionReader:
    """Reads finished captions again, word by word, and notes what each word looked at.

    A caption says nothing of how it was found, so reading it again by teacher forcing gives the
    very weights of the search that found it (Xu et al. 2015, arXiv:1502.03044, section 5.4). It is
    compiled at the first call, for captions of any length.

    Args:
        decoder: of a kind that attends.
        vocabulary: the one that the decoder was trained with.
        batch_size: captions read at a time.

    Raises:
        DecoderError: the decoder does not attend.

    Example:
        reader = AttentionReader(load_decoders(folder), vocabulary)
        (weights_THW,) = reader.read(grids_NHWC[:1], [("a", "dog", "runs")])
    """

    def __init__(
        self, decoder: AnyDecoder, vocabulary: Vocabulary, *, batch_size: int = _BATCH_SIZE
    ) -> None:
        if not decoder.attends:
            raise DecoderError(
                f"A decoder of kind {decoder.spec.kind!r} does not attend to places of the image, "
                "so there is nothing to read of where it looked."
            )
        self._vocabulary = vocabulary
        self._batch_size = batch_size
        self._grid = decoder.spec.feature_shape[:2]
        shape = (batch_size, *decoder.spec.feature_shape)
        signature = [tf.TensorSpec(shape), tf.TensorSpec([batch_size, None], tf.int32)]
        self._look = tf.function(decoder.look, autograph=False, input_signature=signature)

    def read(self, features_N: np.ndarray, captions: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Returns the attention of each word of each caption.

        Args:
            features_N: float32 (N, H, W, C), the image of each caption.
            captions: N lists of words, as the decoder made them.

        Returns:
            N arrays, float32 (T, H, W): T the words of that caption; each word's weights add to
            1.
        """
        weights: list[np.ndarray] = []
        for first in range(0, len(captions), self._batch_size):
            batch = slice(first, first + self._batch_size)
            weights += self._read_batch(features_N[batch], captions[batch])
        return weights

    def _read_batch(
        self, features_N: np.ndarray, captions: Sequence[Sequence[str]]
    ) -> list[np.ndarray]:
        tokens_NT = self._pad([self._vocabulary.encode(words)[:-1] for words in captions])
        missing = self._batch_size - len(features_N)
        features_N = np.pad(features_N, [(0, missing), (0, 0), (0, 0), (0, 0)])
        weights_NTL = self._look(tf.constant(features_N), tf.constant(tokens_NT)).numpy()
        weights_NTHW = weights_NTL.reshape(*weights_NTL.shape[:2], *self._grid)
        return [row[: len(words)] for row, words in zip(weights_NTHW, captions, strict=False)]

    def _pad(self, captions: Sequence[np.ndarray]) -> np.ndarray:
        tokens_NT = np.full((self._batch_size, max(map(len, captions))), PAD, np.int32)
        for row, tokens_T in zip(tokens_NT, captions, strict=False):
            row[: len(tokens_T)] = tokens_T
        return tokens_NT
