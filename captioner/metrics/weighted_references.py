"""Captions of one image compared with references of many images, each image with a weight.

Dimension key: T images with references, C references of all of them, R n-grams of the references
(the distinct ones of each), H hypotheses, E n-grams of the hypotheses likewise, O occurrences: an
n-gram together with the how-manieth time it stands in one caption, K of them that are asked for,
U distinct lengths of the hypotheses.
"""

import numpy as np
from scipy import sparse

from captioner.errors import ScoreError
from captioner.metrics.agreement import average_norms
from captioner.metrics.bleu import NUM_ORDERS
from captioner.metrics.ngrams import CaptionNgrams
from captioner.metrics.tf_idf import CIDER_SCALE, find, measure_norms, weigh_gaps


class WeightedReferences:
    """What CIDEr-D and n-gram shares need of the references, as sparse matrices.

    Of an n-gram that two captions hold, CIDEr-D counts the smaller weight (it is clipped), and
    that is a sum over the occurrences that both have: so all references are compared by one
    product, instead of reference by reference.

    Args:
        references: the n-grams of C references.
        images_C: int64 (C,), 0 to T - 1, the image of each.
        num_images: T.

    Attributes:
        norms_O: float64 (4,), see `average_norms`.

    Raises:
        ScoreError: there are no references.
    """

    def __init__(self, references: CaptionNgrams, images_C: np.ndarray, num_images: int) -> None:
        if not len(images_C):
            raise ScoreError("Captions are compared with references, and none were given.")
        self._images_C = images_C
        self._lengths_C = references.lengths_C
        self._num_references_T = np.bincount(images_C, minlength=num_images)
        self._keys_G, grams_R = np.unique(references.keys_E, return_inverse=True)
        pairs = np.unique(images_C[references.captions_E] * len(self._keys_G) + grams_R)
        frequency_G = np.bincount(pairs % max(len(self._keys_G), 1), minlength=len(self._keys_G))
        # N-grams that are not found get the number behind the last.
        self._rarity_G = np.log(num_images) - np.log(np.append(frequency_G, 1))
        self.norms_O = average_norms(references, self._rarity_G[grams_R])
        self._index_occurrences(references, grams_R)

    def measure_rarity(self, ngrams: CaptionNgrams) -> np.ndarray:
        """Returns how rare each n-gram is among the references' images, float64 (E,)."""
        return self._rarity_G[find(self._keys_G, ngrams.keys_E)]

    def score(
        self, hypotheses: CaptionNgrams, weights_T: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Compares captions of one image with the references.

        Args:
            hypotheses: the n-grams of H captions.
            weights_T: float (T,), the weight of each image; a caption of an image with several
                gets its part.

        Returns:
            float64 (H,), CIDEr-D against the captions of each image, weighted and summed, and
            float64 (E,), the share of captions that hold each n-gram, weighted likewise.
        """
        weights_C = (weights_T / np.maximum(self._num_references_T, 1))[self._images_C]
        grams_E = find(self._keys_G, hypotheses.keys_E)
        entries_X, occurrences_X = self._find_occurrences(grams_E, hypotheses.counts_E)
        occurrences_K, places_X = np.unique(occurrences_X, return_inverse=True)
        lengths_U, columns_H = np.unique(hypotheses.lengths_C, return_inverse=True)
        weights_CU = weights_C[:, None] * weigh_gaps(self._lengths_C[:, None], lengths_U)
        products_KU = self._units_OC[occurrences_K] @ weights_CU
        captions_X = hypotheses.captions_E[entries_X]
        norms_E = measure_norms(hypotheses, hypotheses.counts_E * self._rarity_G[grams_E])
        products_X = products_KU[places_X, columns_H[captions_X]] / norms_E[entries_X]
        sums_H = np.bincount(captions_X, products_X, len(hypotheses.lengths_C))
        return CIDER_SCALE / NUM_ORDERS * sums_H, self._share_ngrams(grams_E, weights_C)

    def _index_occurrences(self, references: CaptionNgrams, grams_R: np.ndarray) -> None:
        weights_R = references.counts_E * self._rarity_G[grams_R]
        values_R = weights_R / measure_norms(references, weights_R) * self._rarity_G[grams_R]
        entries_X, turns_X = _unroll(references.counts_E)
        self._max_count = int(references.counts_E.max(initial=1))
        codes_X = grams_R[entries_X] * self._max_count + turns_X
        self._codes_O, occurrences_X = np.unique(codes_X, return_inverse=True)
        num_references = len(self._images_C)
        self._units_OC = sparse.csr_array(
            (
                values_R[entries_X].astype(np.float32),
                (occurrences_X, references.captions_E[entries_X]),
            ),
            shape=(len(self._codes_O), num_references),
        )
        self._holders_GC = sparse.csr_array(
            (np.ones(len(grams_R), np.float32), (grams_R, references.captions_E)),
            shape=(len(self._keys_G), num_references),
        )

    def _find_occurrences(
        self, grams_E: np.ndarray, counts_E: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the entry and the number of each occurrence that a reference has as well."""
        entries_X, turns_X = _unroll(np.minimum(counts_E, self._max_count))
        occurrences_X = find(self._codes_O, grams_E[entries_X] * self._max_count + turns_X)
        is_known_X = occurrences_X < len(self._codes_O)
        return entries_X[is_known_X], occurrences_X[is_known_X]

    def _share_ngrams(self, grams_E: np.ndarray, weights_C: np.ndarray) -> np.ndarray:
        is_known_E = grams_E < len(self._keys_G)
        grams_K, places_X = np.unique(grams_E[is_known_E], return_inverse=True)
        shares_E = np.zeros(len(grams_E))
        shares_E[is_known_E] = (self._holders_GC[grams_K] @ weights_C)[places_X]
        return shares_E


def _unroll(counts_E: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns each entry as often as it counts, and the turns 0, 1, ... of each."""
    entries_X = np.repeat(np.arange(len(counts_E)), counts_E)
    starts_E = np.cumsum(counts_E) - counts_E
    return entries_X, np.arange(len(entries_X)) - starts_E[entries_X]
