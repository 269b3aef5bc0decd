"""The merge architecture of the classic course (Tanti et al. 2017, arXiv:1708.02043).

The LSTM reads words alone; the image joins after it: both are added, mixed by a dense layer,
and that predicts the next word. As published the image passes a ReLU and half of its features
are dropped; by default neither is done, since both hurt (see DecoderSpec).

Dimension key: as in decoder.py.
"""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from captioner.decoders.decoder import Decoder, LstmState
from captioner.decoders.dropout import Dropout
from captioner.decoders.images import ImageVectors
from captioner.decoders.registry import Precision
from captioner.decoders.spec import DecoderSpec


class MergeDecoder(Decoder):
    """The course's decoder: words through an LSTM, the image added to its output."""

    def __init__(self, spec: DecoderSpec, precision: Precision = "float32", seed: int = 0) -> None:
        super().__init__(spec, precision, seed)
        U = spec.units
        self._vectors = ImageVectors(spec)
        self.weights.update(self._vectors.weights)
        self._to_image = self._add_dense("image", U, self._vectors.width, spec.image_activation)
        self._mix = self._add_dense("mix", U, U, "relu")

    def fit(self, batches: Iterable[np.ndarray]) -> None:
        self._vectors.fit(batches)

    def encode(self, features_N: tf.Tensor, dropout: Dropout) -> tf.Tensor:
        return self._to_image(self._vectors(features_N, dropout))

    def first_state(self, context: tf.Tensor) -> LstmState:
        return tf.zeros_like(context), tf.zeros_like(context)

    def read_captions(
        self, context: tf.Tensor, tokens_MT: tf.Tensor, dropout: Dropout
    ) -> tuple[tf.Tensor, None]:
        words_MTE = self._read_caption_words(tokens_MT, dropout)
        return self._mix(self._run_lstm(words_MTE, None) + context[:, None]), None

    def read_word(
        self, context: tf.Tensor, tokens_NK: tf.Tensor, state: LstmState
    ) -> tuple[tf.Tensor, LstmState]:
        output_NKU, state = self._run_lstm_step(self._read_words(tokens_NK), state)
        return self._mix(output_NKU + context[:, None]), state
