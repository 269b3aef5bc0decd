"""How a decoder is trained."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from captioner.errors import UsageError
from captioner.feature_kinds import FeatureKind

TrainPrecision = Literal["auto", "float32", "bfloat16"]

# A grid is dear to project. But captions unlike in length are padded: with all five of an image a
# quarter of all positions, which over 7 x 7 places takes a little longer than three do.
_CAPTIONS_TOGETHER: dict[FeatureKind, int] = {"vector": 1, "grid": 3}


def count_together(wanted: int | None, reads: FeatureKind) -> int:
    """Returns how many captions of an image, at most, are in one step.

    Args:
        wanted: see `TrainSettings.captions_together`.
        reads: the kind of features that the decoder reads.
    """
    return wanted or _CAPTIONS_TOGETHER[reads]


@dataclass(frozen=True)
class TrainSettings:
    """Settings of one training run; together with the data they decide the weights.

    Args:
        epochs: passes over the training captions, 1 or more; the learning rate falls to zero
            along half a cosine over all of them.
        batch_size: captions a step, 1 or more.
        captions_together: how many captions of an image, at most, are in one step, so that what
            is made of the image is made once for them, 1 or more; without it 3 for decoders that
            read a grid and 1 for others.
        learning_rate: Adam's highest step size (Kingma and Ba 2015, arXiv:1412.6980), above 0.
        warmup_steps: steps over which it rises from zero, 0 or more.
        clip_norm: gradients longer than this are scaled down to it, above 0.
        label_smoothing: probability spread over all tokens (Szegedy et al. 2016,
            arXiv:1512.00567), 0 to below 1.
        scheduled_sampling: share of the words read that the decoder has drawn itself, rising from
            zero to this over all epochs, see `captioner.decoders.scheduled_sampling`; 0 to below
            1.
        attention_penalty: weight of the squared distance from 1 of the attention that a place
            gets over a whole caption, so that a caption looks everywhere ("doubly stochastic",
            Xu et al. 2015, arXiv:1502.03044, section 4.2.1); 0 or more, and 0 for decoders that
            do not attend.
        mirrored: whether an image of a batch is seen mirrored as often as not; the features of
            both are then needed.
        ema: decay of the running mean of the weights, whose captions are scored and which is
            saved (Polyak averaging); 0 switches it off; below 1.
        patience: epochs without a better dev score before training stops, 1 or more.
        reward_epochs: passes over the training images after that, in which the decoder draws
            captions of its own and learns from their CIDEr-D (self-critical sequence training,
            Rennie et al. 2017, arXiv:1612.00563); 0 leaves this phase out.
        reward_learning_rate: Adam's highest step size there, above 0.
        reward_images: images a step there, 1 or more.
        reward_samples: captions drawn for each of them, 2 or more, compared with one another.
        reward_bleu: weight of a caption's BLEU-4, 0 to 1, beside CIDEr-D, 0 to 10; 0 or more.
        seed: of initial weights, batches, dropout and drawn captions.
        precision: of the matrix products: "bfloat16" halves the time where the processor has
            AMX; "auto" uses it where a product is faster so, see `captioner.processor`.

    Raises:
        UsageError: a value is outside its range; all such faults are named.
    """

    epochs: int = 12
    batch_size: int = 128
    captions_together: int | None = None
    learning_rate: float = 2e-3
    warmup_steps: int = 100
    clip_norm: float = 5.0
    label_smoothing: float = 0.1
    scheduled_sampling: float = 0.0
    attention_penalty: float = 0.0
    mirrored: bool = False
    ema: float = 0.995
    patience: int = 5
    reward_epochs: int = 0
    reward_learning_rate: float = 1e-4
    reward_images: int = 50
    reward_samples: int = 5
    reward_bleu: float = 0.0
    seed: int = 0
    precision: TrainPrecision = "auto"

    def __post_init__(self) -> None:
        faults = [text for is_wrong, text in self._checks() if is_wrong]
        if faults:
            raise UsageError("A decoder cannot be trained like this: " + "; ".join(faults) + ".")

    def to_json(self) -> dict[str, Any]:
        """Returns the settings as a JSON object."""
        return dataclasses.asdict(self)

    def _checks(self) -> list[tuple[bool, str]]:
        allowed = get_args(TrainPrecision)
        return [
            *(
                (getattr(self, key) < 1, f"{key}={getattr(self, key)}, expected 1 or more")
                for key in ("epochs", "batch_size", "patience", "reward_images")
            ),
            (
                self.captions_together is not None and self.captions_together < 1,
                f"captions_together={self.captions_together}, expected 1 or more",
            ),
            *(
                (
                    not 0 < getattr(self, key) < math.inf,
                    f"{key}={getattr(self, key)}, expected a number above 0",
                )
                for key in ("learning_rate", "clip_norm", "reward_learning_rate")
            ),
            *(
                (not 0 <= getattr(self, key) < 1, f"{key}={getattr(self, key)}, expected 0 to <1")
                for key in ("label_smoothing", "scheduled_sampling", "ema")
            ),
            *(
                (
                    not 0 <= getattr(self, key) < math.inf,
                    f"{key}={getattr(self, key)}, expected 0 or more",
                )
                for key in ("warmup_steps", "attention_penalty", "reward_epochs", "reward_bleu")
            ),
            (
                self.reward_samples < 2,
                f"reward_samples={self.reward_samples}, expected 2 or more",
            ),
            (not 0 <= self.seed < 2**31, f"seed={self.seed}, expected 0 to 2147483647"),
            (
                self.precision not in allowed,
                f"precision={self.precision!r}, expected one of {', '.join(allowed)}",
            ),
        ]
