"""Image features as a decoder takes them, batch by batch."""

import itertools
from collections.abc import Sequence

import numpy as np

from captioner.decoders.settings import TrainSettings
from captioner.decoders.spec import DecoderSpec
from captioner.errors import DecoderError
from captioner.feature_kinds import mirror_kind
from captioner.features.reading import Features

_MIRRORING = 1  # sets these draws apart from the others of the same epoch


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
        return self._read(self._spec.feature_kind, image_ids)

    def for_epoch(self, settings: TrainSettings, epoch: int) -> "FeatureReader":
        """Returns what reads the training images of an epoch: mirrored or not, as settings say.

        Raises:
            DecoderError: mirrored images are asked for, and there are no features of them.
        """
        if not settings.mirrored:
            return self
        return MirroringReader(self._features, self._spec, [settings.seed, epoch, _MIRRORING])

    def _read(self, kind: str, image_ids: Sequence[str]) -> np.ndarray:
        features_N = self._features.read(kind, image_ids)
        if features_N.shape[1:] != self._spec.feature_shape:
            raise DecoderError(
                f"The {kind} features have shape {features_N.shape[1:]}, and "
                f"the decoder expects {self._spec.feature_shape}. Extract features with the "
                "backbone that the decoder is meant for."
            )
        return features_N


class MirroringReader(FeatureReader):
    """Gives the features of the mirrored image as often as those of the image.

    Args:
        features: where both are read from.
        spec: of the decoder.
        seed: decides which is given, together with the order of reading.

    Raises:
        DecoderError: there are no features of mirrored images.
    """

    def __init__(self, features: Features, spec: DecoderSpec, seed: Sequence[int]) -> None:
        super().__init__(features, spec)
        self._kinds = (spec.feature_kind, mirror_kind(spec.feature_kind))
        self._random = np.random.default_rng(seed)
        if self._kinds[1] not in features.shapes:
            raise DecoderError(
                f"mirrored=True reads {self._kinds[1]} features, and there are only "
                f"{', '.join(features.shapes)}. Extract those as well, or train without."
            )

    def read(self, image_ids: Sequence[str]) -> np.ndarray:
        """Returns float32 (N, ...), each image as it is or mirrored, see `FeatureReader.read`."""
        is_mirrored_N = self._random.random(len(image_ids)) < 0.5
        features_N = np.empty((len(image_ids), *self._spec.feature_shape), np.float32)
        for kind, chosen_N in zip(self._kinds, (~is_mirrored_N, is_mirrored_N), strict=True):
            chosen = list(itertools.compress(image_ids, chosen_N))
            if chosen:
                features_N[chosen_N] = self._read(kind, chosen)
        return features_N
