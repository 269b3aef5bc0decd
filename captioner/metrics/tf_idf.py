"""What CIDEr-D's two ways of comparing captions share.

Vedantam et al. 2015, arXiv:1411.5726, as pycocoevalcap counts it: n-grams of 1 to 4 words weighed
by how often they stand in a caption times how few images have them.
"""

import numpy as np

from captioner.metrics.bleu import NUM_ORDERS
from captioner.metrics.ngrams import CaptionNgrams

CIDER_SCALE = 10.0

_SIGMA = 6.0


def measure_norms(ngrams: CaptionNgrams, weights_E: np.ndarray) -> np.ndarray:
    """Returns for each n-gram the length of its caption's vector of that order; 1 in place of 0."""
    cells_E = ngrams.captions_E * NUM_ORDERS + ngrams.orders_E
    norms_E = np.sqrt(np.bincount(cells_E, weights_E**2)[cells_E])
    return np.where(norms_E > 0, norms_E, 1.0)


def weigh_gaps(lengths: np.ndarray, other_lengths: np.ndarray) -> np.ndarray:
    """Returns what is left of a match where captions' lengths differ, above 0 to 1.

    CIDEr-D counts pairs of words, of which a caption without any has as many as one of a word.
    """
    gaps = np.maximum(lengths, 1) - np.maximum(other_lengths, 1)
    return np.exp(gaps**2 / (-2 * _SIGMA**2))


def find(sorted_X: np.ndarray, wanted_E: np.ndarray) -> np.ndarray:
    """Returns where each value stands, and the number behind the last for one that does not."""
    places_E = np.searchsorted(sorted_X, wanted_E)
    is_there_E = places_E < len(sorted_X)
    is_there_E[is_there_E] = sorted_X[places_E[is_there_E]] == wanted_E[is_there_E]
    return np.where(is_there_E, places_E, len(sorted_X))
