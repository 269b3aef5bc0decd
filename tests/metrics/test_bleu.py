"""BLEU: published numbers, parity with the libraries, and corner cases."""

import warnings

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nltk.translate.bleu_score import corpus_bleu
from pycocoevalcap.bleu.bleu import Bleu

from captioner.metrics.bleu import PROTOCOLS, count_ngrams, score_coco_sums


def split(*captions):
    return [caption.split() for caption in captions]


HYPOTHESES = split("a dog runs on the grass", "two men")
REFERENCES = [
    split("a dog runs on the green grass", "the brown dog is running"),
    split("two men", "two men stand together"),
]

CAPTION = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=7)
PAIRS = st.lists(
    st.tuples(CAPTION, st.lists(CAPTION, min_size=1, max_size=4)), min_size=1, max_size=6
)
LONG_CAPTION = st.lists(st.sampled_from(["a", "b"]), min_size=4, max_size=9)
LONG_PAIRS = st.lists(
    st.tuples(LONG_CAPTION, st.lists(LONG_CAPTION, min_size=1, max_size=4)), min_size=1, max_size=6
)


def unzip(pairs):
    return [words for words, _ in pairs], [alternatives for _, alternatives in pairs]


def coco_caption_bleu(hypotheses, references):
    results = {i: [" ".join(words)] for i, words in enumerate(hypotheses)}
    truths = {i: [" ".join(words) for words in own] for i, own in enumerate(references)}
    return Bleu(4).compute_score(truths, results, verbose=0)[0]


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        ("coco", [1.0, 0.91287, 0.85499, 0.80343]),
        ("nltk", [1.0, 0.91287, 0.79370, 0.70711]),
    ],
)
def test_short_captions_tell_the_protocols_apart(protocol, expected):
    counts = count_ngrams(HYPOTHESES, REFERENCES, protocol)
    assert counts.bleu == pytest.approx(expected, abs=5e-6)


def test_sums_of_coco_captions_own_demo():
    # Lengths, guesses and matches that coco-caption prints for its example captions.
    matches, guesses = [5732, 2510, 1043, 423], [9893, 8893, 7893, 6893]
    sums = np.array([[*matches, *guesses, 9893, 9855]], dtype=np.float64)
    expected = [0.57940, 0.40439, 0.27854, 0.19083]
    assert score_coco_sums(sums)[0] == pytest.approx(expected, abs=5e-6)


def test_the_closest_reference_counts_and_of_equals_the_shorter():
    references = [[["a"] * length for length in (7, 10, 11, 12, 13)]]
    assert count_ngrams([["a"] * 9], references).table_NK[0, -1] == 10
    assert count_ngrams([["a"] * 8], [[["a"] * 9, ["a"] * 7]]).table_NK[0, -1] == 7


@settings(deadline=None)
@given(PAIRS)
@example([([], [["a"]])])
@example([([], [[]])])
def test_coco_is_coco_caption(pairs):
    hypotheses, references = unzip(pairs)
    expected = coco_caption_bleu(hypotheses, references)
    assert count_ngrams(hypotheses, references, "coco").bleu == pytest.approx(
        expected, rel=1e-12, abs=1e-12
    )


@settings(deadline=None)
@given(PAIRS)
@example([([], [["a"]])])
@example([(["b"], [["a"]])])
def test_nltk_is_corpus_bleu_with_weights_of_one_nth(pairs):
    hypotheses, references = unzip(pairs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = [
            corpus_bleu(references, hypotheses, weights=[1 / order] * order)
            for order in (1, 2, 3, 4)
        ]
    assert count_ngrams(hypotheses, references, "nltk").bleu == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(deadline=None)
@given(pairs=PAIRS)
@example(pairs=[([], [["a"]])])
@example(pairs=[(["b"], [["a"]])])
def test_sums_of_rows_give_the_librarys_score(pairs, protocol):
    counts = count_ngrams(*unzip(pairs), protocol)
    from_sums = counts.score_sums(counts.table_NK.sum(axis=0, keepdims=True))[0]
    assert from_sums == pytest.approx(counts.bleu, rel=1e-12, abs=1e-15)


@settings(deadline=None)
@given(LONG_PAIRS)
def test_protocols_agree_where_all_orders_match_and_captions_are_long(pairs):
    hypotheses, references = unzip(pairs)
    coco = count_ngrams(hypotheses, references, "coco")
    nltk = count_ngrams(hypotheses, references, "nltk")
    if coco.table_NK[:, :4].sum(axis=0).all():
        # coco's guard against 0 / 0 moves each precision by 1e-9 / guesses
        assert coco.bleu == pytest.approx(nltk.bleu, abs=2e-9)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nltk_warnings_do_not_reach_the_user(protocol):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        count_ngrams([["x"]], [[["y"]]], protocol)
        count_ngrams([["a", "b"]], [[["a", "b"]]], protocol)
