"""Captions ranked anew by score and agreement."""

from dataclasses import dataclass

import numpy as np

from captioner.metrics.agreement import Agreement
from captioner.metrics.ranking import rank_captions
from captioner.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class Found:
    words: tuple[str, ...]
    score: float


class CountDogs:
    """Agrees with captions of dogs, in images whose feature is above 0."""

    def score(self, ids_HS, vectors_NF, image_index_H):
        dog = Vocabulary.build([["dog", "cat"]]).encode(["dog"])[1]
        dogs_H = (ids_HS == dog).sum(axis=1) * (vectors_NF[image_index_H, 0] > 0)
        return Agreement(1.0 * dogs_H, 0.5 * dogs_H)


def rank(weights, found, vectors):
    vocabulary = Vocabulary.build([["dog", "cat"]])
    names = dict(zip(("cider_weight", "precision_weight"), weights, strict=True))
    return rank_captions(found, np.array(vectors), CountDogs(), vocabulary, **names)


def test_agreement_is_added_to_the_score_of_each_caption_of_its_own_image():
    cat, dog, two = Found(("cat",), -1.0), Found(("dog",), -1.6), Found(("dog", "dog"), -2.5)
    found = {"a": (cat, dog), "b": (cat, dog, two), "c": (dog, cat)}
    vectors = [[1.0], [1.0], [0.0]]
    assert rank((0, 0), found, vectors) == {"a": (cat, dog), "b": (cat, dog, two), "c": (cat, dog)}
    assert rank((0.5, 0), found, vectors)["a"] == (cat, dog)
    assert rank((0.7, 0), found, vectors)["a"] == (dog, cat)
    assert rank((0, 1.4), found, vectors)["a"] == (dog, cat)
    assert rank((1, 0), found, vectors)["b"] == (two, dog, cat)
    assert rank((9, 9), found, vectors)["c"] == (cat, dog)


def test_of_equals_the_first_stay_first():
    one, other = Found(("cat",), -1.0), Found(("cat", "cat"), -1.0)
    assert rank((1, 1), {"a": (one, other)}, [[1.0]]) == {"a": (one, other)}
    assert rank((1, 1), {"a": (other, one)}, [[1.0]]) == {"a": (other, one)}
