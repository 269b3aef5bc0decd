"""What decoders do to an image grid before they attend to it.

Dimension key: N images, L places of the grid, C channels.
"""

from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf

from captioner.decoders.dropout import Dropout
from captioner.decoders.spec import DecoderSpec
from captioner.decoders.statistics import ImageStatistics
from captioner.errors import DecoderError


class ImageGrids:
    """How a decoder reads image grids: as a list of places, and as their mean.

    Args:
        spec: of a kind that reads a grid of every image.

    Attributes:
        weights: the statistics of the training images, by name. No gradient reaches them.

    Raises:
        DecoderError: the spec says that a vector is read.
    """

    def __init__(self, spec: DecoderSpec) -> None:
        if spec.feature_kind != "grid":
            raise DecoderError(
                f"A decoder of kind {spec.kind!r} reads a grid of every image; received "
                f"feature_kind={spec.feature_kind!r}, feature_shape={spec.feature_shape}. "
                "Set feature_kind to 'grid', and extract.outputs to ['grid']."
            )
        height, width, self.num_channels = spec.feature_shape
        self.num_places = height * width
        self.weights: dict[str, keras.Variable] = {}
        self._spec = spec
        if spec.standardise_features:
            self._of_places = ImageStatistics("place_statistics", self.num_channels)
            self._of_means = ImageStatistics("image_statistics", self.num_channels)
            self.weights = {**self._of_places.weights, **self._of_means.weights}

    def fit(self, batches: Iterable[np.ndarray]) -> None:
        """Takes mean and deviation from the training images, (N, H, W, C) each, if wanted."""
        if self._spec.standardise_features:
            for grids_NHWC in batches:
                places_NLC, mean_NC = self._read(grids_NHWC)
                self._of_places.add(np.asarray(places_NLC))
                self._of_means.add(np.asarray(mean_NC))
            self._of_places.finish()
            self._of_means.finish()

    def __call__(self, grids_NHWC: tf.Tensor, dropout: Dropout) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns places, float32 (N, L, C), and their mean, float32 (N, C).

        Dropout takes the same channels from all places of an image, as a place's neighbours
        would give away what is missing (Tompson et al. 2015, arXiv:1411.4280).
        """
        places_NLC, mean_NC = self._read(grids_NHWC)
        # One factor for both scale and dropout: each pass over the places of a batch takes long.
        kept_NC = dropout(tf.ones_like(mean_NC), self._spec.image_dropout)
        factor_NC = kept_NC * self._spec.image_scale
        if not self._spec.standardise_features:
            return places_NLC * factor_NC[:, None], mean_NC * factor_NC
        return (
            self._of_places(places_NLC, factor_NC[:, None]),
            self._of_means(mean_NC, factor_NC),
        )

    def _read(self, grids_NHWC: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        places_NLC = tf.reshape(grids_NHWC, [-1, self.num_places, self.num_channels])
        mean_NC = tf.reduce_mean(places_NLC, axis=1)
        if not self._spec.normalise_features:
            return places_NLC, mean_NC
        return self._normalise(places_NLC), self._normalise(mean_NC)

    def _normalise(self, features: tf.Tensor) -> tf.Tensor:
        # To length sqrt(C): entries are about 1, which Glorot's initial weights are made for.
        return tf.math.l2_normalize(features, axis=-1) * self.num_channels**0.5
