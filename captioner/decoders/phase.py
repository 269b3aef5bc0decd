"""What the phases of a training have in common: a decoder, an optimiser, epochs of steps."""

import math
from dataclasses import dataclass
from typing import Protocol

from captioner.decoders.history import PhaseName
from captioner.decoders.optimizer import Optimizer
from captioner.errors import DecoderError


@dataclass(frozen=True)
class EpochTotals:
    """What an epoch of a phase came to.

    Args:
        loss: mean over the tokens read, see the phase.
        num_words: tokens read, each with a prediction of the next.
    """

    loss: float
    num_words: int


class Phase(Protocol):
    """A part of a training, with an optimiser of its own.

    What an epoch does depends on the weights, the seed and the epoch's number alone, so that a
    training that was interrupted between epochs goes on as if nothing had happened.
    """

    name: PhaseName
    optimizer: Optimizer

    def train_epoch(self, epoch: int, label: str) -> EpochTotals:
        """Goes through the training data once.

        Args:
            epoch: counted from 0 within the phase.
            label: what the progress bar says.
        """


def check_loss(loss: float, step: int, learning_rate: float) -> float:
    """Returns the loss of a step.

    Raises:
        DecoderError: it is no longer a number.
    """
    if not math.isfinite(loss):
        raise DecoderError(
            f"The training loss became {loss} at step {step}. Lower the learning rate (now "
            f"{learning_rate}), or train with precision='float32'; if the features hold NaN or "
            "infinity, extract them again."
        )
    return loss
