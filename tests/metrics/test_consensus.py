"""Captions that agree with those of similar images are preferred."""

import math
from collections import Counter

import numpy as np
import pytest

from captioner.errors import ScoreError
from captioner.metrics import consensus as consensus_module
from captioner.metrics.consensus import MAX_IMAGES, Consensus, spread_images
from captioner.metrics.resemblance import Resemblance
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


def test_captions_of_images_alike_win():
    consensus = Consensus(tokenised(), VECTORS)
    captions = np.array([[4, 5, 6], [8, 9, 10], [15, 16, 17]])
    first, second = np.array([[1.0, 0.1]]), np.array([[0.0, 0.5]])
    here, there, nowhere = consensus.score(captions, first, np.zeros(3, int)).cider_H
    assert here > there
    assert nowhere == 0
    here, there, nowhere = consensus.score(captions, second, np.zeros(3, int)).cider_H
    assert there > here
    assert nowhere == 0


def test_agreement_is_half_cider_by_weights_and_half_what_shares_of_n_grams_give():
    consensus = Consensus(tokenised(), VECTORS)
    captions = np.array([[4, 5, 6, 0], [8, 9, 11, 4], [4, 5, 6, 7]])
    images = np.array([0, 1, 0])
    ours = consensus.score(captions, VECTORS[:2], images).cider_H
    reward = CaptionReward.from_captions(tokenised(), RewardSettings(count_end=False))
    each_TH = np.array([reward.score(captions, np.full(3, image)) for image in range(4)])
    weights_HT = Resemblance(VECTORS).weigh(VECTORS[:2])[images]
    exact = np.einsum("ht,th->h", weights_HT, each_TH)
    usual = [
        expect_slowly([word for word in caption if word], weights_T)
        for caption, weights_T in zip(captions.tolist(), weights_HT, strict=True)
    ]
    np.testing.assert_allclose(ours, (exact + usual) / 2, atol=1e-6)
    assert np.abs(exact).min() > 0
    assert min(usual) > 0


def expect_slowly(caption, weights_T):
    """The CIDEr to expect, n-gram by n-gram: as long as people's captions are on average."""
    total = 0.0
    for order in range(1, 5):
        holders = [set(list_ngrams(words, order)) for words in CAPTIONS]
        frequency = Counter(
            gram
            for image in range(4)
            for gram in set().union(*(holders[row] for row in range(5) if IMAGES[row] == image))
        )
        entries = [row for row in range(5) for _ in holders[row]]
        lengths = [measure(CAPTIONS[row], order, frequency) for row in entries]
        mean_length = sum(lengths) / len(lengths) if lengths else 1
        for gram in set(list_ngrams(caption, order)):
            share = sum(
                weights_T[image] / IMAGES.count(image)
                for own, image in zip(holders, IMAGES, strict=True)
                if gram in own
            )
            rarity = math.log(4 / max(frequency[gram], 1))
            product = min(max(share, 0), 1) * rarity**2
            total += 10 / 4 * product / measure(caption, order, frequency) / mean_length
    return total


def list_ngrams(words, order):
    return [tuple(words[i : i + order]) for i in range(len(words) - order + 1)]


def measure(words, order, frequency):
    counts = Counter(list_ngrams(words, order))
    squares = (n**2 * math.log(4 / max(frequency[g], 1)) ** 2 for g, n in counts.items())
    return math.sqrt(sum(squares)) or 1


def test_blocks_of_images_change_nothing(monkeypatch):
    captions, images = np.array([[4, 5, 6], [8, 9, 10], [12, 13, 14]]), np.array([2, 0, 1])
    whole = Consensus(tokenised(), VECTORS).score(captions, VECTORS[:3], images)
    monkeypatch.setattr(consensus_module, "_BLOCK_IMAGES", 2)
    blocks = Consensus(tokenised(), VECTORS).score(captions, VECTORS[:3], images)
    np.testing.assert_allclose(blocks, whole, atol=1e-6)


def test_n_grams_are_expected_as_often_as_people_use_them_of_images_alike():
    """Worked out by hand: three captions "4 5 6", "4 5 7" and "12 13 14" of images all alike."""
    alike = tokenised().restrict(["a", "d"])
    consensus = Consensus(alike, np.ones((2, 2), np.float32))
    captions = np.array([[4, 5, 6], [12, 12, 0], [9, 0, 0]])
    precision = consensus.score(captions, np.ones((1, 2)), np.zeros(3, int)).precision_H
    # Each image has half of the say, and each caption of "a" half of that.
    quarter, half = 1 - (3 / 4) ** 5, 1 - (1 / 2) ** 5
    expected = (half + half + quarter) / 3 + (half + quarter) / 2 + quarter
    np.testing.assert_allclose(precision[0], expected, atol=1e-6)
    np.testing.assert_allclose(precision[1:], [half / 2, 0], atol=1e-6)  # twice counts once


def test_of_very_many_images_some_are_asked_at_even_steps():
    np.testing.assert_array_equal(spread_images(5), np.arange(5))
    chosen = spread_images(20_000)
    assert len(chosen) == MAX_IMAGES
    assert set(np.diff(chosen).tolist()) == {2, 3}
    assert spread_images(0).size == 0


def test_features_of_other_images_are_refused():
    with pytest.raises(ScoreError, match="Received 3 features for 4 images"):
        Consensus(tokenised(), VECTORS[:3])
