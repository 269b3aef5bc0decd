"""Training on toy classes: it learns, and interrupting it changes nothing."""

import csv
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy_classes import CORNERS, NETWORK, SETTINGS, draw_classes, toy_splits, train_toy

from captioner.backbones.encoder import load_encoder
from captioner.backbones.keras_checkpoint import read_keras_checkpoint
from captioner.backbones.registry import find_spec
from captioner.backbones.trained import read_note
from captioner.backbones.weights import resolve_weights
from captioner.checkpoint import CHECKPOINT_FILE
from captioner.classifiers.batches import find_unreadable
from captioner.classifiers.class_folders import read_class_folders
from captioner.classifiers.network import start_classifier
from captioner.classifiers.steps import make_optimizer
from captioner.classifiers.training import WEIGHTS_FILE, weigh_classes
from captioner.errors import CheckpointError, ClassifierError, DatasetError
from captioner.files import hash_file
from captioner.history import HISTORY_FILE
from captioner.images import load_image


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return draw_classes(tmp_path_factory.mktemp("pictures") / "corners")


@pytest.fixture(scope="module")
def uninterrupted(pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    return folder, train_toy(pictures, folder)


def read_weights(folder: Path) -> dict[str, np.ndarray]:
    layers = read_keras_checkpoint(folder / WEIGHTS_FILE)
    return {f"{name}/{i}": w for name, ws in layers.items() for i, w in enumerate(ws)}


def assert_same_weights(folder: Path, other: Path) -> None:
    theirs = read_weights(other)
    for name, array in read_weights(folder).items():
        np.testing.assert_array_equal(array, theirs[name], err_msg=name)


def read_history(folder: Path) -> list[dict[str, str]]:
    path = folder / HISTORY_FILE
    return list(csv.DictReader(path.read_text().splitlines())) if path.exists() else []


def test_it_learns_in_mixed_precision(pictures, tmp_path):
    settings = replace(SETTINGS, epochs=12, patience=12, precision="bfloat16")
    summary = train_toy(pictures, tmp_path, settings)
    assert summary.scores.accuracy == summary.best.dev_accuracy == 1.0
    assert summary.best.dev_loss < 0.5 * np.log(3)
    assert summary.scores.num_images == 9


def test_the_result_is_an_encoder_that_knows_what_it_is(pictures, uninterrupted):
    path = uninterrupted[0] / WEIGHTS_FILE
    note = read_note(path)
    assert (note.name, note.num_classes, note.input_size) == (NETWORK, 3, (28, 28))
    assert note.class_names == tuple(CORNERS)
    encoder = load_encoder(NETWORK, weights=str(path))
    image = load_image(pictures / "left" / "0.png", encoder.spec.rule)
    assert encoder.encode(image[None])["vector"].shape == (1, 84)


def test_the_history_is_on_disk(uninterrupted):
    folder, summary = uninterrupted
    rows = read_history(folder)
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3]
    assert [float(row["dev_loss"]) for row in rows] == [r.dev_loss for r in summary.history]
    assert all(float(row["images_per_second"]) > 0 for row in rows)


INTERRUPTED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import toy_classes as toy
from captioner.classifiers.training import _TrainingRun

check, seen = _TrainingRun._check_loss, 0

def check_until_killed(run, loss):
    global seen
    seen += 1
    if seen > int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)
    return check(run, loss)

