"""What every decoder can do: read an image, read words, say what comes next.

Dimension key: N images, M captions, B partial captions (K of each image), T positions, X = M x T
of them in all, P real (unpadded) ones, L places of a grid, V tokens, E embedding, U LSTM units.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from captioner.decoders.batches import CaptionWords
from captioner.decoders.dropout import NO_DROPOUT, Dropout
from captioner.decoders.registry import Precision
from captioner.decoders.spec import DecoderSpec
from captioner.errors import DecoderError

# Any nesting of tensors whose first dimension is that of images or partial captions.
Tree = Any
LstmState = tuple[tf.Tensor, tf.Tensor]  # (h_BU, c_BU)


class Prediction(NamedTuple):
    """What a decoder makes of whole captions.

    Args:
        logits_PV: float32 (P, V), of the token after each word.
        looks_MTL: float32 (M, T, L), where each word looked; None where the decoder does not
            attend.
    """

    logits_PV: tf.Tensor
    looks_MTL: tf.Tensor | None


class Decoder(ABC):
    """A captioner without its encoder: image features and words in, the next word out.

    An image is encoded once, into a context (what stays the same while a caption grows) and an
    initial state (what each word changes). In training its captions share that encoding; in
    decoding all beams do. Whole captions are read by `predict`, single words by `step`;
    both go through the same layers and agree. A state may hold more than the LSTM's memory, such
    as the attention weights of the last step.

    A kind of decoder defines `fit`, `encode`, `first_state`, `read_captions` and `read_word`; one
    that attends to places of the image also `look`, and says so by `attends`.

    Args:
        spec: what this decoder is.
        precision: of matrix products and weights, see `registry.build_decoder`.
        seed: of the initial weights.

    Attributes:
        weights: all weights by name, such as `lstm/kernel`, in the order they were made.
        attends: whether it weighs the places of an image anew for each word.
    """

    attends: bool = False

    def __init__(self, spec: DecoderSpec, precision: Precision = "float32", seed: int = 0) -> None:
        self.spec = spec
        self.weights: dict[str, keras.Variable] = {}
        self._policy = precision  # Keras has policies of these names
        self._seed = seed
        self._build_words()

    @abstractmethod
    def fit(self, batches: Iterable[np.ndarray]) -> None:
        """Takes from the training images what is counted and not learnt, before the first step.

        Args:
            batches: float32 (N, ...) each, images of the training split; read as far as needed.
        """

    @abstractmethod
    def encode(self, features_N: tf.Tensor, dropout: Dropout) -> Tree:
        """Encodes images, (N, ...) float32, into what all words of a caption see of them."""

    @abstractmethod
    def first_state(self, context: Tree) -> Tree:
        """Returns the state before the first word."""

    @abstractmethod
    def read_captions(
        self, context: Tree, tokens_MT: tf.Tensor, dropout: Dropout
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Reads whole captions, whose images' context has first dimension M.

        Returns:
            The output at each word, (M, T, U), and where it looked, float32 (M, T, L), each row
            summing to 1; None for a kind that does not attend.
        """

    @abstractmethod
    def read_word(self, context: Tree, tokens_NK: tf.Tensor, state: Tree) -> tuple[tf.Tensor, Tree]:
        """Reads a word of K partial captions of each image; gives (N, K, U) and the next state."""

    def start(self, features_N: tf.Tensor) -> tuple[Tree, Tree]:
        """Encodes images for decoding.

        Args:
            features_N: float32 (N, ...), shaped as the spec says.

        Returns:
            (context, state), first dimension N.
        """
        context = self.encode(features_N, NO_DROPOUT)
        return context, self.first_state(context)

    def step(self, tokens_B: tf.Tensor, state: Tree, context: Tree) -> tuple[tf.Tensor, Tree]:
        """Reads one word of each partial caption.

        Args:
            tokens_B: int32 (B,), the word before; START at first.
            state: as the last step gave it, first dimension B; at first, that of `start`, each
                row as often as its image has captions.
            context: as `start` gave it, first dimension N. B is a multiple of N: the captions of
                an image stand side by side.

        Returns:
            Natural log-probabilities of the next token, float32 (B, V), and the next state.
        """
        num_images = tf.shape(tf.nest.flatten(context)[0])[0]
        tokens_NK = tf.reshape(tokens_B, [num_images, -1])
        output_NKU, state = self.read_word(context, tokens_NK, state)
        output_BU = tf.reshape(output_NKU, [-1, self.spec.units])
        return tf.nn.log_softmax(self._project(output_BU)), state

    def predict(
        self, features_N: tf.Tensor, words: CaptionWords, dropout: Dropout = NO_DROPOUT
    ) -> Prediction:
        """Reads whole captions at once and predicts the token after each of their words.

        Args:
            features_N: float32 (N, ...), the images, each once.
            words: of their captions.
            dropout: of this training step.

        Returns:
            The logits, and where each word looked.
        """
        context_N = self.encode(features_N, dropout)
        context_M = tf.nest.map_structure(lambda x: tf.gather(x, words.image_index_M), context_N)
        output_MTU, looks_MTL = self.read_captions(context_M, words.tokens_MT, dropout)
        rate = self.spec.output_dropout
        if self.spec.variational_dropout:
            output_MTU = dropout(output_MTU, rate, alike_along=1)
        # (M, T, U) -> (P, U)
        output_XU = tf.reshape(output_MTU, [-1, output_MTU.shape[-1]])
        output_PU = tf.gather(output_XU, words.positions_P)
        if not self.spec.variational_dropout:
            output_PU = dropout(output_PU, rate)
        return Prediction(self._project(output_PU), looks_MTL)

    def look(self, features_N: tf.Tensor, tokens_NT: tf.Tensor) -> tf.Tensor:
        """Says how much each word of whole captions draws from each place of its image.

        Args:
            features_N: float32 (N, ...), an image for each caption.
            tokens_NT: int32 (N, T), captions from START on, padded on the right.

        Returns:
            float32 (N, T, L), each row summing to 1: the weights behind the token that comes
            after each of those given.

        Raises:
            DecoderError: this kind does not attend.
        """
        raise DecoderError(
            f"A decoder of kind {self.spec.kind!r} sees the image as a whole and attends to no "
            "place of it."
        )

    def _read_words(self, tokens: tf.Tensor) -> tf.Tensor:
        """Looks words up and scales them to entries of about 1, as the LSTM's weights expect.

        The same matrix predicts words and wants small entries there (Vaswani et al. 2017,
        arXiv:1706.03762, section 3.4). Unscaled words cost several epochs of learning.
        """
        return self._embedding(tokens) * self.spec.embedding_size**0.5

    def _read_caption_words(self, tokens_MT: tf.Tensor, dropout: Dropout) -> tf.Tensor:
        words_MTE, rate = self._read_words(tokens_MT), self.spec.embedding_dropout
        return dropout(words_MTE, rate, alike_along=1 if self.spec.variational_dropout else None)

    def _run_lstm(self, inputs_MTE: tf.Tensor, state: LstmState | None) -> tf.Tensor:
        return self._lstm(inputs_MTE, initial_state=state)

    def _run_lstm_step(
        self, inputs_NKE: tf.Tensor, state: LstmState
    ) -> tuple[tf.Tensor, LstmState]:
        inputs_BE = tf.reshape(inputs_NKE, [-1, self.spec.embedding_size])
        output_BU, (h_BU, c_BU) = self._lstm.cell(inputs_BE, list(state))
        num_images = tf.shape(inputs_NKE)[0]
        return tf.reshape(output_BU, [num_images, -1, self.spec.units]), (h_BU, c_BU)

    def _build_words(self) -> None:
        V, E, U = self.spec.vocabulary_size, self.spec.embedding_size, self.spec.units
        initial = keras.initializers.RandomNormal(stddev=E**-0.5, seed=self._next_seed())
        embedding = keras.layers.Embedding(V, E, initial, name="embedding", dtype=self._policy)
        self._embedding = self._add(embedding, (None, None))
        self._lstm = self._add(self._make_lstm(), (None, None, E))
        if not self.spec.tied_embeddings:
            self._to_words = self._add_dense("words", V, U)
            return
        self._to_words = self._add_dense("to_words", E, U, "tanh")
        self._word_bias = keras.Variable(tf.zeros([V]), name="bias")
        self.weights["word_bias/bias"] = self._word_bias

    def _make_lstm(self) -> keras.layers.LSTM:
        kernel = keras.initializers.GlorotUniform(self._next_seed())
        orthogonal = keras.initializers.Orthogonal(seed=self._next_seed())
        return keras.layers.LSTM(
            self.spec.units,
            kernel_initializer=kernel,
            # Keras has no orthogonal matrices in bfloat16.
            recurrent_initializer=lambda shape, dtype: tf.cast(orthogonal(shape), dtype),
            return_sequences=True,
            name="lstm",
            dtype=self._policy,
        )

    def _project(self, output_PU: tf.Tensor) -> tf.Tensor:
        words_P = self._to_words(output_PU)
        if not self.spec.tied_embeddings:
            return tf.cast(words_P, tf.float32)
        embeddings_VE = tf.cast(self._embedding.embeddings, words_P.dtype)
        logits_PV = tf.matmul(words_P, embeddings_VE, transpose_b=True)
        return tf.cast(logits_PV, tf.float32) + self._word_bias

    def _add_dense(
        self,
        name: str,
        width: int,
        input_width: int,
        activation: str = "linear",
        *,
        use_bias: bool = True,
    ) -> keras.layers.Dense:
        initial = keras.initializers.GlorotUniform(self._next_seed())
        dense = keras.layers.Dense(
            width,
            activation,
            use_bias=use_bias,
            kernel_initializer=initial,
            name=name,
            dtype=self._policy,
        )
        return self._add(dense, (None, input_width))

    def _add(self, layer: keras.Layer, input_shape: tuple[int | None, ...]) -> keras.Layer:
        layer.build(input_shape)
        self.weights.update({f"{layer.name}/{v.name}": v for v in layer.weights})
        return layer

    def _next_seed(self) -> int:
        """Each weight draws from its own seed, or equal shapes would get equal weights."""
        self._seed = (self._seed + 1_000_003) % 2**31
        return self._seed
