"""The references of all images, indexed by image and n-gram, and captions scored by that index.

CIDEr-D is pycocoevalcap's (Vedantam et al. 2015, arXiv:1411.5726: 1 to 4 words, sigma 6, clipped,
times 10), with document frequencies of the indexed references, whatever captions are scored.
BLEU is coco-caption's, of each caption alone.

Dimension key: H hypotheses, C references of all images, N images, G distinct n-grams of all
references, P distinct pairs of an image and an n-gram of its references, R n-grams of the
references (the distinct ones of each), E likewise of the hypotheses, M matches of an n-gram of a
hypothesis in one reference, O = 4 n-gram orders.
"""

from dataclasses import dataclass

import numpy as np

from captioner.errors import ScoreError
from captioner.metrics.bleu import NUM_ORDERS, score_coco_sums
from captioner.metrics.ngrams import CaptionNgrams
from captioner.metrics.tf_idf import CIDER_SCALE, find, measure_norms, weigh_gaps


@dataclass(frozen=True, eq=False)
class Lookup:
    """Hypotheses, and where their n-grams stand in the index.

    Args:
        ngrams: the hypotheses' n-grams.
        images_H: int64 (H,), whose references they are compared with.
        grams_E: int64 (E,), the number of each n-gram; G where no reference holds it.
        pairs_E: int64 (E,), that of image and n-gram; P where none of its references holds it.
    """

    ngrams: CaptionNgrams
    images_H: np.ndarray
    grams_E: np.ndarray
    pairs_E: np.ndarray


