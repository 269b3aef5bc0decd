"""The likeliest continuations are those that `top_k` over all of them gives, in its order."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from captioner.decoding.likeliest import find_likeliest


def find_plainly(log_probs_AP, log_probs_APV, count):
    totals_APV = log_probs_AP[:, :, None] + log_probs_APV
    found_AC, places_AC = tf.math.top_k(totals_APV.reshape(len(totals_APV), -1), count)
    num_tokens = log_probs_APV.shape[2]
    return found_AC.numpy(), places_AC.numpy() // num_tokens, places_AC.numpy() % num_tokens


@settings(max_examples=80, deadline=None)
@given(
    num_captions=st.integers(1, 5),
    num_tokens=st.sampled_from([5, 63, 64, 65, 130, 200, 1000]),
    levels=st.sampled_from([1, 2, 5, 1000]),
    seed=st.integers(0, 2**32 - 1),
)
def test_it_is_top_k_ties_included(num_captions, num_tokens, levels, seed):
    """Few levels of probability make many equals."""
    draw = np.random.default_rng(seed)
    log_probs_APV = -draw.integers(0, levels, (3, num_captions, num_tokens)).astype(np.float32)
    log_probs_AP = -draw.integers(0, 3, (3, num_captions)).astype(np.float32) / 3
    count = 2 * num_captions
    found = find_likeliest(tf.constant(log_probs_AP), tf.constant(log_probs_APV), count)
    for ours, plain in zip(found, find_plainly(log_probs_AP, log_probs_APV, count), strict=True):
        np.testing.assert_array_equal(ours, plain)


@pytest.mark.parametrize("num_tokens", [70, 128])
def test_what_is_ruled_out_stands_behind_all_that_is_not(num_tokens):
    """One beam exists of two, and three of its tokens may follow: of six asked for, three are."""
    log_probs_APV = np.full((1, 2, num_tokens), -np.inf, np.float32)
    log_probs_APV[0, :, [5, 66, 69]] = [[-1.0], [-2.0], [-0.5]]
    log_probs_AP = np.array([[-1.0, -np.inf]], np.float32)
    found = find_likeliest(tf.constant(log_probs_AP), tf.constant(log_probs_APV), 4)
    totals, captions, tokens = (column.numpy()[0].tolist() for column in found)
    assert totals == [-1.5, -2.0, -3.0, -np.inf]
    assert captions[:3] == [0, 0, 0]
    assert tokens[:3] == [69, 5, 66]
    assert 0 <= tokens[3] < num_tokens
