"""The attention decoder: where it looks, and what that does to what it says."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from toys import GRID, small_spec

from captioner.decoders.registry import build_decoder
from captioner.decoding.greedy import decode_greedily
from captioner.decoding.settings import SearchSettings, SpecialTokens
from captioner.errors import DecoderError

V, N = 11, 3
PLACES = GRID[0] * GRID[1]


@pytest.fixture(scope="module")
def decoder():
    return build_decoder(small_spec("attention", V), seed=3)


@pytest.fixture
def grids_NHWC():
    return np.random.default_rng(0).normal(size=(N, *GRID)).astype(np.float32)


def look(decoder, grids_NHWC, word=5):
    """Reads START and a word; gives the next log-probabilities and the attention weights."""
    context, state = decoder.start(grids_NHWC)
    for token in (1, word):
        log_probs_NV, state = decoder.step(tf.fill([N], token), state, context)
    return log_probs_NV.numpy(), state[2].numpy()


def test_a_state_says_where_the_last_word_looked(decoder, grids_NHWC):
    _, weights_NL = look(decoder, grids_NHWC)
    assert weights_NL.shape == (N, PLACES)
    assert (weights_NL > 0).all()
    np.testing.assert_allclose(weights_NL.sum(axis=1), 1, rtol=1e-5)
    assert np.ptp(weights_NL, axis=1).min() > 1e-3, "it looks at every place alike"


def test_before_the_first_word_it_looks_nowhere_in_particular(decoder, grids_NHWC):
    _, state = decoder.start(grids_NHWC)
    np.testing.assert_allclose(state[2], np.full((N, PLACES), 1 / PLACES), rtol=1e-6)


def test_moving_the_places_moves_the_attention_and_nothing_else(decoder, grids_NHWC):
    """Attention has no notion of position: what is said depends on what the places hold."""
    order = np.random.default_rng(1).permutation(PLACES)
    moved = grids_NHWC.reshape(N, PLACES, -1)[:, order].reshape(grids_NHWC.shape)
    log_probs_NV, weights_NL = look(decoder, grids_NHWC)
    moved_log_probs_NV, moved_weights_NL = look(decoder, moved)
    np.testing.assert_allclose(moved_log_probs_NV, log_probs_NV, atol=1e-5)
    np.testing.assert_allclose(moved_weights_NL, weights_NL[:, order], atol=1e-6)


def test_places_that_are_all_alike_are_looked_at_alike(decoder):
    place = np.random.default_rng(2).normal(size=GRID[2]).astype(np.float32)
    _, weights_NL = look(decoder, np.broadcast_to(place, (N, *GRID)))
    np.testing.assert_allclose(weights_NL, np.full((N, PLACES), 1 / PLACES), rtol=1e-5)


def test_attention_equals_keras_multi_head_attention(decoder, grids_NHWC):
    """The reference is given our matrices, head by head, and the gate is left open."""
    spec = decoder.spec
    A, H, U = spec.attention_units, spec.attention_heads, spec.units
    weights = {name: v.numpy() for name, v in decoder.weights.items()}
    reference = keras.layers.MultiHeadAttention(H, A // H, A // H, output_shape=U)
    words_MTU = np.random.default_rng(4).normal(size=(N, 5, U)).astype(np.float32)
    places_NLC = tf.math.l2_normalize(grids_NHWC.reshape(N, PLACES, -1), axis=-1) * GRID[2] ** 0.5
    reference.build(words_MTU.shape, places_NLC.shape)
    by_head = [
        array
        for name in ("query", "keys", "values")
        for array in (
            weights[f"{name}/kernel"].reshape(-1, H, A // H),
            weights.get(f"{name}/bias", np.zeros(A)).reshape(H, A // H),
        )
    ]
    out = weights["attended/kernel"].reshape(H, A // H, U), weights["attended/bias"]
    reference.set_weights([by_head[0], by_head[1], by_head[2], by_head[3], *by_head[4:], *out])
    expected, scores = reference(words_MTU, places_NLC, return_attention_scores=True)
    open_gate = build_decoder(spec, seed=3)
    open_gate.weights["gate/bias"].assign(np.full(A, 50.0))
    open_gate.weights["gate/kernel"].assign(np.zeros((U, A)))
    context, _ = open_gate.start(grids_NHWC)
    attended, weights_NTL = open_gate._attend(tf.constant(words_MTU), context, lambda x, rate: x)
    np.testing.assert_allclose(attended - words_MTU, expected, atol=1e-5)
    np.testing.assert_allclose(weights_NTL, tf.reduce_mean(scores, axis=1), atol=1e-6)


def test_searches_carry_the_attention_along(decoder, grids_NHWC):
    start = decoder.start(tf.constant(grids_NHWC))
    settings = SearchSettings(method="greedy", max_length=6)
    ids_NKT, *_ = decode_greedily(decoder.step, start, settings, SpecialTokens())
    assert ids_NKT.shape == (N, 1, 6)


def test_heads_must_share_the_width():
    with pytest.raises(DecoderError, match="attention_units=8 cannot be split into attention_he"):
        small_spec("attention", V, attention_heads=3)
