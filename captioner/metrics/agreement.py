"""How far captions agree with what people can be expected to say.

Dimension key: H captions, T training images, F features, E distinct n-grams of each caption, R the
same of training captions, O = 4 n-gram orders.
"""

from typing import NamedTuple

import numpy as np

from captioner.errors import ScoreError
from captioner.metrics.bleu import NUM_ORDERS
from captioner.metrics.ngrams import CaptionNgrams, count_caption_ngrams, pad_captions
from captioner.metrics.tf_idf import CIDER_SCALE, measure_norms
from captioner.text.tokens import TokenisedCaptions
from captioner.text.vocabulary import END, START

NUM_REFERENCES = 5  # human captions that an image will be scored against


class Agreement(NamedTuple):
    """How far captions agree with what people can be expected to say, near to two usual scores.

    Args:
        cider_H: float64 (H,), about 0 to 10: the CIDEr to expect. It can be a little below 0.
        precision_H: float64 (H,), 0 to 4: what BLEU counts, see `expect_precision`.
    """

    cider_H: np.ndarray
    precision_H: np.ndarray


def count_training_ngrams(captions: TokenisedCaptions, vectors_TF: np.ndarray) -> CaptionNgrams:
    """Counts what people said of the training images, whose features are learnt from.

    Args:
        captions: of T training images.
        vectors_TF: float (T, F), their features.

    Raises:
        ScoreError: the number of images and of features differ.
    """
    if len(vectors_TF) != len(captions.image_ids):
        raise ScoreError(
            "What people say is learnt from the features of images with captions. Received "
            f"{len(vectors_TF):,} features for {len(captions.image_ids):,} images."
        )
    words = [caption[~np.isin(caption, (START, END))] for caption in captions]
    return count_caption_ngrams(pad_captions(words))


def average_norms(ngrams: CaptionNgrams, rarity_R: np.ndarray) -> np.ndarray:
    """Returns the mean length of training captions' vectors, float64 (4,), order by order.

    A caption counts as often as it has n-grams of that order.

    Args:
        ngrams: of the training captions.
        rarity_R: float (R,), of each n-gram, as CIDEr-D weighs it.
    """
    norms_R = measure_norms(ngrams, ngrams.counts_E * rarity_R)
    sums_O = np.bincount(ngrams.orders_E, norms_R, NUM_ORDERS)
    counts_O = np.bincount(ngrams.orders_E, minlength=NUM_ORDERS)
    return np.where(counts_O, sums_O, 1) / np.maximum(counts_O, 1)


def expect_cider(
    ngrams: CaptionNgrams, shares_E: np.ndarray, rarity_E: np.ndarray, norms_O: np.ndarray
) -> np.ndarray:
    """Returns the CIDEr to expect of each caption, float64 (H,), 0 to about 10.

    It is reckoned as if all human captions were as long as the caption itself, and their vectors
    as long as they are on average, so a caption loses nothing by its length.

    Args:
        ngrams: of H captions.
        shares_E: float (E,), which share of human captions can be expected to hold each n-gram;
            estimates below 0 or above 1 count as 0 and 1.
        rarity_E: float (E,), of each n-gram, as CIDEr-D weighs it.
        norms_O: float (4,), see `average_norms`.
    """
    norms_E = measure_norms(ngrams, ngrams.counts_E * rarity_E) * norms_O[ngrams.orders_E]
    products_E = np.clip(shares_E, 0, 1) * rarity_E**2 / norms_E
    sums_H = np.bincount(ngrams.captions_E, products_E, len(ngrams.lengths_C))
    return CIDER_SCALE / NUM_ORDERS * sums_H


def expect_precision(ngrams: CaptionNgrams, shares_E: np.ndarray) -> np.ndarray:
    """Returns the expected precision of each caption, summed over orders, float64 (H,), 0 to 4.

    For each n-gram the chance that one of five human captions of the image would hold it; the
    mean over a caption's n-grams of one order, summed over orders 1 to 4.

    Args:
        ngrams: of H captions.
        shares_E: float (E,), which share of human captions can be expected to hold each n-gram;
            estimates below 0 or above 1 count as 0 and 1.
    """
    chance_E = 1 - (1 - np.clip(shares_E, 0, 1)) ** NUM_REFERENCES
    num_captions = len(ngrams.lengths_C)
    cells_E = ngrams.captions_E * NUM_ORDERS + ngrams.orders_E
    # A second occurrence of an n-gram is hardly ever matched again, but it counts as a guess.
    expected_HO = np.bincount(cells_E, chance_E, num_captions * NUM_ORDERS).reshape(-1, NUM_ORDERS)
    guesses_HO = ngrams.lengths_C[:, None] - np.arange(NUM_ORDERS)
    return np.sum(expected_HO / np.maximum(guesses_HO, 1), axis=1)
