"""Training of a decoder: by cross-entropy, then, if wanted, by the score of its own captions.

After each epoch the caller's scorer judges captions that the decoder made itself; the weights
with the best score are kept, and the second phase starts from the best of the first.
"""

import dataclasses
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from captioner.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from captioner.decoders.decoder import Decoder
from captioner.decoders.feature_reader import FeatureReader
from captioner.decoders.history import EpochRow, PhaseName
from captioner.decoders.phase import Phase
from captioner.decoders.precision import find_precision
from captioner.decoders.registry import Precision, build_decoder
from captioner.decoders.self_critical import Reward, SelfCritical
from captioner.decoders.settings import TrainSettings
from captioner.decoders.spec import DecoderSpec
from captioner.decoders.storage import SPEC_FILE, WEIGHTS_FILE, write_weights
from captioner.decoders.teacher_forcing import DevLoss, TeacherForcing
from captioner.decoding.settings import SpecialTokens
from captioner.errors import UsageError
from captioner.features.reading import Features
from captioner.files import write_json
from captioner.history import HISTORY_FILE, write_history
from captioner.processor import ComputePrecision
from captioner.text.tokens import TokenisedCaptions

MAX_FITTED = 8192  # images that a decoder's statistics are taken from
_FITTED_AT_ONCE = 64
_USUAL_TOKENS = SpecialTokens()

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
    reward: Reward | None = None,
    tokens: SpecialTokens = _USUAL_TOKENS,
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
        reward: judges captions drawn for training images, where `settings.reward_epochs` asks
            for that phase.
        tokens: the ids that are no words; none of these is ever drawn.

    Raises:
        UsageError: such epochs are asked for, and there is no reward; or an attention penalty,
            and the decoder does not attend.
        DecoderError: a split is empty, features do not fit the spec, or the loss is no longer a
            number.
        CheckpointError: `folder` holds the checkpoint of another run, or one that may not be read.
    """
    if settings.reward_epochs and reward is None:
        raise UsageError(f"reward_epochs={settings.reward_epochs} needs a reward, received none.")
    if settings.attention_penalty and spec.feature_kind != "grid":
        raise UsageError(
            f"attention_penalty={settings.attention_penalty} needs a decoder that attends to a "
            f"grid. Received: kind {spec.kind!r}."
        )
    identity = _describe_run(spec, captions, settings, tokens)
    checkpoint = load_checkpoint(folder, identity)
    begun_in = None if checkpoint is None else checkpoint.precision
    precision = begun_in or find_precision(settings.precision)
    run = _TrainingRun(spec, features, captions, settings, precision, score_dev, reward, tokens)
    if checkpoint is not None:
        run.restore(checkpoint)
    while not run.is_complete:
        run.train_epoch()
        _write_results(folder, run)
        save_checkpoint(folder, run.checkpoint(identity))
    _write_results(folder, run)
    return run.summary()


class _TrainingRun:
    """The moving parts of a training run: two decoders, the phase it is in, the epochs done.

    One decoder is trained, perhaps in bfloat16; the other holds the weights' mean in float32 and
    is the one that is judged and kept.
    """

    def __init__(
        self,
        spec: DecoderSpec,
        features: Features,
        captions: TokenisedCaptions,
        settings: TrainSettings,
        precision: ComputePrecision,
        score_dev: ScoreDev,
        reward: Reward | None,
        tokens: SpecialTokens,
    ) -> None:
        self.spec = spec
        self.settings = settings
        self.history: list[EpochRow] = []
        self.best: dict[str, np.ndarray] = {}
        self._features = FeatureReader(features, spec)
        self._captions = captions
        self._reward = reward
        self._tokens = tokens
        self._score_dev = score_dev
        self._precision = precision
        trained_in: Precision = "mixed_bfloat16" if precision == "bfloat16" else "float32"
        self._decoder = build_decoder(spec, precision=trained_in, seed=settings.seed)
        self._decoder.fit(self._sampled_images())
        self._judged = build_decoder(spec, seed=settings.seed)
        self._dev_loss = DevLoss(self._judged, self._features, captions, settings)
        self._phase = self._make_phase("cross_entropy")

    @property
    def is_complete(self) -> bool:
        """Whether all epochs are done, or have ceased to raise the dev score."""
        return self._next_phase() is None

    def train_epoch(self) -> None:
        """Goes through the training data once, then judges the outcome."""
        phase = self._next_phase()
        if phase is None:
            return
        if phase != self._phase.name:
            self._enter(phase)
        started = time.monotonic()
        totals = self._phase.train_epoch(len(self._rows(phase)), self._label(phase))
        seconds = time.monotonic() - started
        for name, variable in self._judged.weights.items():
            variable.assign(self._phase.optimizer.mean[name])
        score = float(self._score_dev(self._judged))
        is_best = not self.history or score > max(row.dev_score for row in self.history)
        if is_best:
            self.best = {name: v.numpy() for name, v in self._judged.weights.items()}
        self.history.append(
            EpochRow(
                epoch=len(self.history) + 1,
                phase=phase,
                loss=totals.loss,
                dev_loss=self._dev_loss.measure(),
                dev_score=score,
                is_best=is_best,
                seconds=time.monotonic() - started,
                words_per_second=totals.num_words / seconds,
            )
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Puts everything back to the end of the last whole epoch."""
        self.history = [EpochRow(**row) for row in checkpoint.history]
        self.best = dict(checkpoint.arrays["best"])
        if self.history[-1].phase != self._phase.name:
            self._phase = self._make_phase(self.history[-1].phase)
        for name, variable in self._phase.optimizer.variables.items():
            variable.assign(checkpoint.arrays["variables"][name])

    def checkpoint(self, identity: dict[str, object]) -> Checkpoint:
        """Returns all that `restore` needs."""
        variables = {name: v.numpy() for name, v in self._phase.optimizer.variables.items()}
        history = [row.to_json() for row in self.history]
        arrays = {"variables": variables, "best": self.best}
        return Checkpoint(identity, history, arrays, self._precision)

    def summary(self) -> TrainingSummary:
        """Returns what the run came to."""
        best = max((row for row in self.history if row.is_best), key=lambda row: row.epoch)
        stopped_early = len(self._rows("cross_entropy")) < self.settings.epochs
        return TrainingSummary(tuple(self.history), best, stopped_early)

    def _next_phase(self) -> PhaseName | None:
        """Returns the phase that the next epoch belongs to; None when there is no more to do."""
        if not self._rows("self_critical") and not self._is_taught:
            return "cross_entropy"
        if len(self._rows("self_critical")) < self.settings.reward_epochs:
            return "self_critical"
        return None

    @property
    def _is_taught(self) -> bool:
        """Whether the first phase has had all its epochs, or its dev score ceased to rise."""
        rows = self._rows("cross_entropy")
        best_epoch = max((row.epoch for row in rows if row.is_best), default=0)
        return len(rows) >= self.settings.epochs or len(rows) - best_epoch >= self.settings.patience

    def _rows(self, phase: PhaseName) -> list[EpochRow]:
        return [row for row in self.history if row.phase == phase]

    def _enter(self, phase: PhaseName) -> None:
        """Starts a phase from the best weights so far."""
        for name, variable in self._decoder.weights.items():
            variable.assign(self.best[name])
        self._phase = self._make_phase(phase)

    def _make_phase(self, phase: PhaseName) -> Phase:
        common = (self._decoder, self._features, self._captions, self.settings, self._tokens)
        if phase == "self_critical" and self._reward is not None:
            return SelfCritical(*common, self._reward)
        return TeacherForcing(*common)

    def _label(self, phase: PhaseName) -> str:
        num_epochs = {
            "cross_entropy": self.settings.epochs,
            "self_critical": self.settings.reward_epochs,
        }
        doing = {"cross_entropy": "train", "self_critical": "train on rewards"}
        return f"{doing[phase]}, epoch {len(self._rows(phase)) + 1} of {num_epochs[phase]}"

    def _sampled_images(self) -> Iterator[np.ndarray]:
        """Yields the features of up to MAX_FITTED training images, evenly spread, in batches."""
        image_ids = self._captions.image_ids_in("train")
        sampled = image_ids[:: max(1, -(-len(image_ids) // MAX_FITTED))]
        for first in range(0, len(sampled), _FITTED_AT_ONCE):
            yield self._features.read(sampled[first : first + _FITTED_AT_ONCE])


def _describe_run(
    spec: DecoderSpec, captions: TokenisedCaptions, settings: TrainSettings, tokens: SpecialTokens
) -> dict[str, object]:
    digest = hashlib.sha256(captions.tokens.tobytes() + captions.image_index.tobytes())
    digest.update("\n".join([*captions.image_ids, *captions.splits]).encode())
    # As ever for the usual tokens, so that the checkpoints of earlier versions are gone on with.
    others = {} if tokens == _USUAL_TOKENS else {"tokens": dataclasses.asdict(tokens)}
    return {**spec.to_json(), **settings.to_json(), "captions": digest.hexdigest(), **others}


def _write_results(folder: Path, run: _TrainingRun) -> None:
    write_json(folder / SPEC_FILE, run.spec.to_json())
    write_weights(folder / WEIGHTS_FILE, run.best)
    write_history(folder / HISTORY_FILE, run.history)
