"""Show and Tell (Vinyals et al. 2015, arXiv:1411.4555): the LSTM sees the image itself.

The projected image sets the LSTM's initial memory (init-inject, the best of the four ways that
Tanti et al. 2018, arXiv:1703.09137, compare) and is added to every word that it reads
(par-inject). Adding costs nothing; beside the word, it would double the LSTM's input. With
`gated_image` it joins a third time, after the LSTM, as in merge.

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


class InjectDecoder(Decoder):
    """Show and Tell's decoder: an LSTM that starts from the image and reads it at each word."""

    def __init__(self, spec: DecoderSpec, precision: Precision = "float32", seed: int = 0) -> None:
        super().__init__(spec, precision, seed)
        self._vectors = ImageVectors(spec)
        self.weights.update(self._vectors.weights)
        F = self._vectors.width
        activation = spec.image_activation
        self._to_input = self._add_dense("image_input", spec.embedding_size, F, activation)
        self._to_state = self._add_dense("image_state", 2 * spec.units, F, activation)
        if spec.gated_image:
            self._to_output = self._add_dense("image_output", spec.units, F, activation)
            self._to_gate = self._add_dense("gate", spec.units, spec.units, "sigmoid")

    def fit(self, batches: Iterable[np.ndarray]) -> None:
        self._vectors.fit(batches)

    def encode(self, features_N: tf.Tensor, dropout: Dropout) -> dict[str, tf.Tensor]:
        vectors_NF = self._vectors(features_N, dropout)
        context = {"input": self._to_input(vectors_NF), "state": self._to_state(vectors_NF)}
        if self.spec.gated_image:
            context["output"] = self._to_output(vectors_NF)
        return context

    def first_state(self, context: dict[str, tf.Tensor]) -> LstmState:
        h_BU, c_BU = tf.split(context["state"], 2, axis=-1)
        return tf.tanh(h_BU), c_BU

    def read_captions(
        self, context: dict[str, tf.Tensor], tokens_MT: tf.Tensor, dropout: Dropout
    ) -> tuple[tf.Tensor, None]:
        words_MTE = self._read_caption_words(tokens_MT, dropout)
        inputs_MTE = words_MTE + context["input"][:, None]
        output_MTU = self._run_lstm(inputs_MTE, self.first_state(context))
        return self._add_image(output_MTU, context), None

    def read_word(
        self, context: dict[str, tf.Tensor], tokens_NK: tf.Tensor, state: LstmState
    ) -> tuple[tf.Tensor, LstmState]:
        inputs_NKE = self._read_words(tokens_NK) + context["input"][:, None]
        output_NKU, state = self._run_lstm_step(inputs_NKE, state)
        return self._add_image(output_NKU, context), state

    def _add_image(self, output_MTU: tf.Tensor, context: dict[str, tf.Tensor]) -> tf.Tensor:
        if not self.spec.gated_image:
            return output_MTU
        return output_MTU + self._to_gate(output_MTU) * context["output"][:, None]
