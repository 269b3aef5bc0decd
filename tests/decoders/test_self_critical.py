"""Training on rewards: it raises what is rewarded, exactly as an interrupted run would."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from test_training import SETTINGS, ShareNamed, assert_same_weights, mean_bias, toy_spec
from toys import toy_name, toy_task

from captioner.decoders.self_critical import _lay_out, _subtract_others
from captioner.decoders.storage import load_decoder
from captioner.decoders.training import train_decoder
from captioner.decoding.drawing import draw_captions
from captioner.decoding.settings import SpecialTokens
from captioner.errors import DecoderError, UsageError
from captioner.text.vocabulary import END, PAD, START, UNKNOWN

TAUGHT_LITTLE = replace(SETTINGS, epochs=2, patience=9)
REWARDED = replace(
    TAUGHT_LITTLE, reward_epochs=6, reward_learning_rate=0.01, reward_images=8, reward_samples=4
)


class RewardNames:
    """Rewards captions that name colour and thing of their image, and nothing else."""

    def __init__(self) -> None:
        self._vocabulary, self._captions, _ = toy_task()

    def __call__(self, ids_MT, image_index_M):
        return np.array(
            [
                len(toy_name(self._captions.image_ids_in("train")[image]) & self._words(ids_T)) / 2
                for ids_T, image in zip(ids_MT, image_index_M, strict=True)
            ]
        )

    def _words(self, ids_T):
        return set(self._vocabulary.decode(ids_T.tolist()))


def train(folder, settings=REWARDED, score_dev=mean_bias, reward=None):
    folder.mkdir(exist_ok=True)
    vocabulary, captions, features = toy_task()
    reward = RewardNames() if reward is None else reward
    return train_decoder(
        toy_spec(vocabulary), features, captions, settings, folder, score_dev, reward
    )


def test_rewards_rise_and_so_does_what_they_reward(tmp_path):
    summary = train(tmp_path, score_dev=ShareNamed())
    taught = [row for row in summary.history if row.phase == "cross_entropy"]
    rewarded = [row for row in summary.history if row.phase == "self_critical"]
    assert (len(taught), len(rewarded)) == (2, 6)
    assert -rewarded[-1].loss > -rewarded[0].loss + 0.1
    assert summary.best.phase == "self_critical"
    assert ShareNamed()(load_decoder(tmp_path)) > taught[-1].dev_score


def test_an_interrupted_run_ends_in_the_same_weights(tmp_path):
    """Interrupted between the phases, and within the second."""
    whole = train(tmp_path / "whole")
    for num_calls in (3, 2):
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "parts", score_dev=interrupt_after(num_calls))
    parts = train(tmp_path / "parts")
    assert_same_weights(tmp_path / "parts", tmp_path / "whole")
    assert [row.loss for row in parts.history] == [row.loss for row in whole.history]


def interrupt_after(num_calls):
    calls = iter(range(num_calls))

    def score_dev(decoder):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return mean_bias(decoder)

    return score_dev


def test_equal_rewards_change_nothing(tmp_path):
    kept = []

    def score_dev(decoder):
        kept.append({name: v.numpy() for name, v in decoder.weights.items()})
        return float(len(kept))

    settings = replace(REWARDED, reward_epochs=1, ema=0.0)
    train(tmp_path, settings, score_dev, reward=lambda ids_MT, image_index_M: np.ones(len(ids_MT)))
    for name, array in kept[-1].items():
        np.testing.assert_array_equal(array, kept[-2][name], err_msg=name)


def test_rewarding_without_a_reward_is_refused(tmp_path):
    vocabulary, captions, features = toy_task()
    with pytest.raises(UsageError, match="reward_epochs=6 needs a reward"):
        train_decoder(toy_spec(vocabulary), features, captions, REWARDED, tmp_path, mean_bias)


@pytest.mark.parametrize("unknown", [3, None])
def test_every_word_of_a_vocabulary_is_drawn(tmp_path, unknown):
    """Where no token stands for unknown words, the id of that token is a word like any other."""
    drawn = set()

    def reward(ids_MT, image_index_M):
        drawn.update(ids_MT.ravel().tolist())
        return np.zeros(len(ids_MT))

    vocabulary, captions, features = toy_task()
    train_decoder(
        toy_spec(vocabulary),
        features,
        captions,
        replace(REWARDED, epochs=1, reward_epochs=1, reward_samples=20),
        tmp_path,
        mean_bias,
        reward,
        SpecialTokens(unknown=unknown),
    )
    assert (UNKNOWN in drawn) == (unknown is None)
    assert START not in drawn


def test_a_reward_that_is_no_number_is_named(tmp_path):
    with pytest.raises(DecoderError, match=r"loss became nan.*now 0\.01"):
        train(tmp_path, reward=lambda ids_MT, image_index_M: np.full(len(ids_MT), np.nan))


def test_each_caption_is_compared_with_the_others_of_its_image():
    advantages = _subtract_others(np.array([[1.0, 2.0, 6.0], [5.0, 5.0, 5.0]]))
    np.testing.assert_allclose(advantages, [[-3.0, -1.5, 4.5], [0.0, 0.0, 0.0]])


def test_drawn_captions_are_laid_out_for_teacher_forcing():
    ids_MT = np.array([[7, 8, END, PAD], [9, END, PAD, PAD]])
    words, targets_P = _lay_out(ids_MT, np.array([0, 0]))
    np.testing.assert_array_equal(words.tokens_MT, [[START, 7, 8], [START, 9, PAD]])
    np.testing.assert_array_equal(words.positions_P, [0, 1, 2, 3, 4])
    np.testing.assert_array_equal(targets_P, [7, 8, END, 9, END])


def draw(log_probs_V, num_captions=4000, seed=(0, 0)):
    """Draws captions from one distribution of words, whatever came before."""

    def step(tokens_B, state, context):
        rows = tf.shape(tokens_B)[0]
        return tf.tile(tf.constant(log_probs_V, tf.float32)[None], [rows, 1]), state

    start = (tf.zeros([1, 1]), tf.zeros([1, 1]))
    return draw_captions(
        step, start, num_captions, 6, tf.constant(seed, tf.int32), SpecialTokens(unknown=3)
    ).numpy()


def test_captions_are_drawn_with_the_probabilities_of_the_decoder():
    ids_MT = draw(np.log([0.2, 0.1, 0.2, 0.1, 0.1, 0.3]))
    assert ids_MT.shape == (4000, 6)
    assert set(np.unique(ids_MT)) == {PAD, END, 4, 5}
    first_share = np.mean(ids_MT[:, 0] == 5)
    assert first_share == pytest.approx(0.75, abs=0.03), "no end before the first word"
    assert np.mean(ids_MT[:, 1] == END) == pytest.approx(1 / 3, abs=0.03)


def test_a_drawn_caption_ends_once_or_is_cut():
    for ids_T in draw(np.log([0.1, 0.1, 0.2, 0.1, 0.2, 0.3]), num_captions=200):
        ends = np.flatnonzero(ids_T == END)
        assert len(ends) <= 1
        words = ids_T[: ends[0]] if len(ends) else ids_T
        assert (words >= 4).all()
        assert not len(ends) or (ids_T[ends[0] + 1 :] == PAD).all()


def test_the_seed_decides_what_is_drawn():
    log_probs_V = np.log([0.1, 0.1, 0.2, 0.1, 0.2, 0.3])
    np.testing.assert_array_equal(draw(log_probs_V, 50), draw(log_probs_V, 50))
    assert (draw(log_probs_V, 50) != draw(log_probs_V, 50, seed=(0, 1))).any()
