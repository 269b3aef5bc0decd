"""Captions that agree with those of similar images are preferred."""

import numpy as np
import pytest

from captioner.errors import ScoreError
from captioner.metrics.consensus import Consensus
from captioner.metrics.reward import CaptionReward, RewardSettings
from captioner.text.tokens import TokenisedCaptions
from captioner.text.vocabulary import END, START

CAPTIONS = [[4, 5, 6], [4, 5, 7], [8, 9, 10], [8, 9, 11], [12, 13, 14]]
IMAGES = [0, 0, 1, 2, 3]
# two images of one kind, two of another
VECTORS = np.array([[1.0, 0.0], [0.0, 1.0], [0.1, 0.9], [0.9, 0.2]], np.float32)


def tokenised():
    rows = [np.array([START, *words, END], np.int32) for words in CAPTIONS]
    return TokenisedCaptions(
        tokens=np.concatenate(rows),
        offsets=np.cumsum([0, *map(len, rows)]),
        image_index=np.array(IMAGES, np.int32),
        image_ids=("a", "b", "c", "d"),
        splits=("train",) * 4,
    )


def test_captions_of_the_nearest_images_win():
    consensus = Consensus(tokenised(), VECTORS, num_neighbours=2)
    captions = np.array([[4, 5, 6], [8, 9, 10], [15, 16, 17]])
    first, second = np.array([[1.0, 0.1]]), np.array([[0.0, 0.5]])
    here, there, nowhere = consensus.score(captions, first, np.zeros(3, int)).cider_H
    assert here > there == nowhere == 0
    here, there, nowhere = consensus.score(captions, second, np.zeros(3, int)).cider_H
    assert there > here == nowhere == 0


def test_agreement_is_the_mean_cider_over_neighbours():
    consensus = Consensus(tokenised(), VECTORS, num_neighbours=99)
    captions = np.array([[4, 5, 6, 0], [8, 9, 11, 4]])
    ours = consensus.score(captions, VECTORS[:2], np.array([0, 1])).cider_H
    reward = CaptionReward.from_captions(tokenised(), RewardSettings(count_end=False))
    each = [reward.score(captions, np.full(2, image)) for image in range(4)]
    np.testing.assert_allclose(ours, np.mean(each, axis=0))
    assert ours.min() > 0


def test_n_grams_are_expected_as_often_as_neighbours_use_them():
    """Worked out by hand: two neighbours with three captions, "4 5 6", "4 5 7" and "12 13 14"."""
    near = np.array([[1.0, 0.0], [0.0, 1.0], [0.1, 0.9], [0.9, 0.0]], np.float32)
    consensus = Consensus(tokenised(), near, num_neighbours=2)
    captions = np.array([[4, 5, 6], [12, 12, 0], [9, 0, 0]])
    precision = consensus.score(captions, near[:1], np.zeros(3, int)).precision_H
    one, two = 1 - (2 / 3) ** 5, 1 - (1 / 3) ** 5  # held by one of the three captions, by two
    np.testing.assert_allclose(precision[0], (two + two + one) / 3 + (two + one) / 2 + one)
    np.testing.assert_allclose(precision[1:], [one / 2, 0])  # what is said twice counts once


def test_features_of_other_images_are_refused():
    with pytest.raises(ScoreError, match="Received 3 features for 4 images"):
        Consensus(tokenised(), VECTORS[:3])
