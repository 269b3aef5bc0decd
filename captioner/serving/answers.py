"""What the server answers, as the OpenAPI description shows it."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from captioner.captioning.caption import Caption
from captioner.serving.limits import Limits, megabytes
from captioner.serving.uploads import Upload

_DIGITS = 6  # of probabilities; more would only differ between machines


class CaptionAnswer(BaseModel):
    """A caption, and how sure the model is of it."""

    caption: str
    confidence: Annotated[
        float, Field(gt=0, le=1, description="Geometric mean of its words' probabilities.")
    ]
    log_prob: Annotated[float, Field(description="Natural logarithm of its probability.")]


class PhotographAnswer(BaseModel):
    """What became of one photograph. A bad one has an error in place of a caption."""

    name: Annotated[str, Field(description="The file name that it was sent with.")]
    status: Literal["done", "failed"]
    caption: str | None = None
    confidence: float | None = None
    log_prob: float | None = None
    alternatives: Annotated[
        list[CaptionAnswer], Field(description="The next best captions, likeliest first.")
    ] = []
    error: Annotated[str | None, Field(description="Why there is no caption.")] = None


class CaptionsAnswer(BaseModel):
    """What became of the photographs of a request, in the order they were sent in."""

    model: str
    results: list[PhotographAnswer]


class ModelAnswer(BaseModel):
    """What the server captions with, and how much it takes at a time."""

    model: str
    version: str
    n_best: Annotated[int, Field(description="Captions that can be had for a photograph.")]
    max_file_bytes: int
    max_files: int
    max_body_bytes: int


class HealthAnswer(BaseModel):
    """The server is up and has its model."""

    status: Literal["ok"] = "ok"


class ErrorAnswer(BaseModel):
    """Why a request was not met, and what would be."""

    error: str


def answer_done(name: str, caption: Caption, num_captions: int) -> PhotographAnswer:
    """Returns the answer to a photograph that has its caption.

    Args:
        name: of the file.
        caption: with its alternatives.
        num_captions: how many are wanted, the best one included.
    """
    best = _tell(caption)
    return PhotographAnswer(
        name=name,
        status="done",
        caption=best.caption,
        confidence=best.confidence,
        log_prob=best.log_prob,
        alternatives=[_tell(other) for other in caption.alternatives[: num_captions - 1]],
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


def _tell(caption: Caption) -> CaptionAnswer:
    return CaptionAnswer(
        caption=caption.text,
        confidence=round(caption.confidence, _DIGITS),
        log_prob=round(caption.log_prob, _DIGITS),
    )
