"""The nearest neighbour: by angle, the first of equals, and the same however blocks are cut."""

import numpy as np
import pytest

from captioner.metrics import neighbours
from captioner.metrics.neighbours import find_neighbours


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(neighbours, "_BLOCK_IMAGES", 3)
    monkeypatch.setattr(neighbours, "_BLOCK_TRAINING", 7)


@pytest.mark.usefixtures("small_blocks")
def test_neighbours_are_nearest_by_angle():
    generator = np.random.default_rng(0)
    vectors, training = generator.normal(size=(10, 5)), generator.normal(size=(20, 5))
    norms = np.linalg.norm(vectors, axis=1)[:, None] * np.linalg.norm(training, axis=1)
    expected = np.argmax(vectors @ training.T / norms, axis=1)
    np.testing.assert_array_equal(find_neighbours(vectors, training), expected)
    np.testing.assert_array_equal(find_neighbours(9 * vectors, 0.1 * training), expected)


@pytest.mark.usefixtures("small_blocks")
def test_of_equals_the_first_in_order_is_taken():
    kinds_T = np.array([2, 0, 2, 2, 0, 0, 2, 1, 0, 1, 2, 1])
    assert find_neighbours(np.eye(3), np.eye(3)[kinds_T]).tolist() == [1, 7, 0]


def test_a_vector_of_zeros_has_some_neighbour():
    assert find_neighbours(np.zeros((1, 3)), np.eye(3)).tolist() == [0]
