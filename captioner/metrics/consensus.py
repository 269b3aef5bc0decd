"""Captions of an image judged by what people said of images like it.

Devlin et al. 2015, arXiv:1505.04467: the captions of the nearest training images agree on what
there is to be seen, so of several captions for an image the one that agrees most with them is
often the best. Here all training images have a say, with the weights of a kernel regression in
place of equal ones for the nearest. Agreement is CIDEr-D against what was said of each of them,
and the n-grams that a human caption of the image itself can be expected to hold.

CIDEr-D prefers captions as long as those of images alike. Half of the say has a second estimate,
from the n-grams to be expected, that asks for no length; why both together do better was not taken
apart. Measured in `pipelines/README.md`.

Dimension key: N images, B of them in a block, T training images, F features, H captions to judge,
S words, E distinct n-grams of each caption.
"""

import numpy as np

from captioner.metrics.agreement import (
    Agreement,
    count_training_ngrams,
    expect_cider,
    expect_precision,
)
from captioner.metrics.ngrams import CaptionNgrams, count_caption_ngrams
from captioner.metrics.resemblance import Resemblance
from captioner.metrics.weighted_references import WeightedReferences
from captioner.text.tokens import TokenisedCaptions

MAX_IMAGES = 8192  # training images that are asked: more take too long to weigh

_BLOCK_IMAGES = 256  # with as many training images as above, 8 MB of weights


class Consensus:
    """Measures how far captions agree with what people said of images that resemble theirs.

    Args:
        captions: of the T training images that have features, and of no others; of more than
            8,192, choose as many with `spread_images`.
        vectors_TF: float (T, F), their features, in the order of `captions.image_ids`.

    Raises:
        ScoreError: the number of images and of features differ, or there are none.
    """

    def __init__(self, captions: TokenisedCaptions, vectors_TF: np.ndarray) -> None:
        self._references = WeightedReferences(
            count_training_ngrams(captions, vectors_TF),
            captions.image_index.astype(np.int64),
            len(captions.image_ids),
        )
        self._resemblance = Resemblance(vectors_TF)

    def score(
        self, ids_HS: np.ndarray, vectors_NF: np.ndarray, image_index_H: np.ndarray
    ) -> Agreement:
        """Returns the agreement of each caption.

        Args:
            ids_HS: integers (H, S), the words of each caption, then zeros.
            vectors_NF: float (N, F), the features of the images.
            image_index_H: integers (H,), 0 to N - 1: the image of each caption.
        """
        agreement = Agreement(np.zeros(len(ids_HS)), np.zeros(len(ids_HS)))
        order_H = np.argsort(image_index_H, kind="stable")
        bounds = np.searchsorted(image_index_H[order_H], np.arange(len(vectors_NF) + 1))
        for start in range(0, len(vectors_NF), _BLOCK_IMAGES):
            weights_BT = self._resemblance.weigh(vectors_NF[start : start + _BLOCK_IMAGES])
            for image, weights_T in enumerate(weights_BT, start):
                own = order_H[bounds[image] : bounds[image + 1]]
                judged = self._judge(count_caption_ngrams(ids_HS[own]), weights_T)
                agreement.cider_H[own], agreement.precision_H[own] = judged
        return agreement

    def _judge(self, ngrams: CaptionNgrams, weights_T: np.ndarray) -> Agreement:
        """Judges captions of one image, with the weight of each training image."""
        references = self._references
        cider_H, shares_E = references.score(ngrams, weights_T)
        rarity_E = references.measure_rarity(ngrams)
        usual_H = expect_cider(ngrams, shares_E, rarity_E, references.norms_O)
        return Agreement((cider_H + usual_H) / 2, expect_precision(ngrams, shares_E))


def spread_images(num_images: int) -> np.ndarray:
    """Returns which of the training images are asked, int64, at even steps: 8,192 at most."""
    num_asked = min(num_images, MAX_IMAGES)
    return np.arange(num_asked) * num_images // max(num_asked, 1)
