"""Training by cross-entropy with teacher forcing: predict each next word of human captions.

Dimension key: N images, M captions, T positions, P real positions.
"""

from collections.abc import Generator, Iterable
from contextlib import closing

import numpy as np

from captioner.decoders.batches import Batch, CaptionBatches
from captioner.decoders.decoder import Decoder
from captioner.decoders.feature_reader import FeatureReader
from captioner.decoders.history import PhaseName
from captioner.decoders.optimizer import Optimizer, Schedule
from captioner.decoders.phase import EpochTotals, check_loss
from captioner.decoders.scheduled_sampling import compile_mixing
from captioner.decoders.settings import TrainSettings, count_together
from captioner.decoders.steps import compile_loss, compile_step
from captioner.decoding.settings import SpecialTokens
from captioner.overlap import overlap
from captioner.progress import Progress
from captioner.text.tokens import TokenisedCaptions


class TeacherForcing:
    """Reads every training caption once an epoch, in batches of like length.

    Args:
        decoder: what to train.
        features: of the training images.
        captions: of a train split.
        settings: how to train.
        tokens: the ids that are no words.

    Attributes:
        name: of the phase.
        optimizer: with the state of this phase.
    """

    name: PhaseName = "cross_entropy"

    def __init__(
        self,
        decoder: Decoder,
        features: FeatureReader,
        captions: TokenisedCaptions,
        settings: TrainSettings,
        tokens: SpecialTokens,
    ) -> None:
        self._settings = settings
        self._features = features
        self._batches = _make_batches(decoder, captions, "train", settings)
        self._num_steps = settings.epochs * len(self._batches)
        schedule = Schedule(settings.learning_rate, settings.warmup_steps, self._num_steps)
        self.optimizer = Optimizer(
            decoder.weights, schedule, clip_norm=settings.clip_norm, ema=settings.ema
        )
        self._step = compile_step(
            decoder, self.optimizer, settings.label_smoothing, settings.attention_penalty
        )
        self._mix_words = compile_mixing(decoder, tokens) if settings.scheduled_sampling else None

    def train_epoch(self, epoch: int, label: str) -> EpochTotals:
        """Reads all captions; the loss is the mean cross-entropy of a token, in nats."""
        total, num_words = 0.0, 0
        with Progress(label, len(self._batches), unit="batch") as progress:
            batches = self._batches.shuffled(self._settings.seed, epoch)
            features = self._features.for_epoch(self._settings, epoch)
            with closing(read_ahead(batches, features)) as arrays:
                for step, (features_N, batch) in enumerate(arrays, epoch * len(self._batches)):
                    num_targets = len(batch.targets_P)
                    total += self._train_batch(features_N, batch, step) * num_targets
                    num_words += num_targets
                    progress.note(f"loss {total / num_words:.3f}")
                    progress.advance()
        return EpochTotals(total / num_words, num_words)

    def _train_batch(self, features_N: np.ndarray, batch: Batch, step: int) -> float:
        seed = np.array([self._settings.seed, step], np.int32)
        words = batch.words
        weights_P = np.ones(len(batch.targets_P), np.float32)
        coefficients_4 = self.optimizer.coefficients(step)
        if self._mix_words is not None:
            share = np.float32(self._settings.scheduled_sampling * step / self._num_steps)
            words = self._mix_words(features_N, words, share, seed)
        loss = float(
            self._step(features_N, words, batch.targets_P, weights_P, coefficients_4, seed)
        )
        return check_loss(loss, step, self._settings.learning_rate)


class DevLoss:
    """The mean cross-entropy of a dev token, in nats, without dropout or label smoothing.

    Args:
        decoder: what to judge.
        features: of the dev images.
        captions: of a dev split.
        settings: how many captions, and of how many images, are judged at a time.
    """

    def __init__(
        self,
        decoder: Decoder,
        features: FeatureReader,
        captions: TokenisedCaptions,
        settings: TrainSettings,
    ) -> None:
        self._features = features
        self._batches = _make_batches(decoder, captions, "dev", settings)
        self._measure = compile_loss(decoder)

    def measure(self) -> float:
        """Returns it for the decoder's present weights."""
        total, num_words = 0.0, 0
        with closing(read_ahead(self._batches.in_order(), self._features)) as arrays:
            for features_N, batch in arrays:
                num_targets = len(batch.targets_P)
                total += (
                    float(self._measure(features_N, batch.words, batch.targets_P)) * num_targets
                )
                num_words += num_targets
        return total / num_words


def _make_batches(
    decoder: Decoder, captions: TokenisedCaptions, split: str, settings: TrainSettings
) -> CaptionBatches:
    together = count_together(settings.captions_together, decoder.spec.feature_kind)
    return CaptionBatches(captions, split, settings.batch_size, together)


def read_ahead(
    batches: Iterable[Batch], features: FeatureReader
) -> Generator[tuple[np.ndarray, Batch], None, None]:
    """Yields the features of each batch's images, float32 (N, ...), with the batch.

    A batch of grids takes a fifth of the time of its step to read; that of the next is read
    while a step computes.
    """
    return overlap((features.read(batch.image_ids), batch) for batch in batches)
