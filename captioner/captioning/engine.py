"""Encoder and decoder at work on batches of decoded images.

Dimension key: B images of a batch, M images of some batches, H and W sides of the encoder's input.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from captioner.captioning.caption import Caption
from captioner.decoding.settings import SearchSettings
from captioner.errors import UsageError
from captioner.report.looks import Ground

if TYPE_CHECKING:
    from captioner.backbones.encoder import Encoder
    from captioner.decoders.captions import GeneratedCaption
    from captioner.decoders.ensemble import AnyDecoder
    from captioner.decoders.looking import AttentionReader
    from captioner.metrics.expectation import Expectation
    from captioner.text.vocabulary import Vocabulary


# Images to search for at once. Beyond that a search gains little and holds more memory.
_SEARCH_SIZE = 96
# Of 1,000 photographs all had the caption of an exact search; with 2 tokens 7 had not.
_LOOKAHEAD = 3


class CaptionEngine:
    """Captions decoded images in one way of searching; the two steps may run in threads.

    Args:
        encoder: maps images to features.
        decoder: maps features to words.
        vocabulary: the words.
        settings: how to search.
        expectation: what people can be expected to say of an image, by which captions are then
            ranked; None leaves them as the search ranks them.

    Attributes:
        settings: of the search; where captions are ranked, it finds as many as there are beams.
    """

    def __init__(
        self,
        encoder: "Encoder",
        decoder: "AnyDecoder",
        vocabulary: "Vocabulary",
        settings: SearchSettings,
        expectation: "Expectation | None" = None,
    ) -> None:
        from captioner.decoders.captions import CaptionGenerator

        # Captions that are to differ from each other each lead a group of their own.
        self._expectation = expectation if settings.num_groups == 1 else None
        self._num_captions = settings.num_captions
        if self._expectation is not None:
            settings = replace(settings, num_captions=settings.num_beams)

        self.settings = settings
        self._encoder = encoder
        self._decoder = decoder
        self._vocabulary = vocabulary
        self._kind = decoder.spec.feature_kind
        self.batch_size: int = encoder.batch_size
        self.batches_per_search: int = max(_SEARCH_SIZE // self.batch_size, 1)
        self._generator = CaptionGenerator(
            decoder, vocabulary, settings, batch_size=self.batch_size * self.batches_per_search
        )

    @property
    def rules(self) -> tuple[str, ...]:
        """What decides captions beside the beam, as a score's signature names it."""
        return (*self.settings.rules, *(("expectation",) if self._expectation is not None else ()))

    def encode(self, images_BHWC: np.ndarray) -> np.ndarray:
        """Maps uint8 (B, H, W, 3) to features (B, ...)."""
        features: Mapping[str, np.ndarray] = self._encoder.encode(images_BHWC)
        return features[self._kind]

    def search(self, features: np.ndarray) -> list[Caption]:
        """Returns the captions of M images, from their features (M, ...)."""
        ids = [str(index) for index in range(len(features))]
        generated = self._generator.generate(_BatchFeatures(self._kind, features), ids)
        if self._expectation is not None and ids:
            generated = self._rank(self._expectation, generated, features)
        return [_join(generated[id_][: self._num_captions]) for id_ in ids]

    @property
    def ground(self) -> Ground | None:
        """What the weights that `look` gives lie upon; None where the decoder does not attend."""
        if not self._decoder.attends:
            return None
        return Ground.of(self._decoder.spec.feature_shape, self._encoder.spec.rule.describe())

    def look(self, features: np.ndarray, captions: Sequence[Caption]) -> list[np.ndarray]:
        """Says where each word of captions that `search` made looked.

        Args:
            features: (M, ...), the image of each caption, as `encode` gave it.
            captions: M captions.

        Returns:
            M arrays, float32 (T, H, W), T the words of that caption; each word's weights add to 1.

        Raises:
            DecoderError: the decoder does not attend.
        """
        return self._reader.read(features, [caption.words for caption in captions])

    def _rank(
        self,
        expectation: "Expectation",
        generated: "dict[str, tuple[GeneratedCaption, ...]]",
        features: np.ndarray,
    ) -> "dict[str, tuple[GeneratedCaption, ...]]":
        from captioner.metrics.expectation import average_places
        from captioner.metrics.ranking import rank_captions

        return rank_captions(generated, average_places(features), expectation, self._vocabulary)

    @functools.cached_property
    def _reader(self) -> "AttentionReader":
        from captioner.decoders.looking import AttentionReader

        return AttentionReader(self._decoder, self._vocabulary, batch_size=self.batch_size)


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
        """Returns float32 (B, ...), of images that stand side by side and of the decoder's kind."""
        return self._features[int(image_ids[0]) : int(image_ids[-1]) + 1]


def choose_search(
    recorded: SearchSettings, *, beam: int | None = None, n_best: int = 1, diverse: bool = False
) -> SearchSettings:
    """Returns how to search, given what was recorded with the model and what is asked for.

    Diverse captions come from groups of beams, one for each caption, that avoid each other's
    words; the beams that are asked for are shared out, and each group gets one at least.

    Raises:
        UsageError: `beam` or `n_best` is out of range, or one caption alone is to be diverse.
    """
    recorded = replace(recorded, lookahead=_LOOKAHEAD)
    num_beams = max(recorded.num_beams, n_best) if beam is None else beam
    if not diverse:
        return replace(recorded, num_beams=num_beams, num_captions=n_best)
    if n_best < 2:
        raise UsageError(
            "Captions that differ from each other are two or more. Received: diverse captions "
            f"with n_best={n_best}. Ask for more, as with `--n-best 3 --diverse`."
        )
    size = max(num_beams // n_best, 1)
    return replace(recorded, num_beams=size * n_best, num_captions=n_best, num_groups=n_best)


def _join(generated: "Sequence[GeneratedCaption]") -> Caption:
    captions = [
        Caption.from_words(found.words, found.log_prob, finished=found.finished)
        for found in generated
    ]
    return replace(captions[0], alternatives=tuple(captions[1:]))
