"""What is ruled out stays out, and the best of the rest is found."""

from itertools import pairwise

import numpy as np
import pytest
import tensorflow as tf
from lattices import (
    CAT,
    DOG,
    END,
    PAD,
    START,
    UNKNOWN,
    A,
    enumerate_captions,
    markov_decoder,
    table_decoder,
)

from captioner.decoding.rules import rule_out_words
from captioner.decoding.search import CaptionSearch
from captioner.decoding.settings import SearchSettings, SpecialTokens

NUM_TOKENS = 7
IMAGES = np.array([[0.0], [1.0], [2.0]], np.float32)
LONGEST = 4


def find_ruled_out(words, max_length=8, **settings):
    """The words that may not follow `words`, and END where the caption may not end."""
    ids = np.full((1, max_length), PAD, np.int32)
    ids[0, : len(words)] = words
    log_probs = rule_out_words(
        tf.zeros([1, NUM_TOKENS]),
        tf.constant(ids),
        tf.constant([words[-1] if words else START]),
        tf.constant(len(words)),
        SearchSettings(max_length=max_length, **settings),
        SpecialTokens(),
    )
    never = set(np.flatnonzero(np.isneginf(log_probs[0])).tolist())
    assert never >= {PAD, START, UNKNOWN}
    return never - {PAD, START, UNKNOWN}


@pytest.mark.parametrize(
    ("words", "length", "ruled_out"),
    [
        ([], 2, {END}),
        ([A], 2, set()),
        ([A, CAT, A], 2, {CAT}),
        ([A, CAT, A, DOG, A], 2, {CAT, DOG}),
        ([A, A], 2, {A}),
        ([A, CAT, A], 3, set()),
        ([A, CAT, A, CAT], 3, {A}),
        ([CAT, CAT, CAT], 3, {CAT}),
        ([A, CAT, DOG, A, CAT], 3, {DOG}),
        ([A, CAT], 1, {A, CAT}),
        ([A, CAT, A, CAT, A, CAT, A], 9, set()),
    ],
)
def test_what_would_repeat_an_ngram_is_ruled_out(words, length, ruled_out):
    assert find_ruled_out(words, no_repeat_ngram=length) == ruled_out


def test_a_word_may_not_follow_itself_nor_a_caption_end_in_certain_words():
    assert find_ruled_out([A, CAT], no_stutter=True) == {CAT}
    assert find_ruled_out([CAT, A], never_last=(A, DOG)) == {END}
    assert find_ruled_out([A, CAT], never_last=(A, DOG)) == set()


def keeps_rules(words, length, never_last):
    ngrams = [words[i : i + length] for i in range(len(words) - length + 1)]
    stutters = any(one == next_ for one, next_ in pairwise(words))
    return len(set(ngrams)) == len(ngrams) and not stutters and words[-1] not in never_last


@pytest.mark.parametrize(("seed", "length"), [(0, 2), (1, 3)])
def test_a_wide_beam_finds_the_best_captions_that_keep_all_rules(seed, length):
    start, step, table = markov_decoder(NUM_TOKENS, seed, sharpness=1.0)
    rules = {"no_repeat_ngram": length, "no_stutter": True, "never_last": (A,)}
    settings = SearchSettings(num_beams=64, num_captions=5, max_length=LONGEST, **rules)
    captions = CaptionSearch(start, step, settings, batch_size=3)(IMAGES)
    for image in range(3):
        everything = enumerate_captions(table, image, range(4, NUM_TOKENS), LONGEST)
        allowed = [item for item in everything if keeps_rules(item[0], length, (A,))]
        ranked = sorted(allowed, key=lambda item: -item[1] / (len(item[0]) + 1) ** 0.8)
        found = [tuple(captions.words_of(image, k)) for k in range(5)]
        assert found == [words for words, _ in ranked[:5]]


@pytest.mark.parametrize("max_length", [1, 6])
def test_one_beam_is_greedy_under_all_rules(max_length):
    start, step, _ = markov_decoder(NUM_TOKENS, seed=2)
    rules = {"no_repeat_ngram": 3, "no_stutter": True, "never_last": (A,)}
    found = [
        CaptionSearch(start, step, SearchSettings(max_length=max_length, **how, **rules))(IMAGES)
        for how in ({"num_beams": 1}, {"method": "greedy"})
    ]
    for ours, theirs in zip(found[0]._arrays(), found[1]._arrays(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_sampled_captions_keep_the_rules_and_the_nucleus():
    start, step = table_decoder({(START,): {A: 0.5, CAT: 0.3, DOG: 0.2}})
    wishes = {"method": "sample", "num_captions": 200, "max_length": 3}
    narrow = CaptionSearch(start, step, SearchSettings(top_p=0.6, **wishes))(IMAGES[:1])
    assert set(narrow.ids[0, :, 0].tolist()) == {A, CAT}
    start, step, _ = markov_decoder(NUM_TOKENS, seed=0, sharpness=0.5)
    settings = SearchSettings(no_stutter=True, never_last=(A,), **wishes)
    sampled = CaptionSearch(start, step, settings)(IMAGES[:1])
    for k in range(200):
        words = sampled.words_of(0, k)
        assert all(one != other for one, other in pairwise(words))
        assert words[-1] != A or not sampled.finished[0, k]
