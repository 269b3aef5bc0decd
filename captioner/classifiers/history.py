"""What each epoch of a classifier's training came to."""

import dataclasses
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class EpochRow:
    """One line of `history.csv`.

    Args:
        epoch: counted from 1.
        loss: mean training loss of an image, in nats, with all that makes learning harder.
        accuracy: share of the training images, moved about, that were classified rightly.
        dev_loss: mean loss of a dev image, in nats, without class weights or label smoothing.
        dev_accuracy: share of the dev images that were classified rightly.
        is_best: whether these weights became the ones to keep.
        seconds: time taken, judging included.
        images_per_second: training images read a second, judging left out.
    """

    epoch: int
    loss: float
    accuracy: float
    dev_loss: float
    dev_accuracy: float
    is_best: bool
    seconds: float
    images_per_second: float

    @property
    def merit(self) -> tuple[float, float]:
        """The larger the better: dev accuracy and, where that is equal, dev loss."""
        return self.dev_accuracy, -self.dev_loss

    def to_json(self) -> dict[str, Any]:
        """Returns the row as a JSON object."""
        return dataclasses.asdict(self)
