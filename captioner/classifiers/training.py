"""Training of a network as a classifier of photographs, so that it can serve as an encoder.

Dimension key: N images, B images of a batch, C classes.
"""

import dataclasses
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from captioner.backbones.spec import BackboneSpec
from captioner.backbones.trained import TrainedNote, save_trained
from captioner.backbones.weights import WeightsOrigin
from captioner.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from captioner.classifiers.augmentation import Augmenter
from captioner.classifiers.batches import LabelledBatches
from captioner.classifiers.history import EpochRow
from captioner.classifiers.network import choose_precision, start_classifier
from captioner.classifiers.scores import ClassifierScores, count_confusion
from captioner.classifiers.settings import ClassifierSettings
from captioner.classifiers.steps import (
    compile_prediction,
    compile_step,
    cross_entropy,
    make_optimizer,
    reset_random_state,
)
from captioner.errors import ClassifierError
from captioner.history import HISTORY_FILE, write_history
from captioner.processor import ComputePrecision, grow_gpu_memory
from captioner.progress import Progress

WEIGHTS_FILE = "encoder.weights.h5"


@dataclass(frozen=True)
class LabelledSplits:
    """What a classifier learns from and is judged by.

    Args:
        class_names: the classes, by label.
        train: the images to learn from.
        dev: the images that decide which epoch is kept and when training stops.
    """

    class_names: tuple[str, ...]
    train: LabelledBatches
    dev: LabelledBatches


@dataclass(frozen=True)
class TrainingSummary:
    """What a training run came to.

    Args:
        history: one row an epoch, those of earlier, interrupted calls included.
        best: the row whose weights were kept.
        scores: of these weights, on dev.
    """

    history: tuple[EpochRow, ...]
    best: EpochRow
    scores: ClassifierScores


def train_classifier(
    spec: BackboneSpec,
    origin: WeightsOrigin,
    splits: LabelledSplits,
    settings: ClassifierSettings,
    folder: Path,
) -> TrainingSummary:
    """Trains a classifier, or goes on where an interrupted call left off.

    After each epoch `folder` holds `history.csv` and `checkpoint.npz`, at the end
    `encoder.weights.h5` as well, which `load_encoder` reads. Killed at any moment and called
    again with the same arguments, it ends in the very weights of an uninterrupted run on the
    same machine. The checkpoint stays; `remove_checkpoint` drops it when the result is safe.

    Args:
        spec: the network, for the number of classes and the input size that are wanted.
        origin: of its first weights; see `start_classifier` for what the classifier on top
            begins with.
        splits: the images.
        settings: how to train.
        folder: an existing folder of this run's own.

    Raises:
        ClassifierError: the loss is no longer a number.
        CheckpointError: `folder` holds the checkpoint of another run, or one that may not be read.
        UsageError: the layer to freeze below does not exist.
        WeightsError: the first weights cannot be had.
    """
    grow_gpu_memory()
    identity = _describe_run(spec, origin, splits, settings)
    checkpoint = load_checkpoint(folder, identity)
    begun_in = None if checkpoint is None else checkpoint.precision
    precision = begun_in or choose_precision(spec, settings.precision)
    run = _TrainingRun(spec, origin, splits, settings, precision)
    if checkpoint is not None:
        run.restore(checkpoint)
    while not run.is_complete:
        run.train_epoch()
        write_history(folder / HISTORY_FILE, run.history)
        save_checkpoint(folder, run.checkpoint(identity))
    return run.finish(folder)


