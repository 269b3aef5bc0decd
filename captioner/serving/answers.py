"""What the server answers, as the OpenAPI description shows it."""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, Field

from captioner.captioning.caption import Caption
from captioner.report.looks import Ground
from captioner.serving.limits import Limits, megabytes
from captioner.serving.uploads import Upload

_WEIGHT_DIGITS = 4  # a picture needs no more
_DIGITS = 6  # of probabilities; more would only differ between machines


class WordAnswer(BaseModel):
    """A word, and where in the photograph the model looked when it said it."""

    word: str
    weights: Annotated[
        list[list[float]],
        Field(description="Rows of the grid, from top to bottom; all together add to 1."),
    ]


class CaptionAnswer(BaseModel):
    """A caption, and how sure the model is of it."""

    caption: str
    confidence: Annotated[
        float, Field(gt=0, le=1, description="Geometric mean of its words' probabilities.")
    ]
    log_prob: Annotated[float, Field(description="Natural logarithm of its probability.")]
    attention: Annotated[
        list[WordAnswer] | None,
        Field(description="Of each word; null unless asked for, and of a model without attention."),
    ] = None


class PhotographAnswer(BaseModel):
    """What became of one photograph. A bad one has an error in place of a caption."""

    name: Annotated[str, Field(description="The file name that it was sent with.")]
    status: Literal["done", "failed"]
    caption: str | None = None
    confidence: float | None = None
    log_prob: float | None = None
    attention: list[WordAnswer] | None = None
    alternatives: Annotated[
        list[CaptionAnswer], Field(description="The next best captions, likeliest first.")
    ] = []
    error: Annotated[str | None, Field(description="Why there is no caption.")] = None


class CaptionsAnswer(BaseModel):
    """What became of the photographs of a request, in the order they were sent in."""

    model: str
    results: list[PhotographAnswer]


class GroundAnswer(BaseModel):
    """What attention weights lie upon: a grid over what the model sees of a photograph.

    The photograph is upright, as its EXIF data say. Fit "squash" lays the grid over all of it;
    "crop" and "pad" over the middle, as wide and tall as its shape makes it, at most and at least
    as large as the photograph.
    """

    rows: int
    columns: int
    fit: Literal["squash", "crop", "pad"]
    shape: Annotated[float, Field(description="Width over height of what the model sees.")]


class ModelAnswer(BaseModel):
    """What the server captions with, and how much it takes at a time."""

    model: str
    version: str
    n_best: Annotated[int, Field(description="Captions that can be had for a photograph.")]
    attention: Annotated[
        GroundAnswer | None, Field(description="Null where the model has no attention.")
    ]
    max_file_bytes: int
    max_files: int
    max_body_bytes: int


class HealthAnswer(BaseModel):
    """The server is up and has its model."""

    status: Literal["ok"] = "ok"


class ErrorAnswer(BaseModel):
    """Why a request was not met, and what would be."""

    error: str


def answer_done(
    name: str, caption: Caption, num_captions: int, looks: Sequence[np.ndarray] | None = None
) -> PhotographAnswer:
    """Returns the answer to a photograph that has its caption.

    Args:
        name: of the file.
        caption: with its alternatives.
        num_captions: how many are wanted, the best one included.
        looks: where the words of it and of each alternative looked, float (T, H, W) each.
    """
    captions = [caption, *caption.alternatives][:num_captions]
    weights = [None] * len(captions) if looks is None else looks
    best, *others = map(_tell, captions, weights)
    return PhotographAnswer(name=name, status="done", **vars(best), alternatives=others)


def describe_ground(ground: Ground | None) -> GroundAnswer | None:
    """Returns what attention weights lie upon, if there are any."""
    if ground is None:
        return None
    return GroundAnswer.model_validate(
        {"rows": ground.height, "columns": ground.width, "fit": ground.fit, "shape": ground.shape}
    )


def answer_failed(name: str, error: str) -> PhotographAnswer:
    """Returns the answer to a photograph that cannot be captioned."""
    return PhotographAnswer(name=name, status="failed", error=error)


def too_large_fault(limits: Limits) -> str:
    """Returns what is wrong with a photograph of too many bytes."""
    return f"is larger than the limit of {megabytes(limits.file_bytes)}"


def choose_status(
    uploads: Sequence[Upload], answers: Sequence[PhotographAnswer], *, is_lenient: bool
) -> int:
    """Returns the HTTP status of an answer: an error only where no photograph has a caption.

    Args:
        uploads: what was sent.
        answers: what became of each.
        is_lenient: whether not even that counts as an error of the request as a whole.
    """
    if is_lenient or any(answer.status == "done" for answer in answers):
        return 200
    return 413 if all(upload.is_too_large for upload in uploads) else 422


def _tell(caption: Caption, weights_THW: np.ndarray | None) -> CaptionAnswer:
    return CaptionAnswer(
        caption=caption.text,
        confidence=round(caption.confidence, _DIGITS),
        log_prob=round(caption.log_prob, _DIGITS),
        attention=None if weights_THW is None else _tell_words(caption, weights_THW),
    )


def _tell_words(caption: Caption, weights_THW: np.ndarray) -> list[WordAnswer]:
    rounded_THW = weights_THW.astype(float).round(_WEIGHT_DIGITS).tolist()
    return [
        WordAnswer(word=word, weights=weights_HW)
        for word, weights_HW in zip(caption.words, rounded_THW, strict=True)
    ]
