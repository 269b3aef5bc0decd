"""How much each training image tells of another image, learnt by kernel ridge regression.

Whatever is known of every training image, such as the words of its captions, can be foretold for
another image as the weighted sum of what is known of each. Weights that fall with distance, as
those of nearest neighbours do, count a scene as often as it was photographed; regression
(Saunders et al. 1998, icml.cc) looks at how the training images resemble each other as well, so
that many images alike share their say and an image that tells little by itself can be weighed
below 0.

Dimension key: N images, T training images, F features.
"""

import numpy as np
from scipy import linalg

from captioner.metrics.feature_scale import FeatureScale

RIDGE = 0.3  # chosen on the dev images of Flickr8k, where .1 to .6 do as well
WIDTH = 1.0  # of the kernel, in mean squared distances of training images; .7 to 1.5 do as well


class Resemblance:
    """Weighs the training images for others.

    The kernel is Gaussian, over features as `FeatureScale` gives them.

    Args:
        training_TF: float (T, F), features of one or more training images. Time grows with the
            cube of T and memory with its square: 8,192 images take 0.5 GB and 5 seconds.
    """

    def __init__(self, training_TF: np.ndarray) -> None:
        self._scale = FeatureScale.learn(training_TF)
        self._training_TF = self._scale(training_TF)
        distances_TT = self._measure_distances(self._training_TF)
        self._width = WIDTH * max(float(distances_TT.mean()), 1e-9)  # 0 where all are alike
        kernel_TT = self._apply_kernel(distances_TT)
        kernel_TT[np.diag_indices_from(kernel_TT)] += RIDGE
        self._factor = linalg.cho_factor(
            kernel_TT, lower=True, overwrite_a=True, check_finite=False
        )

    def weigh(self, vectors_NF: np.ndarray) -> np.ndarray:
        """Returns the weight of each training image for each image.

        An image unlike all training images gets the same weight for each of them.

        Args:
            vectors_NF: float (N, F), the features of N images.

        Returns:
            float32 (N, T), which sums to 1 over the training images; single weights may be
            below 0.
        """
        images_NF = self._scale(vectors_NF)
        kernel_NT = self._apply_kernel(self._measure_distances(images_NF))
        weights_TN = linalg.cho_solve(self._factor, kernel_NT.T, check_finite=False)
        weights_NT = np.ascontiguousarray(weights_TN.T)
        # What is foretold is the difference from the mean over the training images.
        weights_NT += (1 - weights_NT.sum(axis=1, keepdims=True)) / weights_NT.shape[1]
        return weights_NT

    def _measure_distances(self, images_NF: np.ndarray) -> np.ndarray:
        """Returns the squared distance of vectors of length 1 to each training image."""
        distances_NT = images_NF @ self._training_TF.T
        distances_NT *= -2
        distances_NT += 2
        return distances_NT

    def _apply_kernel(self, distances: np.ndarray) -> np.ndarray:
        distances /= -self._width
        return np.exp(distances, out=distances)
