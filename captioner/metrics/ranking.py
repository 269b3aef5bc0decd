"""Captions ranked anew by how far they agree with what people can be expected to say.

A search finds good captions and puts others first: those that say what can be said of most
images. Agreement with what people said of images like this one mends that.

Dimension key: N images, F features, H captions of all images, S words.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np

from captioner.metrics.agreement import Agreement
from captioner.metrics.ngrams import pad_captions
from captioner.text.vocabulary import Vocabulary

CIDER_WEIGHT = 8.0  # both chosen on the dev images of Flickr8k: more precision gives plainer words
PRECISION_WEIGHT = 1.0


class Scored(Protocol):
    """A caption as a search gives it."""

    @property
    def words(self) -> tuple[str, ...]:
        """At least one."""

    @property
    def score(self) -> float:
        """What the search ranked it by, the larger the better."""


Candidate = TypeVar("Candidate", bound=Scored)


class Judge(Protocol):
    """Says how far captions agree with what people can be expected to say."""

    def score(
        self, ids_HS: np.ndarray, vectors_NF: np.ndarray, image_index_H: np.ndarray
    ) -> Agreement:
        """Returns the agreement of captions, integers (H, S), each of one of N images."""


def rank_captions(
    captions: Mapping[str, Sequence[Candidate]],
    vectors_NF: np.ndarray,
    judge: Judge,
    vocabulary: Vocabulary,
    *,
    cider_weight: float = CIDER_WEIGHT,
    precision_weight: float = PRECISION_WEIGHT,
) -> dict[str, tuple[Candidate, ...]]:
    """Ranks each image's captions by their score plus their agreement, times its weights.

    Args:
        captions: what a search found for N images; of equals the first stay first.
        vectors_NF: float (N, F), the images' features, in the order of `captions`.
        judge: knows what people can be expected to say.
        vocabulary: the decoder's.
        cider_weight: of `Agreement.cider_H`.
        precision_weight: of `Agreement.precision_H`.
    """
    ids = [vocabulary.encode(own.words)[1:-1] for found in captions.values() for own in found]
    image_index_H = np.repeat(np.arange(len(captions)), [len(own) for own in captions.values()])
    agreement = judge.score(pad_captions(ids), vectors_NF, image_index_H)
    gains = iter(cider_weight * agreement.cider_H + precision_weight * agreement.precision_H)
    ranked = {}
    for image_id, found in captions.items():
        values = [caption.score + next(gains) for caption in found]
        order = sorted(range(len(found)), key=lambda place: -values[place])
        ranked[image_id] = tuple(found[place] for place in order)
    return ranked
