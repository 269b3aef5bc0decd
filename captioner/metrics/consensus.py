"""Captions of an image judged by what people said of images like it.

Devlin et al. 2015, arXiv:1505.04467: the captions of the nearest training images agree on what
there is to be seen, so of several captions for an image the one that agrees most with them is
often the best. Agreement is measured in two ways, each near to one of the usual scores: CIDEr-D
against each neighbour's captions, and the share of n-grams that a human caption of the image
itself can be expected to hold, which is what BLEU counts.

Dimension key: N images, T training images, F features, L neighbours, H captions, S words, E
distinct n-grams of each caption, O = 4 n-gram orders.
"""

from typing import NamedTuple

import numpy as np

from captioner.errors import ScoreError
from captioner.metrics.bleu import NUM_ORDERS
from captioner.metrics.neighbours import rank_neighbours
from captioner.metrics.ngrams import CaptionNgrams, count_caption_ngrams, pad_captions
from captioner.metrics.reference_index import ReferenceIndex
from captioner.text.tokens import TokenisedCaptions
from captioner.text.vocabulary import END, START

NUM_NEIGHBOURS = 60
NUM_REFERENCES = 5  # human captions that an image will be scored against


class Agreement(NamedTuple):
    """How far captions agree with those of the nearest training images.

    Args:
        cider_H: float64 (H,), 0 to 10: CIDEr-D against each neighbour's captions, their mean.
        precision_H: float64 (H,), 0 to 4: for each n-gram the chance that one of five captions
            of the image would hold it, if people said of it what they said of its neighbours;
            the mean over a caption's n-grams of one order, summed over orders 1 to 4.
    """

    cider_H: np.ndarray
    precision_H: np.ndarray


class Consensus:
    """Measures how far captions agree with those of the nearest training images.

    Args:
        captions: of the T training images that have features, and of no others.
        vectors_TF: float (T, F), their features, in the order of `captions.image_ids`.
        num_neighbours: training images whose captions are asked, 1 or more; all of them where
            there are fewer.

    Raises:
        ScoreError: the number of images and of features differ.
    """

    def __init__(
        self,
        captions: TokenisedCaptions,
        vectors_TF: np.ndarray,
        num_neighbours: int = NUM_NEIGHBOURS,
    ) -> None:
        if len(vectors_TF) != len(captions.image_ids):
            raise ScoreError(
                f"Consensus needs the features of the images with captions. Received "
                f"{len(vectors_TF):,} features for {len(captions.image_ids):,} images."
            )
        words = [caption[~np.isin(caption, (START, END))] for caption in captions]
        ngrams = count_caption_ngrams(pad_captions(words))
        images_C = captions.image_index.astype(np.int64)
        self._index = ReferenceIndex(ngrams, images_C, len(captions.image_ids))
        self._num_captions_T = np.bincount(images_C, minlength=len(captions.image_ids))
        self._vectors_TF = vectors_TF
        self._num_neighbours = min(num_neighbours, len(vectors_TF))

    def score(
        self, ids_HS: np.ndarray, vectors_NF: np.ndarray, image_index_H: np.ndarray
    ) -> Agreement:
        """Returns the agreement of each caption.

        Args:
            ids_HS: integers (H, S), the words of each caption, then zeros.
            vectors_NF: float (N, F), the features of the images.
            image_index_H: integers (H,), 0 to N - 1: the image of each caption.
        """
        neighbours_NL = rank_neighbours(vectors_NF, self._vectors_TF, self._num_neighbours)
        ngrams = count_caption_ngrams(ids_HS)
        cider_H = np.zeros(len(ids_HS))
        holders_E = np.zeros(len(ngrams.keys_E))
        for neighbour_N in neighbours_NL.T:
            found = self._index.look_up(ngrams, neighbour_N[image_index_H])
            cider_H += self._index.score_cider(found)
            holders_E += self._index.count_holders(found)
        asked_H = self._num_captions_T[neighbours_NL].sum(axis=1)[image_index_H]
        share_E = holders_E / np.maximum(asked_H, 1)[ngrams.captions_E]
        return Agreement(cider_H / self._num_neighbours, _expect_precision(ngrams, share_E))


def _expect_precision(ngrams: CaptionNgrams, share_E: np.ndarray) -> np.ndarray:
    """Returns the expected precision of each caption, summed over orders, float64 (H,)."""
    chance_E = 1 - (1 - share_E) ** NUM_REFERENCES
    num_captions = len(ngrams.lengths_C)
    cells_E = ngrams.captions_E * NUM_ORDERS + ngrams.orders_E
    # A second occurrence of an n-gram is hardly ever matched again, but it counts as a guess.
    expected_HO = np.bincount(cells_E, chance_E, num_captions * NUM_ORDERS).reshape(-1, NUM_ORDERS)
    guesses_HO = ngrams.lengths_C[:, None] - np.arange(NUM_ORDERS)
    return np.sum(expected_HO / np.maximum(guesses_HO, 1), axis=1)
