"""Options of training that are off by default: what each does when it is on."""

import numpy as np
import pytest
import tensorflow as tf
from toys import GRID, WIDTH, small_spec, toy_task

from captioner.decoders.batches import CaptionWords
from captioner.decoders.dropout import Dropout
from captioner.decoders.optimizer import Optimizer, Schedule
from captioner.decoders.registry import KINDS, build_decoder
from captioner.decoders.scheduled_sampling import compile_mixing
from captioner.decoders.settings import TrainSettings
from captioner.decoders.steps import compile_step, uneven_attention
from captioner.decoders.training import train_decoder
from captioner.decoding.settings import SpecialTokens
from captioner.errors import UsageError
from captioner.text.vocabulary import END, PAD, START, UNKNOWN

V = 11
TOKENS_MT = np.array([[1, 4, 5, 6], [1, 7, 8, 0], [1, 9, 0, 0]], np.int32)
IMAGE_INDEX_M = np.arange(3, dtype=np.int32)
POSITIONS_P = np.flatnonzero(TOKENS_MT).astype(np.int32)
GRIDS_NHWC = np.random.default_rng(1).normal(size=(3, *GRID)).astype(np.float32)
WORDS = CaptionWords(TOKENS_MT, IMAGE_INDEX_M, POSITIONS_P)


def vectors(num_images=3):
    return np.random.default_rng(0).normal(size=(num_images, WIDTH)).astype(np.float32)


def train(tmp_path, kind="attention", **changes):
    vocabulary, captions, features = toy_task()
    settings = TrainSettings(epochs=2, batch_size=32, precision="float32", **changes)
    spec = small_spec(kind, len(vocabulary))
    return train_decoder(spec, features, captions, settings, tmp_path, lambda decoder: 1.0)


def test_dropout_can_be_alike_along_an_axis():
    x_MTC = tf.ones([50, 6, 40])
    dropped_MTC = Dropout(tf.constant([0, 0]))(x_MTC, 0.25, alike_along=1).numpy()
    np.testing.assert_array_equal(dropped_MTC, np.repeat(dropped_MTC[:, :1], 6, axis=1))
    assert np.mean(dropped_MTC == 0) == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("kind", KINDS)
def test_variational_dropout_drops_the_same_at_every_word_of_a_caption(kind):
    """With words and outputs that are all alike, only the pattern could tell positions apart."""
    decoder = build_decoder(small_spec(kind, V, variational_dropout=True), seed=1)
    words_MTE = decoder._read_caption_words(np.full((3, 5), 7), Dropout(tf.constant([1, 2])))
    np.testing.assert_array_equal(words_MTE, np.repeat(words_MTE[:, :1], 5, axis=1))
    plain = build_decoder(small_spec(kind, V), seed=1)
    words_MTE = plain._read_caption_words(np.full((3, 5), 7), Dropout(tf.constant([1, 2])))
    assert (words_MTE[:, 0].numpy() != words_MTE[:, 1].numpy()).any()


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_some_words_are_replaced_by_drawn_ones(share):
    decoder = build_decoder(small_spec("inject", V), seed=1)
    mix = compile_mixing(decoder, SpecialTokens())
    tokens_MT = np.tile(TOKENS_MT, (40, 1))
    index_M = np.tile(IMAGE_INDEX_M, 40)
    positions_P = np.flatnonzero(tokens_MT).astype(np.int32)
    arguments = (vectors(), CaptionWords(tokens_MT, index_M, positions_P), np.float32(share))
    mixed_MT = mix(*arguments, np.array([0, 1], np.int32)).tokens_MT.numpy()
    np.testing.assert_array_equal(mixed_MT[:, 0], START)
    np.testing.assert_array_equal(mixed_MT == PAD, tokens_MT == PAD)
    words = tokens_MT > UNKNOWN
    assert not np.isin(mixed_MT[words], (PAD, START, END, UNKNOWN)).any()
    # A drawn word is by chance the human one now and then.
    assert np.mean(mixed_MT[words] != tokens_MT[words]) == pytest.approx(share * 6 / 7, abs=0.1)
    again_MT = mix(*arguments, np.array([0, 1], np.int32)).tokens_MT.numpy()
    np.testing.assert_array_equal(mixed_MT, again_MT)


