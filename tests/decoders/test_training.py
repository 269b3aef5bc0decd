"""Training on a toy task: it learns, and interrupting it changes nothing."""

import csv
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toys import WIDTH, ArrayFeatures, small_spec, toy_name, toy_task

from captioner.checkpoint import CHECKPOINT_FILE
from captioner.decoders import training
from captioner.decoders.captions import CaptionGenerator
from captioner.decoders.registry import KINDS
from captioner.decoders.settings import TrainSettings
from captioner.decoders.storage import load_decoder
from captioner.decoding.settings import SearchSettings
from captioner.errors import CheckpointError, DecoderError

SETTINGS = TrainSettings(
    epochs=3,
    batch_size=16,
    learning_rate=0.02,
    warmup_steps=5,
    label_smoothing=0.0,
    ema=0.9,
    precision="float32",
)


def toy_spec(vocabulary, kind="inject"):
    return small_spec(kind, len(vocabulary), embedding_dropout=0.1, output_dropout=0.1)


def train_toy(folder: Path, settings=SETTINGS, score_dev=lambda decoder: 0.0, kind="inject"):
    folder.mkdir(exist_ok=True)
    vocabulary, captions, features = toy_task()
    spec = toy_spec(vocabulary, kind)
    return training.train_decoder(spec, features, captions, settings, folder, score_dev)


def mean_bias(decoder) -> float:
    """A dev score that depends on the weights alone, as the contract asks."""
    return float(np.mean(decoder.weights["lstm/bias"].numpy()))


def read_weights(folder: Path) -> dict[str, np.ndarray]:
    return {name: v.numpy() for name, v in load_decoder(folder).weights.items()}


def assert_same_weights(folder: Path, other: Path) -> None:
    theirs = read_weights(other)
    for name, array in read_weights(folder).items():
        np.testing.assert_array_equal(array, theirs[name], err_msg=name)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    return folder, train_toy(folder, score_dev=mean_bias)


