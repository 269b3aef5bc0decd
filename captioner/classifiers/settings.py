"""How a classifier is trained."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from captioner.errors import UsageError

TrainPrecision = Literal["auto", "float32", "bfloat16"]
ClassWeights = Literal["balanced", "none"]


@dataclass(frozen=True)
class Augmentation:
    """How training images are moved about; every change is drawn evenly from its range.

    Args:
        rotation: degrees either way, 0 to 180.
        shift: share of width and height either way, 0 to below 1.
        shear: share of width and height by which the edges slide, 0 to 1.
        zoom: share of the size by which the picture shrinks or grows, 0 to below 1.
        horizontal_flip: mirror every second image.
        vertical_flip: turn every second image upside down.
    """

    rotation: float = 40.0
    shift: float = 0.2
    shear: float = 0.2
    zoom: float = 0.2
    horizontal_flip: bool = True
    vertical_flip: bool = True


@dataclass(frozen=True)
class ClassifierSettings:
    """Settings of one training run; together with the images they decide the weights.

    Args:
        epochs: passes over the training images, 1 or more.
        batch_size: images a step, 1 or more.
        learning_rate: highest step size of AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101),
            above 0; it falls to zero along half a cosine (the same, 2017, arXiv:1608.03983).
        warmup_steps: steps over which it rises from zero, 0 or more.
        weight_decay: share of a kernel taken off at each step, times the rate, 0 or more.
        clip_norm: gradients longer than this are scaled down to it, above 0.
        label_smoothing: probability spread over all classes (Szegedy et al. 2016,
            arXiv:1512.00567), 0 to below 1.
        class_weights: "balanced" lets each class weigh the same, however many images it has.
        freeze_below: name of the first layer that learns, or how it begins; the layers below
            keep their weights and, where they normalise batches, their statistics. None: all
            learn.
        freeze_norms: keep all batch normalisation as the first weights have it. A small data set
            has worse statistics than those it was trained on.
        patience: epochs without better dev accuracy before training stops, 1 or more.
        augmentation: how training images are moved about.
        seed: of initial weights, batches, augmentation and dropout.
        precision: of the arithmetic; weights and probabilities are float32 whatever it is.
            "auto" is bfloat16 where the hardware gains from it.

    Raises:
        UsageError: a value is outside its range; all such faults are named.
    """

    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    weight_decay: float = 1e-4
    clip_norm: float = 1.0
    label_smoothing: float = 0.1
    class_weights: ClassWeights = "balanced"
    freeze_below: str | None = None
    freeze_norms: bool = False
    patience: int = 5
    augmentation: Augmentation = Augmentation()
    seed: int = 0
    precision: TrainPrecision = "auto"

    def __post_init__(self) -> None:
        faults = [text for is_wrong, text in self._checks() if is_wrong]
        if faults:
            raise UsageError("A classifier cannot be trained like this: " + "; ".join(faults) + ".")

    def to_json(self) -> dict[str, Any]:
        """Returns the settings as a JSON object."""
        return dataclasses.asdict(self)

    def _checks(self) -> list[tuple[bool, str]]:
        return [
            *(
                (getattr(self, key) < 1, f"{key}={getattr(self, key)}, expected 1 or more")
                for key in ("epochs", "batch_size", "patience")
            ),
            *(
                (not 0 < value < math.inf, f"{key}={value}, expected a number above 0")
                for key in ("learning_rate", "clip_norm")
                for value in [getattr(self, key)]
            ),
            *(
                (not 0 <= value < math.inf, f"{key}={value}, expected 0 or more")
                for key in ("warmup_steps", "weight_decay")
                for value in [getattr(self, key)]
            ),
            *_check_shares(self),
            (not 0 <= self.seed < 2**31, f"seed={self.seed}, expected 0 to 2147483647"),
            *_check_choices(self),
        ]


def _check_shares(settings: ClassifierSettings) -> list[tuple[bool, str]]:
    moved = settings.augmentation
    shares = {
        "label_smoothing": settings.label_smoothing,
        "shift": moved.shift,
        "shear": moved.shear,
        "zoom": moved.zoom,
    }
    return [
        (not 0 <= moved.rotation <= 180, f"rotation={moved.rotation}, expected 0 to 180 degrees"),
        *((not 0 <= v < 1, f"{key}={v}, expected 0 to below 1") for key, v in shares.items()),
    ]


def _check_choices(settings: ClassifierSettings) -> list[tuple[bool, str]]:
    choices = {"class_weights": ClassWeights, "precision": TrainPrecision}
    return [
        (
            getattr(settings, key) not in get_args(choice),
            f"{key}={getattr(settings, key)!r}, expected one of {', '.join(get_args(choice))}",
        )
        for key, choice in choices.items()
    ]
