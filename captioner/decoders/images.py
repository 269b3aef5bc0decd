"""What decoders do to an image vector before they project it.

Dimension key: N images, F features.
"""

import tensorflow as tf

from captioner.decoders.dropout import Dropout
from captioner.decoders.spec import DecoderSpec
from captioner.errors import DecoderError


def prepare_vectors(vectors_NF: tf.Tensor, spec: DecoderSpec, dropout: Dropout) -> tf.Tensor:
    """Normalises image vectors as the spec says, in float32, and drops some in training."""
    if spec.normalise_features:
        # To length sqrt(F): entries are about 1, which Glorot's initial weights are made for.
        length = vectors_NF.shape[-1] ** 0.5
        vectors_NF = tf.math.l2_normalize(vectors_NF, axis=-1) * length
    return dropout(vectors_NF, spec.image_dropout)


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