def test_drawn_words_are_those_that_the_decoder_finds_likely():
    decoder = build_decoder(small_spec("inject", V), seed=1)
    likely_V = np.where(np.arange(V) == 9, 50.0, 0.0)
    decoder.weights["word_bias/bias"].assign(likely_V)
    mixed_MT = mix_fully(decoder, SpecialTokens())
    np.testing.assert_array_equal(mixed_MT, [[1, 9, 9, 9], [1, 9, 9, 0], [1, 9, 0, 0]])


def test_the_first_word_of_a_vocabulary_without_unknown_is_drawn_as_well():
    decoder = build_decoder(small_spec("inject", V), seed=1)
    decoder.weights["word_bias/bias"].assign(np.where(np.arange(V) == UNKNOWN, 50.0, 0.0))
    mixed_MT = mix_fully(decoder, SpecialTokens(unknown=None))
    np.testing.assert_array_equal(mixed_MT, [[1, 3, 3, 3], [1, 3, 3, 0], [1, 3, 0, 0]])
    assert UNKNOWN not in mix_fully(decoder, SpecialTokens())


def mix_fully(decoder, tokens):
    share, seed = np.float32(1.0), np.array([0, 1], np.int32)
    return compile_mixing(decoder, tokens)(vectors(), WORDS, share, seed).tokens_MT.numpy()


def test_attention_is_even_where_each_place_gets_one_over_a_caption():
    looks_MTL = np.array([[[0.5, 0.5], [0.5, 0.5], [1, 0]], [[1, 0], [1, 0], [0, 1]]], np.float32)
    tokens_MT = np.array([[1, 5, 0], [1, 5, 6]])
    # The first caption's padding does not count: (1, 1). The second's places get 2 and 1.
    assert float(uneven_attention(looks_MTL, tokens_MT)) == pytest.approx(1 / 5)


def test_the_attention_penalty_is_part_of_the_loss():
    losses = [_first_loss(penalty) for penalty in (0.0, 2.0)]
    decoder = _sharp_decoder()
    unevenness = uneven_attention(decoder.look(GRIDS_NHWC, TOKENS_MT), TOKENS_MT)
    assert unevenness > 0.1
    assert losses[1] - losses[0] == pytest.approx(2 * float(unevenness), rel=1e-4)


def _first_loss(penalty):
    decoder = _sharp_decoder()
    schedule = Schedule(1e-3, 0, 10)
    optimizer = Optimizer(decoder.weights, schedule, clip_norm=5.0, ema=0.0)
    step = compile_step(decoder, optimizer, attention_penalty=penalty)
    targets_P = np.full(len(POSITIONS_P), 5, np.int32)
    weights_P = np.ones(len(POSITIONS_P), np.float32)
    seed = np.zeros(2, np.int32)
    return float(step(GRIDS_NHWC, WORDS, targets_P, weights_P, optimizer.coefficients(0), seed))


def _sharp_decoder():
    """A decoder without dropout that looks hard at few places."""
    still = dict.fromkeys(("embedding_dropout", "output_dropout"), 0.0)
    decoder = build_decoder(small_spec("attention", V, **still), seed=1)
    decoder.weights["keys/kernel"].assign(20 * decoder.weights["keys/kernel"])
    return decoder


def test_an_attention_penalty_wants_attention(tmp_path):
    with pytest.raises(UsageError, match=r"attention_penalty=1.0 needs .* attends.*'inject'"):
        train(tmp_path, "inject", attention_penalty=1.0)


def test_scheduled_sampling_changes_what_is_learnt_and_resumes_exactly(tmp_path):
    losses = []
    for number, share in enumerate((0.0, 0.9, 0.9)):
        (folder := tmp_path / str(number)).mkdir()
        summary = train(folder, "inject", scheduled_sampling=share)
        losses.append([row.loss for row in summary.history])
    assert losses[1] == losses[2]
    assert losses[1][1] > losses[0][1]  # its own early words mislead
