"""Captions in words, from image features, a decoder and a vocabulary.

Dimension key: N images, K captions of an image.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from captioner.decoders.ensemble import AnyDecoder
from captioner.decoding.captions import DecodedCaptions
from captioner.decoding.search import CaptionSearch
from captioner.decoding.settings import SearchSettings, SpecialTokens
from captioner.errors import DecoderError
from captioner.features.reading import Features
from captioner.progress import track
from captioner.text.vocabulary import END, PAD, START, UNKNOWN, Vocabulary

SEARCH_BATCH_SIZE = 64


def special_tokens(vocabulary: Vocabulary) -> SpecialTokens:
    """Returns the ids of a vocabulary that are no words."""
    return SpecialTokens(PAD, START, END, UNKNOWN if vocabulary.has_unknown else None)


def check_vocabulary(decoder: AnyDecoder, vocabulary: Vocabulary) -> None:
    """Makes sure that a vocabulary can be the decoder's.

    Raises:
        DecoderError: they differ in size.
    """
    if decoder.spec.vocabulary_size != len(vocabulary):
        raise DecoderError(
            f"The decoder knows {decoder.spec.vocabulary_size} tokens and the vocabulary has "
            f"{len(vocabulary)}. Use the vocabulary that the decoder was trained with."
        )


@dataclass(frozen=True)
class GeneratedCaption:
    """One caption that a decoder made.

    Args:
        words: at least one.
        log_prob: natural logarithm of its probability.
        score: what it was ranked by, see `SearchSettings.length_exponent`.
        finished: False when it was cut at the longest length.
    """

    words: tuple[str, ...]
    log_prob: float
    score: float
    finished: bool


class CaptionGenerator:
    """Makes captions for images whose features are known.

    The search is compiled at the first call and kept, so keep the generator.

    Args:
        decoder: a trained decoder, or an ensemble of them; later changes to its weights take
            effect at once.
        vocabulary: the one that the decoder was trained with.
        settings: how to search.
        batch_size: images searched for at a time.

    Raises:
        DecoderError: decoder and vocabulary differ in size.

    Example:
        generator = CaptionGenerator(load_decoders(folder), vocabulary, SearchSettings())
        captions = generator.generate(features, ["dog_on_beach"])
        " ".join(captions["dog_on_beach"][0].words)
    """

    def __init__(
        self,
        decoder: AnyDecoder,
        vocabulary: Vocabulary,
        settings: SearchSettings,
        *,
        batch_size: int = SEARCH_BATCH_SIZE,
    ) -> None:
        check_vocabulary(decoder, vocabulary)
        self._vocabulary = vocabulary
        self._kind = decoder.spec.feature_kind
        self._search = CaptionSearch(
            decoder.start,
            decoder.step,
            settings,
            tokens=special_tokens(vocabulary),
            batch_size=batch_size,
        )

    def generate(
        self, features: Features, image_ids: Sequence[str], *, progress: bool = False
    ) -> dict[str, tuple[GeneratedCaption, ...]]:
        """Makes captions, the best first, for each image.

        Args:
            features: where the features of the images are read from.
            image_ids: N images, each once.
            progress: whether to show it on standard error.

        Returns:
            1 to K captions for each image id, in the order asked for.
        """
        size = self._search.batch_size
        batches: Iterable[Sequence[str]] = [
            image_ids[first : first + size] for first in range(0, len(image_ids), size)
        ]
        if progress:
            batches = track(batches, "caption", unit="batch")
        captions: dict[str, tuple[GeneratedCaption, ...]] = {}
        for batch in batches:
            decoded = self._search(features.read(self._kind, batch))
            captions |= {id_: self._spell(decoded, row) for row, id_ in enumerate(batch)}
        return captions

    def _spell(self, decoded: DecodedCaptions, image: int) -> tuple[GeneratedCaption, ...]:
        return tuple(
            GeneratedCaption(
                words=tuple(self._vocabulary.decode(decoded.words_of(image, caption))),
                log_prob=float(decoded.log_probs[image, caption]),
                score=float(decoded.scores[image, caption]),
                finished=bool(decoded.finished[image, caption]),
            )
            for caption in range(decoded.ids.shape[1])
            if decoded.lengths[image, caption]
        )
