"""Self-critical sequence training: captions that the decoder draws are rewarded by their score.

Rennie et al. 2017, arXiv:1612.00563. Cross-entropy teaches the next word of a human caption; here
the decoder writes whole captions of its own and learns from how well they score, which is what it
is judged by. Of several captions drawn for an image, each is compared with the mean of the others
(leave-one-out, Luo 2020, arXiv:2003.09971), so that no greedy caption has to be made besides.

Dimension key: N images, K captions drawn for each, M = N x K, T words, P real positions.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from captioner.decoders.batches import CaptionWords
from captioner.decoders.decoder import Decoder
from captioner.decoders.feature_reader import FeatureReader
from captioner.decoders.history import PhaseName
from captioner.decoders.optimizer import Optimizer, Schedule
from captioner.decoders.phase import EpochTotals, check_loss
from captioner.decoders.settings import TrainSettings
from captioner.decoders.steps import compile_step
from captioner.decoding.drawing import draw_captions
from captioner.decoding.settings import SpecialTokens
from captioner.progress import Progress
from captioner.text.tokens import TokenisedCaptions
from captioner.text.vocabulary import PAD, START

# (ids_MT, image_index_M) -> rewards_M: how good captions are of which images. Ids as drawn, the
# end token included; images by their place in `TokenisedCaptions.image_ids_in("train")`.
Reward = Callable[[np.ndarray, np.ndarray], np.ndarray]

MAX_TOKENS = 25


class SelfCritical:
    """Goes over the training images once an epoch, drawing and rewarding captions.

    Args:
        decoder: what to train, already able to write captions.
        features: of the training images.
        captions: of a train split; only its images are used here, the reward knows its words.
        settings: how to train.
        tokens: the ids that are no words.
        reward: judges captions.

    Attributes:
        name: of the phase.
        optimizer: with the state of this phase.
    """

    name: PhaseName = "self_critical"

    def __init__(
        self,
        decoder: Decoder,
        features: FeatureReader,
        captions: TokenisedCaptions,
        settings: TrainSettings,
        tokens: SpecialTokens,
        reward: Reward,
    ) -> None:
        self._settings = settings
        self._features = features
        self._reward = reward
        self._image_ids = captions.image_ids_in("train")
        self._num_steps = -(-len(self._image_ids) // settings.reward_images)
        schedule = Schedule(
            settings.reward_learning_rate, 0, settings.reward_epochs * self._num_steps
        )
        self.optimizer = Optimizer(
            decoder.weights, schedule, clip_norm=settings.clip_norm, ema=settings.ema
        )
        self._draw = _compile_drawing(decoder, settings.reward_samples, tokens)
        self._step = compile_step(decoder, self.optimizer)

    def train_epoch(self, epoch: int, label: str) -> EpochTotals:
        """Draws captions for all images; the loss is minus the mean reward of a caption."""
        total, num_words, num_images = 0.0, 0, 0
        random = np.random.default_rng([self._settings.seed, epoch])
        groups = np.array_split(random.permutation(len(self._image_ids)), self._num_steps)
        features = self._features.for_epoch(self._settings, epoch)
        with Progress(label, self._num_steps, unit="batch") as progress:
            for step, images_N in enumerate(groups, epoch * self._num_steps):
                reward, words = self._train_batch(features, images_N, step)
                total += reward * len(images_N)
                num_words += words
                num_images += len(images_N)
                progress.note(f"reward {total / num_images:.3f}")
                progress.advance()
        return EpochTotals(-total / num_images, num_words)

    def _train_batch(
        self, features: FeatureReader, images_N: np.ndarray, step: int
    ) -> tuple[float, int]:
        """Makes one step; returns the mean reward and the number of tokens read."""
        seed = np.array([self._settings.seed, step], np.int32)
        features_N = features.read([self._image_ids[image] for image in images_N])
        ids_MT = self._draw(features_N, seed).numpy()
        image_index_M = np.repeat(np.arange(len(images_N)), self._settings.reward_samples)
        rewards_M = self._reward(ids_MT, images_N[image_index_M])
        advantages_M = _subtract_others(rewards_M.reshape(len(images_N), -1)).ravel()
        words, targets_P = _lay_out(ids_MT, image_index_M)
        weights_P = advantages_M[words.positions_P // words.tokens_MT.shape[1]].astype(np.float32)
        loss = self._step(
            features_N,
            words,
            targets_P,
            weights_P,
            self.optimizer.coefficients(step),
            seed,
        )
        check_loss(float(loss), step, self._settings.reward_learning_rate)
        return float(rewards_M.mean()), len(targets_P)


def _compile_drawing(
    decoder: Decoder, num_samples: int, tokens: SpecialTokens
) -> Callable[..., tf.Tensor]:
    """Compiles the drawing of captions: (features_N, seed) -> ids (M, T), end token included."""
    features = tf.TensorSpec([None, *decoder.spec.feature_shape], tf.float32)

    @tf.function(autograph=False, input_signature=[features, tf.TensorSpec([2], tf.int32)])
    def draw(features_N: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        start = decoder.start(features_N)
        return draw_captions(decoder.step, start, num_samples, MAX_TOKENS, seed, tokens)

    return draw


def _subtract_others(rewards_NK: np.ndarray) -> np.ndarray:
    """Returns how much better each caption is than the mean of the image's others."""
    num_others = rewards_NK.shape[1] - 1
    others_NK = (rewards_NK.sum(axis=1, keepdims=True) - rewards_NK) / num_others
    return rewards_NK - others_NK


def _lay_out(ids_MT: np.ndarray, image_index_M: np.ndarray) -> tuple[CaptionWords, np.ndarray]:
    """Lays captions out for teacher forcing: what is read, and targets_P."""
    is_token_MT = ids_MT != PAD
    longest = max(1, int(is_token_MT.sum(axis=1).max()))
    ids_MT, is_token_MT = ids_MT[:, :longest], is_token_MT[:, :longest]
    start_M1 = np.full((len(ids_MT), 1), START, np.int32)
    tokens_MT = np.concatenate([start_M1, ids_MT[:, :-1]], axis=1)
    words = CaptionWords(
        tokens_MT=np.where(is_token_MT, tokens_MT, PAD),
        image_index_M=image_index_M.astype(np.int32),
        positions_P=np.flatnonzero(is_token_MT).astype(np.int32),
    )
    return words, ids_MT[is_token_MT]
