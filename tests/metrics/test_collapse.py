"""A model that says the same to every image is caught."""

import json

import pytest

from captioner.metrics.collapse import count_collapse


def test_counts():
    collapse = count_collapse(
        ["A dog.", "a dog", "two men", ""], ["Two men!", "a cat", "a dog runs"]
    )
    assert (collapse.num_captions, collapse.num_distinct, collapse.num_words) == (4, 3, 4)
    assert (collapse.num_empty, collapse.share_copied) == (1, 0.25)
    assert collapse.mean_length == 1.5
    assert (collapse.commonest, collapse.commonest_share) == ("a dog", 0.5)
    assert collapse.warnings == ("1 of 4 captions are empty.",)
    assert json.loads(json.dumps(collapse.to_json()))["num_distinct"] == 3


def test_unknown_training_captions_leave_the_share_open():
    assert count_collapse(["a dog"]).share_copied is None


@pytest.mark.parametrize(
    ("captions", "warning"),
    [
        (["a dog runs"] * 1000, "All 1,000 images got the same caption, 'a dog runs': the"),
        (["a dog"] * 30 + [f"dog {i}" for i in range(70)], "30 of 100 images got the same caption"),
        ([f"dog {i % 4}" for i in range(100)], "only 4 different captions for 100 images"),
    ],
)
def test_collapse_is_told_in_words(captions, warning):
    (told,) = count_collapse(captions).warnings
    assert warning in told


@pytest.mark.parametrize(
    "captions", [["a dog"] * 3, [f"dog number {i}" for i in range(100)], ["a dog"]]
)
def test_varied_or_few_captions_are_no_collapse(captions):
    assert count_collapse(captions).warnings == ()
