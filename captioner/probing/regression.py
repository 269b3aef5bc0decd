"""A logistic regression per word over features, cross-validated by image.

What a linear reader finds in features is what a decoder's first layer finds there: linear probes,
Alain and Bengio 2016, arXiv:1610.01644.

Columns are standardised and rotated onto their 256 principal components, once per fold and for all
words alike, which costs about 0.002 of the area and saves nine tenths of the time.

Dimension key: N images, V words, K folds, F width of a vector, P principal components.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from captioner.progress import Progress

NUM_COMPONENTS = 256
# inverse strengths of the L2 penalty, for features scaled to a mean squared length of 1
STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0)

_WORDS_FOR_STRENGTH = 30
_MAX_STEPS = 300


@dataclass(frozen=True, eq=False)
class WordAreas:
    """How well each word is read off the features.

    Args:
        areas_KV: float64 (K, V): area under the curve of true against false positives, on the
            images of each fold left out; 0.5 is chance, 1 is certainty. NaN where a fold has no
            image with the word, or none without.
        strength: the inverse strength of the penalty that read best.
    """

    areas_KV: np.ndarray
    strength: float

    @property
    def words(self) -> np.ndarray:
        """The area of each word, float64 (V,): the mean over folds."""
        means_V: np.ndarray = np.nanmean(self.areas_KV, axis=0)
        return means_V

    @property
    def mean(self) -> float:
        """The overall figure: the mean over words."""
        return float(self.words.mean())

    @property
    def deviation(self) -> float:
        """The standard deviation of the overall figure from fold to fold."""
        return float(np.nanmean(self.areas_KV, axis=1).std(ddof=1))


def chance_areas(num_folds: int, num_words: int) -> WordAreas:
    """Returns what features give that are the same for all images: 0.5 for every word."""
    return WordAreas(np.full((num_folds, num_words), 0.5), strength=1.0)


def cross_validate(
    vectors_NF: np.ndarray, present_NV: np.ndarray, *, num_folds: int = 5, seed: int = 0
) -> WordAreas:
    """Fits a logistic regression per word on all folds but one, and tests it on that one.

    The strength of the penalty is chosen on the first fold and 30 of the words, for each matrix
    of features anew: encoders of different widths are each read as well as they can be.

    Args:
        vectors_NF: float32 (N, F), finite, not all rows equal.
        present_NV: bool (N, V), which image has which word.
        num_folds: K, at least 2. Equal N, K and seed give equal folds.
        seed: of the folds.
    """
    folds = KFold(num_folds, shuffle=True, random_state=seed)
    areas, strength = [], STRENGTHS[0]
    with Progress("probe", num_folds, unit="fold") as progress:
        for number, (trained, tested) in enumerate(folds.split(vectors_NF)):
            fold = _Fold.prepare(vectors_NF, present_NV, trained, tested)
            if number == 0:
                strength = fold.choose_strength()
            areas.append(fold.measure(range(present_NV.shape[1]), strength))
            progress.advance()
    return WordAreas(np.array(areas), strength)


@dataclass(frozen=True, eq=False)
class _Fold:
    trained_NP: np.ndarray
    tested_NP: np.ndarray
    trained_NV: np.ndarray
    tested_NV: np.ndarray

    @classmethod
    def prepare(
        cls,
        vectors_NF: np.ndarray,
        present_NV: np.ndarray,
        trained: np.ndarray,
        tested: np.ndarray,
    ) -> "_Fold":
        """Rotates the features of a fold, having looked at the images trained on alone."""
        rotation = _make_rotation(*vectors_NF[trained].shape)
        trained_NP = rotation.fit_transform(vectors_NF[trained])
        scale = np.sqrt(np.square(trained_NP).sum(axis=1).mean())
        scale = scale if scale > 0 else 1.0
        tested_NP = rotation.transform(vectors_NF[tested])
        return cls(trained_NP / scale, tested_NP / scale, present_NV[trained], present_NV[tested])

    def choose_strength(self) -> float:
        """Returns the strength that reads some of the words best."""
        step = -(-self.trained_NV.shape[1] // _WORDS_FOR_STRENGTH)
        some = range(0, self.trained_NV.shape[1], step)
        means = [np.nanmean(self.measure(some, strength)) for strength in STRENGTHS]
        return STRENGTHS[int(np.argmax(means))]

    @threadpool_limits.wrap(limits=1)  # matrices this small lose by being shared out
    def measure(self, words: range, strength: float) -> list[float]:
        """Returns the area of each word."""
        return [self._measure(word, strength) for word in words]

    def _measure(self, word: int, strength: float) -> float:
        trained_N, tested_N = self.trained_NV[:, word], self.tested_NV[:, word]
        if trained_N.all() or tested_N.all() or not (trained_N.any() and tested_N.any()):
            return float("nan")
        regression = LogisticRegression(C=strength, max_iter=_MAX_STEPS)
        regression.fit(self.trained_NP, trained_N)
        return float(roc_auc_score(tested_N, regression.decision_function(self.tested_NP)))


def _make_rotation(num_images: int, width: int) -> Pipeline:
    num_components = min(NUM_COMPONENTS, num_images - 1, width)
    exact = num_components == min(num_images - 1, width)
    return make_pipeline(
        StandardScaler(),
        PCA(num_components, svd_solver="full" if exact else "randomized", random_state=0),
    )
