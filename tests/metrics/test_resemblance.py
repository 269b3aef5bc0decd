"""Training images are weighed for others by kernel ridge regression."""

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge

from captioner.metrics.resemblance import RIDGE, WIDTH, Resemblance


@pytest.fixture
def vectors():
    return np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)


def test_what_is_foretold_is_scikit_learns_kernel_ridge_regression(vectors):
    training, images = vectors[:30], vectors[30:]
    known = np.random.default_rng(1).normal(size=(30, 3))
    roots = np.sign(vectors) * np.sqrt(np.abs(vectors))
    scaled = (roots - roots[:30].mean(axis=0)) / roots[:30].std(axis=0)
    units = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
    distances = ((units[:30, None] - units[None, :30]) ** 2).sum(axis=-1)
    library = KernelRidge(alpha=RIDGE, kernel="rbf", gamma=1 / (WIDTH * distances.mean()))
    library.fit(units[:30], known - known.mean(axis=0))
    expected = library.predict(units[30:]) + known.mean(axis=0)
    ours = Resemblance(training).weigh(images) @ known
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_weights_sum_to_one_and_an_image_resembles_itself_most(vectors):
    weights = Resemblance(vectors).weigh(vectors)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(weights.argmax(axis=1), np.arange(40))


def test_images_photographed_twice_share_their_say():
    """What many images alike say counts little more than what a single one says."""
    kinds = np.eye(3)[[0, 0, 0, 0, 1]]
    weights = Resemblance(kinds + 0.1).weigh(np.array([[1.0, 1.0, 0.1]]))[0]
    assert weights[4] > 2 * weights[0] > 0


@pytest.mark.parametrize("num_training", [1, 3])
def test_training_images_all_alike_have_an_equal_say(num_training):
    same = np.ones((num_training, 4), np.float32)
    weights = Resemblance(same).weigh(np.array([[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 0.0]]))
    np.testing.assert_allclose(weights, 1 / num_training, atol=1e-6)


def test_features_of_half_precision_and_below_zero_are_taken(vectors):
    halves = vectors.astype(np.float16)
    np.testing.assert_array_equal(
        Resemblance(halves).weigh(halves[:2]),
        Resemblance(halves.astype(np.float32)).weigh(halves[:2].astype(np.float32)),
    )
