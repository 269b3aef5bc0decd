"""Fingerprints: what moves them, what does not, and how a change is told."""

from hypothesis import given
from hypothesis import strategies as st

from captioner.pipeline.fingerprint import Collection, explain_change, fingerprint, summarise

IMAGES = Collection("image", {"a": "1", "b": "2"})


def test_format_of_the_key_is_pinned():
    """An accidental change of the format would make every user's artifacts stale."""
    key = fingerprint("extract", 1, {"backbone.name": "vgg16", "images": IMAGES})
    assert key == "cf57c348c09fb18f7a9b520025e062b641ed7af1cba18169386f4ba6311f0802"


def test_order_of_inputs_and_of_items_does_not_matter():
    shuffled = Collection("image", {"b": "2", "a": "1"})
    assert fingerprint("s", 1, {"x": 1, "images": IMAGES}) == fingerprint(
        "s", 1, {"images": shuffled, "x": 1}
    )


@given(st.dictionaries(st.text(min_size=1), st.integers() | st.text() | st.booleans(), min_size=1))
def test_each_single_change_moves_the_key(inputs):
    original = fingerprint("s", 1, inputs)
    assert fingerprint("s", 2, inputs) != original
    assert fingerprint("t", 1, inputs) != original
    for name in inputs:
        assert fingerprint("s", 1, {**inputs, name: ["something else"]}) != original
        assert fingerprint("s", 1, {k: v for k, v in inputs.items() if k != name}) != original


@given(
    st.dictionaries(st.text(), st.text(max_size=3)), st.dictionaries(st.text(), st.text(max_size=3))
)
def test_collections_are_equal_exactly_when_their_digests_are(one, other):
    same = Collection("image", one).digest == Collection("image", other).digest
    assert same == (one == other)
    assert bool(
        explain_change({"images": Collection("image", one)}, {"images": Collection("image", other)})
    ) == (one != other)


def test_a_change_is_told_in_words():
    now = Collection("image", {"b": "changed", "c": "3", "d": "4", "e": "5"})
    words = explain_change(
        {"images": IMAGES, "backbone.weights": "imagenet", "old": 1},
        {"images": now, "backbone.weights": "random", "new": 1},
    )
    assert words == [
        "3 images added",
        "1 image removed",
        "1 image changed",
        'backbone.weights changed from "imagenet" to "random"',
        "new added",
        "old no longer used",
    ]


def test_lists_and_tuples_are_the_same_input():
    assert explain_change({"outputs": ["vector"]}, {"outputs": ("vector",)}) == []


def test_a_summary_does_not_list_a_collection():
    assert summarise({"images": IMAGES})["images"]["count"] == 2