class ReferenceIndex:
    """What CIDEr-D and BLEU need of the references, counted once.

    Args:
        references: the n-grams of C references.
        images_C: int64 (C,), the image of each.
        num_images: N; an image without references scores 0.

    Raises:
        ScoreError: there are no references.
    """

    def __init__(self, references: CaptionNgrams, images_C: np.ndarray, num_images: int) -> None:
        if not len(images_C):
            raise ScoreError("Captions are compared with references, and none were given.")
        self._keys_G, grams_R = np.unique(references.keys_E, return_inverse=True)
        codes_R = self._code(images_C[references.captions_E], grams_R)
        self._codes_P, num_entries_P = np.unique(codes_R, return_counts=True)
        # N-grams and pairs that are not found get the number behind the last.
        frequency_G = np.bincount(self._codes_P % (len(self._keys_G) + 1), minlength=1)
        rarity_G = np.log(num_images) - np.log(frequency_G[: len(self._keys_G)])
        self._rarity_G = np.append(rarity_G, np.log(num_images))
        self._num_entries_P = np.append(num_entries_P, 0)
        self._first_entry_P = np.cumsum(self._num_entries_P) - self._num_entries_P
        self._store_entries(references, grams_R, np.argsort(codes_R, kind="stable"))
        self._references = _ReferenceLengths(references.lengths_C, images_C, num_images)

    def look_up(self, hypotheses: CaptionNgrams, images_H: np.ndarray) -> Lookup:
        """Finds the n-grams of hypotheses in the index.

        Args:
            hypotheses: the n-grams of H captions.
            images_H: integers (H,), 0 to N - 1: whose references count for each.
        """
        images_H = images_H.astype(np.int64)
        grams_E = find(self._keys_G, hypotheses.keys_E)
        codes_E = self._code(images_H[hypotheses.captions_E], grams_E)
        return Lookup(hypotheses, images_H, grams_E, find(self._codes_P, codes_E))

    def score_cider(self, found: Lookup) -> np.ndarray:
        """Returns CIDEr-D of each hypothesis, float64 (H,), 0 to 10."""
        ngrams, num_hypotheses = found.ngrams, len(found.images_H)
        weights_E = ngrams.counts_E * self._rarity_G[found.grams_E]
        norms_E = measure_norms(ngrams, weights_E)
        matched_M, entries_M = self._match(found.pairs_E)
        hypotheses_M = ngrams.captions_E[matched_M]
        products_M = np.minimum(weights_E[matched_M], self._weights_R[entries_M])
        products_M *= self._units_R[entries_M] / norms_E[matched_M]
        products_M *= self._references.weigh_lengths(
            ngrams.lengths_C[hypotheses_M], self._captions_R[entries_M]
        )
        sums_H = np.bincount(hypotheses_M, products_M, num_hypotheses)
        num_references_H = self._references.num_of_N[found.images_H]
        return CIDER_SCALE / NUM_ORDERS * sums_H / np.maximum(num_references_H, 1)

    def score_bleu(self, found: Lookup) -> np.ndarray:
        """Returns BLEU-4 of each hypothesis, float64 (H,), 0 to 1."""
        ngrams, num_hypotheses = found.ngrams, len(found.images_H)
        clipped_E = np.minimum(ngrams.counts_E, self._most_P[found.pairs_E])
        cells_E = ngrams.captions_E * NUM_ORDERS + ngrams.orders_E
        matches_X = np.bincount(cells_E, clipped_E, num_hypotheses * NUM_ORDERS)
        lengths_H = ngrams.lengths_C
        guesses_HO = np.maximum(lengths_H[:, None] - np.arange(NUM_ORDERS), 0)
        closest_H = self._references.find_closest(lengths_H, found.images_H)
        matches_HO = matches_X.reshape(num_hypotheses, NUM_ORDERS)
        table_HK = np.column_stack([matches_HO, guesses_HO, lengths_H, closest_H])
        return score_coco_sums(table_HK)[:, -1]

    def _store_entries(
        self, references: CaptionNgrams, grams_R: np.ndarray, order_R: np.ndarray
    ) -> None:
        """Keeps the references' n-grams in the order of pairs, with their tf-idf weights."""
        weights_R = references.counts_E * self._rarity_G[grams_R]
        self._captions_R = references.captions_E[order_R]
        self._weights_R = weights_R[order_R]
        self._units_R = (weights_R / measure_norms(references, weights_R))[order_R]
        most_P = np.zeros(len(self._num_entries_P), np.int64)
        pairs_R = np.repeat(np.arange(len(most_P)), self._num_entries_P)
        np.maximum.at(most_P, pairs_R, references.counts_E[order_R])
        self._most_P = most_P

    def _code(self, images: np.ndarray, grams: np.ndarray) -> np.ndarray:
        return images * (len(self._keys_G) + 1) + grams

    def _match(self, pairs_E: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns, for each match, which of E n-grams and which of R entries of references."""
        num_E = self._num_entries_P[pairs_E]
        matched_M = np.repeat(np.arange(len(pairs_E)), num_E)
        before_E = np.cumsum(num_E) - num_E
        entries_M = np.arange(len(matched_M)) + (self._first_entry_P[pairs_E] - before_E)[matched_M]
        return matched_M, entries_M


class _ReferenceLengths:
    """The lengths of each image's references."""

    def __init__(self, lengths_C: np.ndarray, images_C: np.ndarray, num_images: int) -> None:
        self._lengths_C = lengths_C
        self.num_of_N = np.bincount(images_C, minlength=num_images)
        first_N = np.cumsum(self.num_of_N) - self.num_of_N
        order_C = np.lexsort((lengths_C, images_C))
        columns_C = np.arange(len(order_C)) - first_N[images_C[order_C]]
        # Rows are padded with lengths that are close to none.
        self._sorted_NX = np.full((num_images, max(self.num_of_N.max(), 1)), np.inf)
        self._sorted_NX[images_C[order_C], columns_C] = lengths_C[order_C]

    def weigh_lengths(self, lengths_M: np.ndarray, captions_M: np.ndarray) -> np.ndarray:
        """Returns what is left of a match where lengths differ."""
        return weigh_gaps(lengths_M, self._lengths_C[captions_M])

    def find_closest(self, lengths_H: np.ndarray, images_H: np.ndarray) -> np.ndarray:
        """Returns the closest length of a reference; of two equally close, the shorter."""
        sorted_HX = self._sorted_NX[images_H]
        closest_H = np.argmin(np.abs(sorted_HX - lengths_H[:, None]), axis=1)
        return np.take_along_axis(sorted_HX, closest_H[:, None], axis=1)[:, 0]
