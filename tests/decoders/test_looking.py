"""Finished captions read again: what each word looked at."""

import numpy as np
import pytest
import tensorflow as tf
from toys import GRID, small_spec, toy_task

from captioner.decoders.looking import AttentionReader
from captioner.decoders.registry import build_decoder
from captioner.errors import DecoderError

VOCABULARY = toy_task(num_images=12)[0]
CAPTIONS = [("a", "red", "ball"), ("there", "is", "a", "green", "box"), ("a",)]


@pytest.fixture(scope="module")
def decoder():
    return build_decoder(small_spec("attention", len(VOCABULARY)), seed=3)


@pytest.fixture(scope="module")
def grids_NHWC():
    return np.random.default_rng(0).normal(size=(len(CAPTIONS), *GRID)).astype(np.float32)


@pytest.fixture(scope="module")
def weights(decoder, grids_NHWC):
    return AttentionReader(decoder, VOCABULARY, batch_size=2).read(grids_NHWC, CAPTIONS)


def test_each_word_has_weights_of_the_grid_that_add_to_one(weights):
    assert [own.shape for own in weights] == [(len(words), *GRID[:2]) for words in CAPTIONS]
    for own_THW in weights:
        np.testing.assert_allclose(own_THW.sum(axis=(1, 2)), 1, rtol=1e-5)


def test_they_are_those_of_the_steps_that_said_the_words(decoder, grids_NHWC, weights):
    for words, grid_HWC, own_THW in zip(CAPTIONS, grids_NHWC, weights, strict=True):
        context, state = decoder.start(grid_HWC[None])
        for token, weights_HW in zip(VOCABULARY.encode(words)[:-2], own_THW, strict=False):
            _, state = decoder.step(tf.constant([token]), state, context)
            np.testing.assert_allclose(state[2][0], weights_HW.ravel(), atol=1e-6)


def test_a_caption_is_read_alike_in_any_company(decoder, grids_NHWC, weights):
    alone = AttentionReader(decoder, VOCABULARY, batch_size=5).read(grids_NHWC[2:], CAPTIONS[2:])
    np.testing.assert_allclose(alone[0], weights[2], atol=1e-6)


def test_no_captions_have_no_weights(decoder, grids_NHWC):
    assert AttentionReader(decoder, VOCABULARY).read(grids_NHWC[:0], []) == []


@pytest.mark.parametrize("kind", ["inject", "merge"])
def test_a_decoder_that_does_not_attend_is_refused(kind):
    blind = build_decoder(small_spec(kind, len(VOCABULARY)))
    with pytest.raises(DecoderError, match=f"kind '{kind}' does not attend"):
        AttentionReader(blind, VOCABULARY)
    with pytest.raises(DecoderError, match=f"kind '{kind}' sees the image as a whole"):
        blind.look(tf.zeros([1, 8]), tf.ones([1, 2], tf.int32))
