"""Training of a decoder with teacher forcing over whole captions.

Each step reads captions of like length once and predicts every next word of theirs, instead of
one example a word. After each epoch the caller's scorer judges captions that the decoder made
itself; the weights with the best score are kept.

Dimension key: N images, M captions, T positions, P real positions, V tokens.
"""

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from captioner.decoders.batches import Batch, CaptionBatches
from captioner.decoders.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from captioner.decoders.decoder import Decoder
from captioner.decoders.history import HISTORY_FILE, EpochRow, write_history
from captioner.decoders.optimizer import Optimizer
from captioner.decoders.precision import find_precision
from captioner.decoders.registry import build_decoder
from captioner.decoders.settings import TrainSettings
from captioner.decoders.spec import DecoderSpec
from captioner.decoders.steps import compile_loss, compile_step
from captioner.decoders.storage import SPEC_FILE, WEIGHTS_FILE, write_weights
from captioner.errors import DecoderError
from captioner.features.reading import Features
from captioner.files import write_json
from captioner.progress import Progress
from captioner.text.tokens import TokenisedCaptions

MAX_FITTED = 8192  # images that a decoder's statistics are taken from

ScoreDev = Callable[[Decoder], float]


@dataclass(frozen=True)
class TrainingSummary:
    """What a training run came to.

    Args:
        history: one row an epoch, those of earlier, interrupted calls included.
        best: the row whose weights were kept.
        stopped_early: whether the dev score ceased to rise before the last epoch.
    """

    history: tuple[EpochRow, ...]
    best: EpochRow
    stopped_early: bool


def train_decoder(
    spec: DecoderSpec,
    features: Features,
    captions: TokenisedCaptions,
    settings: TrainSettings,
    folder: Path,
    score_dev: ScoreDev,
) -> TrainingSummary:
    """Trains a decoder, or goes on where an interrupted call left off.

    After each epoch `folder` holds `decoder.json`, `decoder.weights.h5` (the best weights so
    far), `history.csv` and `checkpoint.npz`. Killed at any moment and called again with the same
    arguments, it ends in the very weights of an uninterrupted run on the same machine. The
    checkpoint stays, so that a call after the last epoch returns at once;
    `remove_checkpoint` drops it when the result is safe.

    Args:
        spec: the decoder to train.
        features: where image features are read from, batch by batch.
        captions: of a train and a dev split.
        settings: how to train.
        folder: an existing folder of this run's own.
        score_dev: judges a float32 decoder by captions that it makes for dev images; higher is
            better. It must not depend on anything but the decoder's weights.

    Raises:
        DecoderError: a split is empty, features do not fit the spec, the loss is no longer a
            number, or `folder` holds the checkpoint of another run.
    """
    run = _TrainingRun(spec, features, captions, settings, score_dev)
    identity = _describe_run(spec, captions, settings)
    checkpoint = load_checkpoint(folder, identity)
    if checkpoint is not None:
        run.restore(checkpoint)
    while not run.is_complete:
        run.train_epoch()
        _write_results(folder, run)
        save_checkpoint(folder, run.checkpoint(identity))
    _write_results(folder, run)
    return run.summary()