_TrainingRun._check_loss = check_until_killed
toy.train_toy(Path(sys.argv[2]), Path(sys.argv[3]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_training_ends_in_the_same_weights(pictures, tmp_path, uninterrupted):
    """Killed in the second of three epochs (four batches each), then left to finish."""
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", INTERRUPTED, here, str(pictures), str(tmp_path), "6"]
    killed = subprocess.run(command, capture_output=True, text=True)
    assert killed.returncode == -9, killed.stderr
    assert len(read_history(tmp_path)) == 1
    summary = train_toy(pictures, tmp_path)
    assert_same_weights(tmp_path, uninterrupted[0])
    assert [row.loss for row in summary.history] == [r.loss for r in uninterrupted[1].history]


def test_a_finished_run_is_not_run_again(pictures, uninterrupted, monkeypatch):
    folder, summary = uninterrupted
    monkeypatch.setattr(
        "captioner.classifiers.training._TrainingRun.train_epoch",
        lambda run: pytest.fail("an epoch was run"),
    )
    assert train_toy(pictures, folder).history == summary.history


def test_a_run_with_other_settings_does_not_continue_this_one(pictures, uninterrupted):
    with pytest.raises(CheckpointError, match=r"another training run: epochs was .*Train in"):
        train_toy(pictures, uninterrupted[0], replace(SETTINGS, epochs=4))


def test_a_damaged_checkpoint_is_said_aloud_and_training_starts_anew(pictures, tmp_path, capsys):
    (tmp_path / CHECKPOINT_FILE).write_bytes(b"PK\x03\x04 cut off")
    assert len(train_toy(pictures, tmp_path).history) == SETTINGS.epochs
    assert "nothing can be made of the checkpoint" in capsys.readouterr().err


def test_a_loss_that_is_no_number_says_what_to_do(pictures, tmp_path):
    wild = replace(SETTINGS, learning_rate=1e38, warmup_steps=0, clip_norm=1e30)
    with pytest.raises(
        ClassifierError, match=r"became (nan|inf) in epoch \d\. Lower the learning rate"
    ):
        train_toy(pictures, tmp_path, wild)


def test_training_stops_when_dev_accuracy_ceases_to_rise(pictures, tmp_path):
    frozen = replace(SETTINGS, epochs=9, learning_rate=1e-12, patience=2)
    summary = train_toy(pictures, tmp_path, frozen)
    assert len(summary.history) < 9


def test_frozen_layers_keep_their_weights(pictures, tmp_path):
    settings = replace(SETTINGS, epochs=1, freeze_below="fc2")
    train_toy(pictures, tmp_path, settings)
    spec = find_spec(NETWORK).at(num_classes=3)
    fresh = start_classifier(spec, resolve_weights(spec, "random", 0), seed=settings.seed)
    before = {
        f"{layer.name}/{number}": weight.numpy()
        for layer in fresh.model.layers
        for number, weight in enumerate(layer.weights)
    }
    after = read_weights(tmp_path)
    changed = {name.partition("/")[0] for name in before if (after[name] != before[name]).any()}
    assert changed == {"fc2", "predictions"}


def test_rare_classes_weigh_more():
    labels = np.array([0] * 6 + [1] * 2)
    np.testing.assert_allclose(weigh_classes(labels, 2, SETTINGS), [8 / 12, 8 / 4])
    even = replace(SETTINGS, class_weights="none")
    np.testing.assert_array_equal(weigh_classes(labels, 2, even), [1, 1])


def test_the_rate_rises_and_falls_along_a_cosine():
    settings = replace(SETTINGS, learning_rate=0.1, warmup_steps=10)
    schedule = make_optimizer(settings, 110)._learning_rate
    rates = [float(schedule(step)) for step in (0, 10, 60, 110)]
    np.testing.assert_allclose(rates, [0.1 / 11, 0.1, 0.05, 0.0], atol=1e-6)


def test_every_image_comes_once_an_epoch_in_another_order(pictures):
    train = toy_splits(read_class_folders(pictures, dev_fraction=0.25)).train
    epochs = [np.concatenate([labels for _, labels in train.shuffled(0, n)]) for n in (0, 0, 1)]
    np.testing.assert_array_equal(epochs[0], epochs[1])
    assert not np.array_equal(epochs[0], epochs[2])
    assert np.bincount(epochs[2]).tolist() == [9, 9, 9]
    sizes = [len(images) for images, _ in train.in_order()]
    assert (sizes, len(train)) == ([8, 8, 8, 3], 4)


def test_damaged_images_are_found_and_later_damage_is_an_error(tmp_path):
    folders = read_class_folders(draw_classes(tmp_path / "drawn", 4))
    splits = toy_splits(folders)
    victim = folders.in_split("train")[0]
    victim.path.write_bytes(b"no picture")
    digests = {image.name: hash_file(image.path) for image in folders.images}
    (failure,) = find_unreadable(folders.images, digests, splits.train._rule)
    assert failure.image_id == victim.name
    assert "it holds text" in failure.cause
    with pytest.raises(DatasetError, match="could be read when training began"):
        list(splits.train.in_order())
