"""What an evaluation's files must hold for a report or a comparison to be made of them.

People edit and copy these files, and disks damage them: whatever is read is checked here first,
so that everything behind can rely on it. Content that nobody reads is let pass.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AllowInfNan,
    BaseModel,
    ConfigDict,
    Field,
    InstanceOf,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from captioner.decoders.history import PhaseName

Text = InstanceOf[str]  # takes half an emoji as well, which pydantic's own text does not
Span = Annotated[list[float], Field(min_length=2, max_length=2)]
LogProb = Annotated[float, AllowInfNan(True)]  # a caption may be held impossible
BaselineName = Literal["constant", "nearest", "human"]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="ignore")


class _Origin(_Part):
    split: Text | None
    beam: int | None = None
    length_normalisation: float | None = None
    seed: int | None = None
    rules: Text | None = None

    model_config = ConfigDict(extra="forbid")  # another version's, and not to be understood


class _Signature(_Part):
    text: Text
    origin: _Origin


class SystemScores(_Part):
    """The scores of one system under one protocol."""

    bleu_1: float
    bleu_2: float
    bleu_3: float
    bleu_4: float
    cider: float = 0.0  # left out under protocols that do not have it, never null
    rouge_l: float = 0.0
    intervals: dict[Text, Span]
    signature: _Signature

    @model_validator(mode="after")
    def _have_intervals(self) -> Self:
        metrics = [
            name for name, field in SystemScores.model_fields.items() if field.annotation is float
        ]
        missing = self.model_fields_set.intersection(metrics) - set(self.intervals)
        if missing:
            raise ValueError(f"no interval for {', '.join(sorted(missing))}")
        return self


class CocoScores(SystemScores):
    """The scores under the coco protocol, which has all metrics."""

    cider: float
    rouge_l: float


class _Difference(_Part):
    difference: float
    interval: Span


class _Lead(_Part):
    bleu_4: _Difference
    cider: _Difference


class _Baseline(SystemScores):
    model_above: _Lead | None


class _Protocols(_Part):
    coco: CocoScores
    nltk: SystemScores | None = None
    tutorial: SystemScores | None = None


class _Collapse(_Part):
    num_captions: int
    num_distinct: int
    share_copied: float | None


class EvaluationScores(_Part):
    """The content of `scores.json`."""

    model: _Protocols
    baselines: dict[BaselineName, _Baseline]
    baselines_missing: dict[Text, Text]
    constant_caption: Text | None
    collapse: _Collapse
    warnings: list[Text]


class _Stage(_Part):
    seconds: float
    peak_memory_bytes: int | None
    created: Text


class _Epoch(_Part):
    epoch: int
    phase: PhaseName
    loss: float
    dev_loss: float
    dev_score: float
    is_best: bool

    model_config = ConfigDict(allow_inf_nan=True)  # a training that came to nothing


class _Vocabulary(_Part):
    words_seen: int
    words_kept: int


class _Ground(_Part):
    height: PositiveInt
    width: PositiveInt
    fit: Text = "squash"
    shape: PositiveFloat = 1.0


class Background(_Part):
    """The content of `background.json`."""

    pipeline: Text
    command: Text | None
    photographs: Text
    settings: dict[Text, dict[Text, Any]]
    versions: dict[Text, Text]
    stages: dict[Text, _Stage]
    history: list[_Epoch]
    vocabulary: _Vocabulary | None
    ground: _Ground | None = None  # evaluations of earlier versions have none

    @model_validator(mode="after")
    def _have_a_best_epoch(self) -> Self:
        if self.history and not any(epoch.is_best for epoch in self.history):
            raise ValueError("no epoch of the history is the best")
        return self


class _Other(_Part):
    caption: Text
    log_prob: LogProb


class ImageRecord(_Part):
    """A line of `captions.jsonl`."""

    image_id: Text
    file: Text
    caption: Text
    log_prob: LogProb
    cider: float
    others: list[_Other]
    references: list[Text]


class ReferredCaption(_Part):
    """A line of a file of captions that has references beside them."""

    image_id: Text | int
    caption: Text
    references: list[Text]


def check(content: Any, schema: type[BaseModel], name: str) -> Mapping[str, Any]:
    """Returns the content of a file, which has been found to be as it must.

    Args:
        content: as read from JSON.
        schema: what it must hold.
        name: of the file, for the error.

    Raises:
        ValueError: it is otherwise; the message says where.
    """
    try:
        schema.model_validate(content)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise ValueError(f"{name}{f', {where}' if where else ''}: {fault['msg']}") from error
    return dict(content)
