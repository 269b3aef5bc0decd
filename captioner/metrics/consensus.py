"""Captions of an image judged by what people said of images like it.

Devlin et al. 2015, arXiv:1505.04467: the captions of the nearest training images agree on what
there is to be seen, so of several captions for an image the one that agrees most with them is
often the best. Here agreement is CIDEr-D against each neighbour's captions, averaged over
neighbours, and it is added to what the decoder thinks of a caption.

Dimension key: N images, T training images, F features, L neighbours, H captions, S words.
"""

import numpy as np

from captioner.errors import ScoreError
from captioner.metrics.baselines import rank_neighbours
from captioner.metrics.reward import CaptionReward, RewardSettings
from captioner.text.tokens import TokenisedCaptions

NUM_NEIGHBOURS = 60


class Consensus:
    """How far captions agree with those of the nearest training images.

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
        self._agreement = CaptionReward.from_captions(captions, RewardSettings(count_end=False))
        self._vectors_TF = vectors_TF
        self._num_neighbours = min(num_neighbours, len(vectors_TF))

    def score(
        self, ids_HS: np.ndarray, vectors_NF: np.ndarray, image_index_H: np.ndarray
    ) -> np.ndarray:
        """Returns the agreement of each caption, float64 (H,), 0 to 10.

        Args:
            ids_HS: integers (H, S), the words of each caption, then zeros.
            vectors_NF: float (N, F), the features of the images.
            image_index_H: integers (H,), 0 to N - 1: the image of each caption.
        """
        neighbours_NL = rank_neighbours(vectors_NF, self._vectors_TF, self._num_neighbours)
        scores_H = np.zeros(len(ids_HS))
        for neighbour_N in neighbours_NL.T:
            scores_H += self._agreement.score(ids_HS, neighbour_N[image_index_H])
        return scores_H / self._num_neighbours
