"""Encoder and decoder at work on batches of decoded images.

Dimension key: B images of a batch, H and W sides of the encoder's input.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from captioner.captioning.caption import Caption
from captioner.decoding.settings import SearchSettings

if TYPE_CHECKING:
    from captioner.backbones.encoder import Encoder
    from captioner.decoders.captions import GeneratedCaption
    from captioner.decoders.decoder import Decoder
    from captioner.text.vocabulary import Vocabulary


class CaptionEngine:
    """Captions decoded images in one way of searching; the two steps may run in two threads.

    Args:
        encoder: maps images to features.
        decoder: maps features to words.
        vocabulary: the words.
        settings: how to search.
    """

    def __init__(
        self,
        encoder: "Encoder",
        decoder: "Decoder",
        vocabulary: "Vocabulary",
        settings: SearchSettings,
    ) -> None:
        from captioner.decoders.captions import CaptionGenerator

        self._encoder = encoder
        self._kind = decoder.spec.feature_kind
        self.batch_size: int = encoder.batch_size
        self._generator = CaptionGenerator(
            decoder, vocabulary, settings, batch_size=self.batch_size
        )

    def encode(self, images_BHWC: np.ndarray) -> np.ndarray:
        """Maps uint8 (B, H, W, 3) to features (B, ...)."""
        features: Mapping[str, np.ndarray] = self._encoder.encode(images_BHWC)
        return features[self._kind]

    def search(self, features: np.ndarray) -> list[Caption]:
        """Returns the captions of B images, from their features (B, ...)."""
        ids = [str(index) for index in range(len(features))]
        generated = self._generator.generate(_BatchFeatures(self._kind, features), ids)
        return [_join(generated[id_]) for id_ in ids]


class _BatchFeatures:
    """The features of one batch, by the position of the image."""

    def __init__(self, kind: str, features: np.ndarray) -> None:
        self._kind = kind
        self._features = features
        self.image_ids = tuple(str(index) for index in range(len(features)))

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shape for one image, of the only kind there is."""
        return {self._kind: self._features.shape[1:]}

    def read(self, kind: str, image_ids: Sequence[str]) -> np.ndarray:
        """Returns float32 (B, ...); all are of the kind that the decoder reads."""
        return self._features[[int(id_) for id_ in image_ids]]


def choose_search(
    recorded: SearchSettings, *, beam: int | None = None, n_best: int = 1
) -> SearchSettings:
    """Returns how to search, given what was recorded with the model and what is asked for.

    Raises:
        UsageError: `beam` or `n_best` is out of range.
    """
    num_beams = max(recorded.num_beams, n_best) if beam is None else beam
    return replace(recorded, num_beams=num_beams, num_captions=n_best)


def _join(generated: "Sequence[GeneratedCaption]") -> Caption:
    captions = [
        Caption.from_words(found.words, found.log_prob, finished=found.finished)
        for found in generated
    ]
    return replace(captions[0], alternatives=tuple(captions[1:]))