class ShareNamed:
    """A dev score: the share of dev images whose greedy caption names colour and thing."""

    def __init__(self) -> None:
        self._vocabulary, self._captions, self._features = toy_task()
        self._generator: CaptionGenerator | None = None

    def __call__(self, decoder):
        if self._generator is None:
            search = SearchSettings(method="greedy", max_length=10)
            self._generator = CaptionGenerator(decoder, self._vocabulary, search)
        dev = self._captions.image_ids_in("dev")
        made = self._generator.generate(self._features, dev)
        return float(
            np.mean([toy_name(image_id) <= set(made[image_id][0].words) for image_id in dev])
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_a_decoder_learns_to_say_what_it_sees(tmp_path, kind, precision):
    settings = replace(SETTINGS, epochs=20, patience=20, precision=precision)
    summary = train_toy(tmp_path, settings, ShareNamed(), kind)
    assert ShareNamed()(load_decoder(tmp_path)) == summary.best.dev_score == 1.0
    assert summary.history[-1].dev_loss < 0.5 * summary.history[0].dev_loss


def test_the_history_is_on_disk(uninterrupted):
    folder, summary = uninterrupted
    with open(folder / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3]
    assert [float(row["loss"]) for row in rows] == [row.loss for row in summary.history]
    assert all(float(row["words_per_second"]) > 0 for row in rows)


def test_training_twice_gives_the_same_weights(tmp_path, uninterrupted):
    train_toy(tmp_path, score_dev=mean_bias)
    assert_same_weights(tmp_path, uninterrupted[0])


def test_another_seed_gives_other_weights(tmp_path, uninterrupted):
    train_toy(tmp_path, replace(SETTINGS, seed=1), mean_bias)
    with pytest.raises(AssertionError):
        assert_same_weights(tmp_path, uninterrupted[0])


def test_the_weights_with_the_best_score_are_kept(tmp_path):
    kept = []
    scores = iter([0.1, 0.3, 0.2])

    def score_dev(decoder):
        kept.append({name: v.numpy() for name, v in decoder.weights.items()})
        return next(scores)

    summary = train_toy(tmp_path, score_dev=score_dev)
    assert [row.is_best for row in summary.history] == [True, True, False]
    assert summary.best.epoch == 2
    for name, array in read_weights(tmp_path).items():
        np.testing.assert_array_equal(array, kept[1][name])


def test_training_stops_when_the_score_ceases_to_rise(tmp_path):
    scores = iter([0.3, 0.3, 0.2, 0.9])
    settings = replace(SETTINGS, epochs=10, patience=2)
    summary = train_toy(tmp_path, settings, lambda decoder: next(scores))
    assert len(summary.history) == 3
    assert summary.stopped_early


def test_a_finished_run_is_not_run_again(uninterrupted):
    folder, summary = uninterrupted

    def refuse(decoder):
        pytest.fail("an epoch was run")

    assert train_toy(folder, score_dev=refuse) == summary


def test_a_resumed_training_keeps_the_format_it_began_in(tmp_path, monkeypatch):
    """What "auto" means is measured anew in every process."""
    settings = replace(SETTINGS, precision="auto")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    scores = iter([0.1])

    def score_once(decoder):
        try:
            return next(scores)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr(training, "find_precision", lambda wanted: "bfloat16")
    expected = train_toy(whole, settings, mean_bias)
    with pytest.raises(KeyboardInterrupt):
        train_toy(parts, settings, score_once)
    monkeypatch.setattr(training, "find_precision", lambda wanted: "float32")
    summary = train_toy(parts, settings, mean_bias)
    assert [row.loss for row in summary.history] == [row.loss for row in expected.history]


INTERRUPTED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_training as toy

batches = 0
from captioner.decoders.feature_reader import FeatureReader

read = FeatureReader.read

def read_until_killed(reader, image_ids):
    global batches
    batches += 1
    if batches > int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    return read(reader, image_ids)

FeatureReader.read = read_until_killed
toy.train_toy(Path(sys.argv[2]), score_dev=toy.mean_bias)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_training_ends_in_the_same_weights(tmp_path, uninterrupted):
    """Killed in the first epoch, in the second, while judging it; then left to finish."""
    for num_batches, epochs_saved in ((4, 0), (14, 1), (9, 1)):
        command = [sys.executable, "-c", INTERRUPTED, str(Path(__file__).parent), str(tmp_path)]
        killed = subprocess.run([*command, str(num_batches)], capture_output=True, text=True)
        assert killed.returncode == -9, killed.stderr
        saved = load_history(tmp_path)
        assert len(saved) == epochs_saved
    summary = train_toy(tmp_path, score_dev=mean_bias)
    assert_same_weights(tmp_path, uninterrupted[0])
    assert [row.loss for row in summary.history] == [row.loss for row in uninterrupted[1].history]
    assert summary.best.epoch == uninterrupted[1].best.epoch


def load_history(folder):
    path = folder / "history.csv"
    return path.read_text().splitlines()[1:] if path.exists() else []


def test_a_run_with_other_settings_does_not_continue_this_one(uninterrupted):
    folder, _ = uninterrupted
    with pytest.raises(CheckpointError, match=r"training run: epochs was 3, is 4\. Train in"):
        train_toy(folder, replace(SETTINGS, epochs=4))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"\0" * 500])
def test_a_damaged_checkpoint_is_said_aloud_and_training_starts_anew(
    tmp_path, uninterrupted, capsys, content
):
    (tmp_path / CHECKPOINT_FILE).write_bytes(content)
    train_toy(tmp_path, score_dev=mean_bias)
    assert "nothing can be made of the checkpoint (it is damaged)" in capsys.readouterr().err
    assert_same_weights(tmp_path, uninterrupted[0])


def test_a_checkpoint_that_may_not_be_read_is_left_alone(tmp_path):
    (tmp_path / CHECKPOINT_FILE).mkdir()
    with pytest.raises(CheckpointError, match=r"checkpoint\.npz: the checkpoint cannot be read"):
        train_toy(tmp_path)


def test_a_loss_that_is_no_number_says_what_to_do(tmp_path):
    vocabulary, captions, features = toy_task()
    broken = ArrayFeatures({i: np.full(WIDTH, np.nan) for i in features.image_ids})
    with pytest.raises(DecoderError, match=r"became nan at step 0\. Lower the learning"):
        training.train_decoder(
            toy_spec(vocabulary), broken, captions, SETTINGS, tmp_path, mean_bias
        )
    assert not (tmp_path / "decoder.weights.h5").exists()


def test_features_of_another_width_are_refused(tmp_path):
    vocabulary, captions, features = toy_task()
    wide = ArrayFeatures({i: np.ones(WIDTH + 1) for i in features.image_ids})
    with pytest.raises(DecoderError, match=r"shape \(9,\), and the decoder expects \(8,\)"):
        training.train_decoder(toy_spec(vocabulary), wide, captions, SETTINGS, tmp_path, mean_bias)
