"""What decoders do to an image vector before they project it.

Dimension key: N images, F features.
"""

from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf

from captioner.decoders.dropout import Dropout
from captioner.decoders.spec import DecoderSpec
from captioner.decoders.statistics import ImageStatistics
from captioner.errors import DecoderError


class ImageVectors:
    """How a decoder reads image vectors: normalised, standardised, scaled, some dropped.

    Args:
        spec: of a kind that reads one vector an image.

    Attributes:
        weights: the statistics of the training images, by name. No gradient reaches them.

    Raises:
        DecoderError: the spec says that a grid is read.
    """

    def __init__(self, spec: DecoderSpec) -> None:
        self.width = vector_width(spec)
        self.weights: dict[str, keras.Variable] = {}
        self._spec = spec
        if spec.standardise_features:
            self._statistics = ImageStatistics("image_statistics", self.width)
            self.weights = self._statistics.weights

    def fit(self, batches: Iterable[np.ndarray]) -> None:
        """Takes mean and deviation from the training images, (N, F) each, if they are wanted."""
        if self._spec.standardise_features:
            for vectors_NF in batches:
                self._statistics.add(np.asarray(self._normalise(vectors_NF)))
            self._statistics.finish()

    def __call__(self, vectors_NF: tf.Tensor, dropout: Dropout) -> tf.Tensor:
        """Returns what is projected, float32 (N, F)."""
        vectors_NF = self._normalise(vectors_NF)
        if self._spec.standardise_features:
            vectors_NF = self._statistics(vectors_NF)
        return dropout(vectors_NF * self._spec.image_scale, self._spec.image_dropout)

    def _normalise(self, vectors_NF: tf.Tensor) -> tf.Tensor:
        if not self._spec.normalise_features:
            return vectors_NF
        # To length sqrt(F): entries are about 1, which Glorot's initial weights are made for.
        return tf.math.l2_normalize(vectors_NF, axis=-1) * self.width**0.5


def vector_width(spec: DecoderSpec) -> int:
    """Returns F, for the kinds that read one vector an image.

    Raises:
        DecoderError: the spec says that a grid is read.
    """
    if spec.feature_kind != "vector":
        raise DecoderError(
            f"A decoder of kind {spec.kind!r} reads one vector an image; "
            f"received feature_kind={spec.feature_kind!r}, feature_shape={spec.feature_shape}. "
            "Set feature_kind to 'vector'."
        )
    return spec.feature_shape[0]
