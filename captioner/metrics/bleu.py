"""BLEU-1 to BLEU-4 of a set of captions (Papineni et al. 2002, aclanthology.org/P02-1040).

The same captions get different scores under different protocols, so each protocol is computed by
the library that defines it:

- "coco": coco-caption's scorer (`pycocoevalcap`), which captioning papers report.
- "nltk": NLTK's `corpus_bleu` on the same words. A caption shorter than n words adds one n-gram
  that never matches where coco adds none, and an order without any match gives 0.
- "tutorial": `corpus_bleu` on words cleaned as in the classic course.

Weights are exactly 1/n, and the reference length is the closest one, the shorter of two equally
close. Corpus BLEU is a function of sums over images, kept here as one row an image, so that
resampled scores are matrix products.

Dimension key: N images, S samples, O = 4 n-gram orders, K = 10 columns of counts.
"""

import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from nltk.translate.bleu_score import corpus_bleu
from pycocoevalcap.bleu.bleu_scorer import BleuScorer

Protocol = Literal["coco", "nltk", "tutorial"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)

Words = Sequence[str]
Bleu = tuple[float, float, float, float]

NUM_ORDERS = 4
ORDERS_O = np.arange(1, NUM_ORDERS + 1)
WEIGHTS = [(1 / n,) * n for n in range(1, NUM_ORDERS + 1)]

# coco-caption adds these to numerators and denominators so that nothing is divided by zero.
_COCO_TINY, _COCO_SMALL = 1e-15, 1e-9


@dataclass(frozen=True, eq=False)
class NgramCounts:
    """What BLEU needs to know about each image, and the scores that follow.

    Args:
        protocol: the rule that turns the counts into BLEU.
        table_NK: float64 (N, 10): matches of 1 to 4 words, n-grams of 1 to 4 words in the
            hypothesis, its length, the closest reference's length.
        bleu: corpus BLEU-1 to BLEU-4, 0 to 1, from the protocol's own library.
    """

    protocol: Protocol
    table_NK: np.ndarray
    bleu: Bleu

    def score_sums(self, sums_SK: np.ndarray) -> np.ndarray:
        """Returns BLEU-1 to BLEU-4 (S, 4) of samples of images, given their summed rows."""
        return score_coco_sums(sums_SK) if self.protocol == "coco" else score_nltk_sums(sums_SK)


def count_ngrams(
    hypotheses: Sequence[Words], references: Sequence[Sequence[Words]], protocol: Protocol = "coco"
) -> NgramCounts:
    """Counts matching n-grams image by image and scores the whole.

    Args:
        hypotheses: N captions as normalised words; one may be empty.
        references: for each, one or more reference captions as normalised words.
        protocol: how to score; words must have been normalised to suit it.
    """
    scorer = BleuScorer(n=NUM_ORDERS)
    for words, alternatives in zip(hypotheses, references, strict=True):
        scorer += (" ".join(words), [" ".join(reference) for reference in alternatives])
    table_NK = np.array([_row(counts) for counts in scorer.ctest], dtype=np.float64)
    if protocol == "coco":
        return NgramCounts(protocol, table_NK, _as_bleu(scorer.compute_score(option="closest")[0]))
    guesses = slice(NUM_ORDERS, 2 * NUM_ORDERS)
    table_NK[:, guesses] = np.maximum(table_NK[:, guesses], 1)
    return NgramCounts(protocol, table_NK, _corpus_bleu(hypotheses, references))


def _row(counts: dict) -> list[int]:
    length = counts["testlen"]
    closest = min(counts["reflen"], key=lambda reference: (abs(reference - length), reference))
    return [*counts["correct"], *counts["guess"], length, closest]


def _corpus_bleu(hypotheses: Sequence[Words], references: Sequence[Sequence[Words]]) -> Bleu:
    with warnings.catch_warnings():  # NLTK warns about an order without matches: it scores 0
        warnings.simplefilter("ignore")
        return _as_bleu(corpus_bleu(references, hypotheses, weights=WEIGHTS))


def _as_bleu(values: Sequence[float]) -> Bleu:
    one, two, three, four = map(float, values)
    return one, two, three, four


def _split_sums(sums_SK: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    matches_SO, guesses_SO = sums_SK[:, :NUM_ORDERS], sums_SK[:, NUM_ORDERS : 2 * NUM_ORDERS]
    return matches_SO, guesses_SO, sums_SK[:, -2:-1], sums_SK[:, -1:]


def score_coco_sums(sums_SK: np.ndarray) -> np.ndarray:
    """Returns coco-caption's BLEU-1 to BLEU-4 (S, 4), given summed rows of counts (S, 10)."""
    matches_SO, guesses_SO, length_S1, reference_S1 = _split_sums(sums_SK)
    precision_SO = (matches_SO + _COCO_TINY) / (guesses_SO + _COCO_SMALL)
    ratio_S1 = (length_S1 + _COCO_TINY) / (reference_S1 + _COCO_SMALL)
    brevity_S1 = np.where(ratio_S1 < 1, np.exp(1 - 1 / ratio_S1), 1.0)
    return brevity_S1 * np.cumprod(precision_SO, axis=1) ** (1 / ORDERS_O)


def score_nltk_sums(sums_SK: np.ndarray) -> np.ndarray:
    """Returns NLTK's BLEU-1 to BLEU-4 (S, 4), given summed rows of counts (S, 10)."""
    matches_SO, guesses_SO, length_S1, reference_S1 = _split_sums(sums_SK)
    precision_SO = np.where(matches_SO > 0, matches_SO / guesses_SO, sys.float_info.min)
    with np.errstate(divide="ignore", invalid="ignore"):  # no words at all: replaced below
        penalty_S1 = np.exp(np.minimum(0, 1 - reference_S1 / length_S1))
    bleu_SO = penalty_S1 * np.exp(np.cumsum(np.log(precision_SO), axis=1) / ORDERS_O)
    return np.where(matches_SO[:, :1] > 0, bleu_SO, 0.0)
