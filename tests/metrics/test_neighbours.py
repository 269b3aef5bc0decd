"""Nearest neighbours: by angle, equals in order, and the same however blocks are cut."""

import numpy as np
import pytest

from captioner.metrics import neighbours
from captioner.metrics.neighbours import find_neighbours, rank_neighbours


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(neighbours, "_BLOCK_IMAGES", 3)
    monkeypatch.setattr(neighbours, "_BLOCK_TRAINING", 7)


@pytest.mark.usefixtures("small_blocks")
def test_neighbours_are_nearest_by_angle():
    generator = np.random.default_rng(0)
    vectors, training = generator.normal(size=(10, 5)), generator.normal(size=(20, 5))
    norms = np.linalg.norm(vectors, axis=1)[:, None] * np.linalg.norm(training, axis=1)
    expected = np.argsort(-(vectors @ training.T / norms), axis=1)
    np.testing.assert_array_equal(find_neighbours(vectors, training), expected[:, 0])
    np.testing.assert_array_equal(find_neighbours(9 * vectors, 0.1 * training), expected[:, 0])
    for num in (1, 2, 6, 8, 20):
        np.testing.assert_array_equal(rank_neighbours(vectors, training, num), expected[:, :num])


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("num", [1, 3, 8, 15, 30])
def test_of_equals_the_first_in_order_come_first(num):
    generator = np.random.default_rng(1)
    kinds_T = generator.integers(0, 3, 30)  # three directions, ten images or so of each
    ranked = rank_neighbours(np.eye(3), np.eye(3)[kinds_T], num)
    expected = [np.argsort(kinds_T != kind, kind="stable")[:num] for kind in range(3)]
    np.testing.assert_array_equal(ranked, expected)


def test_there_are_no_more_neighbours_than_images():
    assert rank_neighbours(np.ones((1, 2)), np.ones((4, 2)), 9).tolist() == [[0, 1, 2, 3]]


def test_a_vector_of_zeros_has_some_neighbour():
    assert find_neighbours(np.zeros((1, 3)), np.eye(3)).tolist() == [0]
