"""Attention over the image's grid (Xu et al. 2015, arXiv:1502.03044).

The LSTM starts from the grid's mean and reads it with every word, as in Show and Tell. Its
output then asks the grid where to look: multi-head dot-product attention (Vaswani et al. 2017,
arXiv:1706.03762) whose answer, gated, is added to that output before a word is predicted. Asking
after the LSTM rather than before (Lu et al. 2017, arXiv:1612.01887) leaves nothing that a word's
attention must wait for, so whole captions attend at once in training.

Dimension key: as in decoder.py; L places of the grid, A attention units, H heads of D = A / H.
"""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from captioner.decoders.decoder import Decoder, LstmState, Tree
from captioner.decoders.dropout import NO_DROPOUT, Dropout
from captioner.decoders.grids import ImageGrids
from captioner.decoders.registry import Precision
from captioner.decoders.spec import DecoderSpec


class AttentionDecoder(Decoder):
    """An LSTM that looks at places of the image: Show, Attend and Tell.

    The context holds an image's keys and values, projected once and shared by its captions and
    beams. A state is (h_BU, c_BU, weights_BL): `weights_BL`, float32, the attention of the last
    step, mean over heads, each row summing to 1.
    """

    attends = True

    def __init__(self, spec: DecoderSpec, precision: Precision = "float32", seed: int = 0) -> None:
        super().__init__(spec, precision, seed)
        self._grids = ImageGrids(spec)
        self.weights.update(self._grids.weights)
        C, A, U = self._grids.num_channels, spec.attention_units, spec.units
        activation = spec.image_activation
        self._to_input = self._add_dense("image_input", spec.embedding_size, C, activation)
        self._to_state = self._add_dense("image_state", 2 * U, C, activation)
        # A bias of the keys would raise all places alike, which a softmax does not see.
        self._to_keys = self._add_dense("keys", A, C, use_bias=False)
        self._to_values = self._add_dense("values", A, C)
        self._to_query = self._add_dense("query", A, U)
        self._to_gate = self._add_dense("gate", A, U, "sigmoid")
        self._to_output = self._add_dense("attended", U, A)

    def fit(self, batches: Iterable[np.ndarray]) -> None:
        self._grids.fit(batches)

    def encode(self, features_N: tf.Tensor, dropout: Dropout) -> dict[str, tf.Tensor]:
        places_NLC, mean_NC = self._grids(features_N, dropout)
        places_NLC = tf.cast(places_NLC, self._to_keys.compute_dtype)  # or both layers would
        return {
            "input": self._to_input(mean_NC),
            "state": self._to_state(mean_NC),
            "keys": self._split_heads(self._to_keys(places_NLC)),
            "values": self._split_heads(self._to_values(places_NLC)),
        }

    def first_state(self, context: dict[str, tf.Tensor]) -> Tree:
        places = context["keys"].shape[2]
        rows = tf.shape(context["state"])[0]
        return (*self._first_memory(context), tf.fill([rows, places], 1.0 / places))

    def read_captions(
        self, context: dict[str, tf.Tensor], tokens_MT: tf.Tensor, dropout: Dropout
    ) -> tuple[tf.Tensor, tf.Tensor]:
        words_MTE = self._read_caption_words(tokens_MT, dropout)
        inputs_MTE = words_MTE + context["input"][:, None]
        output_MTU = self._run_lstm(inputs_MTE, self._first_memory(context))
        return self._attend(output_MTU, context, dropout)

    def look(self, features_N: tf.Tensor, tokens_NT: tf.Tensor) -> tf.Tensor:
        return self.read_captions(self.encode(features_N, NO_DROPOUT), tokens_NT, NO_DROPOUT)[1]

    def read_word(
        self, context: dict[str, tf.Tensor], tokens_NK: tf.Tensor, state: Tree
    ) -> tuple[tf.Tensor, Tree]:
        inputs_NKE = self._read_words(tokens_NK) + context["input"][:, None]
        output_NKU, memory = self._run_lstm_step(inputs_NKE, state[:2])
        output_NKU, weights_NKL = self._attend(output_NKU, context, NO_DROPOUT)
        weights_BL = tf.reshape(weights_NKL, [-1, self._grids.num_places])
        return output_NKU, (*memory, weights_BL)

    def _first_memory(self, context: dict[str, tf.Tensor]) -> LstmState:
        h_BU, c_BU = tf.split(context["state"], 2, axis=-1)
        return tf.tanh(h_BU), c_BU

    def _attend(
        self, output_MTU: tf.Tensor, context: dict[str, tf.Tensor], dropout: Dropout
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Adds what is seen to the LSTM's output; gives (M, T, U) and the weights (M, T, L)."""
        queries_MHTD = self._split_heads(self._to_query(output_MTU))
        scale = tf.cast(queries_MHTD.shape[-1] ** -0.5, queries_MHTD.dtype)
        scores_MHTL = tf.matmul(queries_MHTD * scale, context["keys"], transpose_b=True)
        weights_MHTL = tf.nn.softmax(tf.cast(scores_MHTL, tf.float32))
        kept_MHTL = dropout(weights_MHTL, self.spec.attention_dropout)
        seen_MHTD = tf.matmul(tf.cast(kept_MHTL, scores_MHTL.dtype), context["values"])
        gated_MTA = self._join_heads(seen_MHTD) * self._to_gate(output_MTU)
        return output_MTU + self._to_output(gated_MTA), tf.reduce_mean(weights_MHTL, axis=1)

    def _split_heads(self, x_MTA: tf.Tensor) -> tf.Tensor:
        """(M, T, A) -> (M, H, T, D)."""
        heads, width = self.spec.attention_heads, x_MTA.shape[-1]
        rows, times = tf.shape(x_MTA)[0], x_MTA.shape[1]
        times = tf.shape(x_MTA)[1] if times is None else times
        split = tf.reshape(x_MTA, [rows, times, heads, width // heads])
        return tf.transpose(split, [0, 2, 1, 3])

    def _join_heads(self, x_MHTD: tf.Tensor) -> tf.Tensor:
        """(M, H, T, D) -> (M, T, A)."""
        x_MTHD = tf.transpose(x_MHTD, [0, 2, 1, 3])
        times = tf.shape(x_MTHD)[1] if x_MTHD.shape[1] is None else x_MTHD.shape[1]
        return tf.reshape(x_MTHD, [tf.shape(x_MTHD)[0], times, self.spec.attention_units])
