"""Confusion matrix and the scores of each class, on numbers worked out by hand."""

import json

import numpy as np
import pytest

from captioner.classifiers.scores import ClassifierScores, count_confusion, format_scores

LABELS = np.array([0, 0, 0, 0, 1, 1, 2, 2])
FOUND = np.array([0, 0, 0, 1, 1, 0, 1, 1])


@pytest.fixture
def scores():
    return ClassifierScores(("cat", "dog", "owl", "emu"), count_confusion(LABELS, FOUND, 4))


def test_rows_are_true_and_columns_given_classes(scores):
    expected = [[3, 1, 0, 0], [1, 1, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(scores.confusion_CC, expected)


def test_scores_of_each_class(scores):
    cat, dog, owl, emu = scores.classes
    assert (cat.precision, cat.recall, cat.f1, cat.support) == (3 / 4, 3 / 4, 3 / 4, 4)
    assert (dog.precision, dog.recall, dog.f1, dog.support) == (1 / 4, 1 / 2, 1 / 3, 2)
    assert (owl.precision, owl.recall, owl.f1, owl.support) == (None, 0.0, None, 2)
    assert (emu.precision, emu.recall, emu.f1, emu.support) == (None, None, None, 0)


def test_overall_scores(scores):
    assert scores.accuracy == 4 / 8
    assert scores.balanced_accuracy == pytest.approx((3 / 4 + 1 / 2 + 0) / 3)
    assert scores.majority_share == 4 / 8


def test_json_holds_all_of_it(scores):
    record = json.loads(json.dumps(scores.to_json()))
    assert record["confusion"]["counts"] == scores.confusion_CC.tolist()
    assert record["classes"][1]["f1"] == pytest.approx(1 / 3)


def test_the_table_is_readable(scores):
    lines = format_scores(scores).splitlines()
    assert lines[0].startswith("accuracy 50.0% of 8 dev images, balanced 41.7%")
    assert lines[2].split() == ["class", "precision", "recall", "F1", "images"]
    assert lines[4].split() == ["dog", "25.0", "50.0", "33.3", "2"]
    assert lines[6].split() == ["emu", "-", "-", "-", "0"]
    assert lines[-2].split() == ["3", "owl", ".", "2", ".", "."]


def test_many_classes_leave_the_matrix_to_json():
    names = tuple(f"class {number}" for number in range(30))
    text = format_scores(ClassifierScores(names, np.eye(30, dtype=int)))
    assert "given class" not in text
    assert "class 29" in text
