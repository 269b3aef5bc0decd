"""Image features as a decoder takes them, batch by batch."""

from collections.abc import Sequence

import numpy as np

from captioner.decoders.spec import DecoderSpec
from captioner.errors import DecoderError
from captioner.features.reading import Features


class FeatureReader:
    """Reads the kind of features that a decoder is described to take.

    Args:
        features: where they are read from.
        spec: of the decoder.
    """

    def __init__(self, features: Features, spec: DecoderSpec) -> None:
        self._features = features
        self._spec = spec

    def read(self, image_ids: Sequence[str]) -> np.ndarray:
        """Returns float32 (N, ...), shaped as the spec says.

        Raises:
            DecoderError: the features have another shape.
        """
        features_N = self._features.read(self._spec.feature_kind, image_ids)
        if features_N.shape[1:] != self._spec.feature_shape:
            raise DecoderError(
                f"The {self._spec.feature_kind} features have shape {features_N.shape[1:]}, and "
                f"the decoder expects {self._spec.feature_shape}. Extract features with the "
                "backbone that the decoder is meant for."
            )
        return features_N
