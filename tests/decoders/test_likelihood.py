"""How likely a decoder holds given words."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from toys import GRID, WIDTH, small_spec

from captioner.decoders.likelihood import measure_words
from captioner.decoders.registry import KINDS, build_decoder


@pytest.mark.parametrize("kind", KINDS)
def test_words_are_as_likely_as_the_steps_hold_them(kind):
    decoder = build_decoder(small_spec(kind, 11), seed=1)
    shape = GRID if kind == "attention" else (WIDTH,)
    features_N = np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)
    tokens_T = np.array([1, 5, 9, 2], np.int32)
    log_probs_NT = measure_words(decoder, features_N, tokens_T)
    context, state = decoder.start(tf.constant(features_N))
    for place, (token, after) in enumerate(itertools.pairwise(tokens_T)):
        log_probs_NV, state = decoder.step(tf.fill([3], token), state, context)
        np.testing.assert_allclose(
            log_probs_NT[:, place], log_probs_NV.numpy()[:, after], atol=1e-5
        )