class _TrainingRun:
    """The moving parts of a training run: a network, an optimiser, the epochs done."""

    def __init__(
        self,
        spec: BackboneSpec,
        origin: WeightsOrigin,
        splits: LabelledSplits,
        settings: ClassifierSettings,
        precision: ComputePrecision,
    ) -> None:
        self.history: list[EpochRow] = []
        self._best: list[np.ndarray] = []
        self._splits = splits
        self._settings = settings
        self._precision = precision
        self._classifier = start_classifier(
            spec,
            origin,
            seed=settings.seed,
            class_names=splits.class_names,
            precision=precision,
            freeze_below=settings.freeze_below,
            freeze_norms=settings.freeze_norms,
        )
        augmenter = Augmenter(settings.augmentation)
        self._random_state = [*augmenter.variables, *self._classifier.random_state]
        self._optimizer = make_optimizer(settings, settings.epochs * len(splits.train))
        weights_C = weigh_classes(splits.train.labels, len(splits.class_names), settings)
        self._step = compile_step(self._classifier, augmenter, self._optimizer, settings, weights_C)
        self._predict = compile_prediction(self._classifier)

    @property
    def is_complete(self) -> bool:
        """Whether all epochs are done or dev accuracy has ceased to rise."""
        best_epoch = max((row.epoch for row in self.history if row.is_best), default=0)
        has_stalled = len(self.history) - best_epoch >= self._settings.patience
        return len(self.history) >= self._settings.epochs or has_stalled

    def train_epoch(self) -> None:
        """Looks at every training image once, then judges the outcome."""
        started = time.monotonic()
        loss, accuracy = self._read_images()
        seconds = time.monotonic() - started
        dev_loss, confusion_CC = self._judge()
        row = EpochRow(
            epoch=len(self.history) + 1,
            loss=loss,
            accuracy=accuracy,
            dev_loss=dev_loss,
            dev_accuracy=float(np.trace(confusion_CC) / confusion_CC.sum()),
            is_best=True,
            seconds=time.monotonic() - started,
            images_per_second=len(self._splits.train.labels) / seconds,
        )
        if any(earlier.merit >= row.merit for earlier in self.history):
            row = dataclasses.replace(row, is_best=False)
        else:
            self._best = [weight.numpy() for weight in self._classifier.model.weights]
        self.history.append(row)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Puts everything back to the end of the last whole epoch."""
        arrays = checkpoint.arrays
        _assign(self._classifier.model.weights, _denumber(arrays["weights"]))
        _assign(self._optimizer.variables, _denumber(arrays["optimizer"]))
        self.history = [EpochRow(**row) for row in checkpoint.history]
        self._best = _denumber(arrays["best"])

    def checkpoint(self, identity: Mapping[str, Any]) -> Checkpoint:
        """Returns all that `restore` needs."""
        groups = {
            "weights": [weight.numpy() for weight in self._classifier.model.weights],
            "optimizer": [variable.numpy() for variable in self._optimizer.variables],
            "best": self._best,
        }
        history = [row.to_json() for row in self.history]
        arrays = {name: _number(own) for name, own in groups.items()}
        return Checkpoint(identity, history, arrays, self._precision)

    def finish(self, folder: Path) -> TrainingSummary:
        """Writes the best weights as an encoder's, and judges them class by class."""
        classifier, class_names = self._classifier, self._splits.class_names
        _assign(classifier.model.weights, self._best)
        rule = classifier.spec.rule
        note = TrainedNote(
            name=classifier.spec.name,
            num_classes=len(class_names),
            input_size=(rule.height, rule.width),
            preprocessing=classifier.preprocessing,
            class_names=class_names,
        )
        save_trained(classifier.model, folder / WEIGHTS_FILE, note)
        best = max((row for row in self.history if row.is_best), key=lambda row: row.epoch)
        scores = ClassifierScores(class_names, self._judge()[1])
        return TrainingSummary(tuple(self.history), best, scores)

    def _read_images(self) -> tuple[float, float]:
        epoch, batches = len(self.history), self._splits.train
        reset_random_state(self._random_state, self._settings.seed, epoch)
        total, num_right, num_images = 0.0, 0, 0
        label = f"pretrain, epoch {epoch + 1} of {self._settings.epochs}"
        with Progress(label, len(batches.labels)) as progress:
            for images_BHWC, labels_B in batches.shuffled(self._settings.seed, epoch):
                loss, right = self._step(images_BHWC, labels_B)
                total += self._check_loss(float(loss))
                num_right += int(right)
                num_images += len(labels_B)
                progress.note(f"loss {total / num_images:.2f}, {num_right / num_images:.0%}")
                progress.advance(len(labels_B))
        return total / num_images, num_right / num_images

    def _check_loss(self, loss: float) -> float:
        if not math.isfinite(loss):
            raise ClassifierError(
                f"The training loss became {loss} in epoch {len(self.history) + 1}. Lower the "
                f"learning rate (now {self._settings.learning_rate}), or train with "
                f"precision='float32' (now {self._settings.precision!r})."
            )
        return loss

    def _judge(self) -> tuple[float, np.ndarray]:
        """Returns the mean loss of a dev image and the confusion matrix."""
        total, found = 0.0, []
        for images_BHWC, labels_B in self._splits.dev.in_order():
            probabilities_BC = self._predict(images_BHWC)
            total += float(tf.reduce_sum(cross_entropy(probabilities_BC, labels_B, 0.0)))
            found.append(np.argmax(probabilities_BC.numpy(), axis=-1))
        labels_N = self._splits.dev.labels
        confusion_CC = count_confusion(
            labels_N, np.concatenate(found), len(self._splits.class_names)
        )
        return total / len(labels_N), confusion_CC


def weigh_classes(
    labels_N: np.ndarray, num_classes: int, settings: ClassifierSettings
) -> np.ndarray:
    """Returns what an image of each class weighs in the loss, float (C,), 1 in the mean."""
    if settings.class_weights == "none":
        return np.ones(num_classes)
    counts_C = np.bincount(labels_N, minlength=num_classes)
    return len(labels_N) / (num_classes * counts_C)


def _describe_run(
    spec: BackboneSpec,
    origin: WeightsOrigin,
    splits: LabelledSplits,
    settings: ClassifierSettings,
) -> dict[str, Any]:
    return {
        "network": spec.name,
        "input": spec.rule.describe(),
        "weights": [origin.source, origin.digest, origin.seed],
        "class_names": list(splits.class_names),
        "images": [splits.train.digest, splits.dev.digest],
        **settings.to_json(),
    }


def _number(arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    return {str(place): array for place, array in enumerate(arrays)}


def _denumber(arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    return [arrays[str(place)] for place in range(len(arrays))]


def _assign(variables: Sequence[keras.Variable], arrays: Sequence[np.ndarray]) -> None:
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