class _TrainingRun:
    """The moving parts of a training run: two decoders, an optimiser, the epochs done.

    One decoder is trained, perhaps in bfloat16; the other holds the weights' mean in float32 and
    is the one that is judged and kept.
    """

    def __init__(
        self,
        spec: DecoderSpec,
        features: Features,
        captions: TokenisedCaptions,
        settings: TrainSettings,
        score_dev: ScoreDev,
    ) -> None:
        self.spec = spec
        self.settings = settings
        self.history: list[EpochRow] = []
        self.best: dict[str, np.ndarray] = {}
        self._features = features
        self._score_dev = score_dev
        self._train = CaptionBatches(captions, "train", settings.batch_size)
        self._dev = CaptionBatches(captions, "dev", settings.batch_size)
        precision = find_precision(settings.precision)
        self._decoder = build_decoder(spec, precision=precision, seed=settings.seed)
        self._decoder.fit(self._sample_images(captions))
        self._judged = build_decoder(spec, seed=settings.seed)
        num_steps = settings.epochs * len(self._train)
        self._optimizer = Optimizer(self._decoder.weights, settings, num_steps)
        self._step = compile_step(self._decoder, self._optimizer, settings)
        self._dev_step = compile_loss(self._judged)

    def _sample_images(self, captions: TokenisedCaptions) -> np.ndarray:
        """Returns the features of up to MAX_FITTED training images, evenly spread."""
        image_ids = captions.image_ids_in("train")
        step = -(-len(image_ids) // MAX_FITTED)
        return self._features.read(self.spec.feature_kind, image_ids[:: max(1, step)])

    @property
    def is_complete(self) -> bool:
        """Whether all epochs are done or the dev score has ceased to rise."""
        return len(self.history) >= self.settings.epochs or self._has_stalled

    @property
    def _has_stalled(self) -> bool:
        best_epoch = max((row.epoch for row in self.history if row.is_best), default=0)
        return len(self.history) - best_epoch >= self.settings.patience

    def train_epoch(self) -> None:
        """Reads every training caption once, then judges the outcome."""
        started = time.monotonic()
        loss, num_words = self._read_captions()
        seconds = time.monotonic() - started
        for name, variable in self._judged.weights.items():
            variable.assign(self._optimizer.mean[name])
        score = float(self._score_dev(self._judged))
        is_best = not self.history or score > max(row.dev_score for row in self.history)
        if is_best:
            self.best = {name: v.numpy() for name, v in self._judged.weights.items()}
        self.history.append(
            EpochRow(
                epoch=len(self.history) + 1,
                loss=loss,
                dev_loss=self._measure_dev_loss(),
                dev_score=score,
                is_best=is_best,
                seconds=time.monotonic() - started,
                words_per_second=num_words / seconds,
            )
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Puts everything back to the end of the last whole epoch."""
        for name, variable in self._optimizer.variables.items():
            variable.assign(checkpoint.variables[name])
        self.history = list(checkpoint.history)
        self.best = dict(checkpoint.best)

    def checkpoint(self, identity: dict[str, object]) -> Checkpoint:
        """Returns all that `restore` needs."""
        variables = {name: v.numpy() for name, v in self._optimizer.variables.items()}
        return Checkpoint(identity, tuple(self.history), variables, self.best)

    def summary(self) -> TrainingSummary:
        """Returns what the run came to."""
        best = max((row for row in self.history if row.is_best), key=lambda row: row.epoch)
        stopped_early = len(self.history) < self.settings.epochs
        return TrainingSummary(tuple(self.history), best, stopped_early)

    def _read_captions(self) -> tuple[float, int]:
        epoch = len(self.history)
        total, num_words = 0.0, 0
        label = f"train, epoch {epoch + 1} of {self.settings.epochs}"
        with Progress(label, len(self._train), unit="batch") as progress:
            batches = self._train.shuffled(self.settings.seed, epoch)
            for step, batch in enumerate(batches, epoch * len(self._train)):
                total += self._train_batch(batch, step) * len(batch.targets_P)
                num_words += len(batch.targets_P)
                progress.note(f"loss {total / num_words:.3f}")
                progress.advance()
        return total / num_words, num_words

    def _train_batch(self, batch: Batch, step: int) -> float:
        seed = np.array([self.settings.seed, step], np.int32)
        schedule_4 = self._optimizer.schedule(step)
        loss = float(self._step(*self._tensors(batch), schedule_4, seed))
        if not math.isfinite(loss):
            raise DecoderError(
                f"The training loss became {loss} at step {step}, epoch {len(self.history) + 1}. "
                f"Lower the learning rate (now {self.settings.learning_rate}), or train with "
                f"precision='float32' (now {self.settings.precision!r}); if the features hold "
                "NaN or infinity, extract them again."
            )
        return loss

    def _measure_dev_loss(self) -> float:
        sums = [
            (float(self._dev_step(*self._tensors(batch))) * len(batch.targets_P))
            for batch in self._dev.in_order()
        ]
        return sum(sums) / sum(len(batch.targets_P) for batch in self._dev.in_order())

    def _tensors(self, batch: Batch) -> tuple[np.ndarray, ...]:
        features_N = self._features.read(self.spec.feature_kind, batch.image_ids)
        if features_N.shape[1:] != self.spec.feature_shape:
            raise DecoderError(
                f"The {self.spec.feature_kind} features have shape {features_N.shape[1:]}, and "
                f"the decoder expects {self.spec.feature_shape}. Extract features with the "
                "backbone that the decoder is meant for."
            )
        return features_N, batch.tokens_MT, batch.image_index_M, batch.positions_P, batch.targets_P


def _describe_run(
    spec: DecoderSpec, captions: TokenisedCaptions, settings: TrainSettings
) -> dict[str, object]:
    digest = hashlib.sha256(captions.tokens.tobytes() + captions.image_index.tobytes())
    digest.update("\n".join([*captions.image_ids, *captions.splits]).encode())
    return {**spec.to_json(), **settings.to_json(), "captions": digest.hexdigest()}


def _write_results(folder: Path, run: _TrainingRun) -> None:
    write_json(folder / SPEC_FILE, run.spec.to_json())
    write_weights(folder / WEIGHTS_FILE, run.best)
    write_history(folder / HISTORY_FILE, run.history)
