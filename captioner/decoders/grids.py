"""What decoders do to an image grid before they attend to it.

Dimension key: N images, L places of the grid, C channels.
"""

import tensorflow as tf

from captioner.decoders.dropout import Dropout
from captioner.decoders.spec import DecoderSpec
from captioner.errors import DecoderError


class ImageGrids:
    """How a decoder reads image grids: as a list of places, and as their mean.

    Args:
        spec: of a kind that reads a grid of every image.

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
        self._spec = spec

    def __call__(self, grids_NHWC: tf.Tensor, dropout: Dropout) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns places, float32 (N, L, C), and their mean, float32 (N, C).

        Dropout takes the same channels from all places of an image, as a place's neighbours
        would give away what is missing (Tompson et al. 2015, arXiv:1411.4280).
        """
        places_NLC = tf.reshape(grids_NHWC, [-1, self.num_places, self.num_channels])
        mean_NC = tf.reduce_mean(places_NLC, axis=1)
        if self._spec.normalise_features:
            places_NLC, mean_NC = self._normalise(places_NLC), self._normalise(mean_NC)
        kept_NC = dropout(tf.ones_like(mean_NC), self._spec.image_dropout)
        return places_NLC * kept_NC[:, None], mean_NC * kept_NC

    def _normalise(self, features: tf.Tensor) -> tf.Tensor:
        # To length sqrt(C): entries are about 1, which Glorot's initial weights are made for.
        return tf.math.l2_normalize(features, axis=-1) * self.num_channels**0.5
