"""What captioning gives: captions, and what became of one file of many."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Status = Literal["done", "review", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption of an image, and how sure the model is of it.

    Args:
        text: words with single spaces between them, never empty.
        log_prob: natural logarithm of the caption's probability given the image.
        confidence: the geometric mean of the probabilities of its tokens, above 0 and at most 1;
            unlike `log_prob` it can be compared between captions of different lengths.
        alternatives: the next best captions, likeliest first, without alternatives of their own.

    Example:
        >>> caption = Caption.from_words(["a", "dog"], log_prob=-3.0)
        >>> str(caption), round(caption.confidence, 3)
        ('a dog', 0.368)
    """

    text: str
    log_prob: float
    confidence: float
    alternatives: tuple["Caption", ...] = ()

    @classmethod
    def from_words(
        cls, words: list[str] | tuple[str, ...], log_prob: float, *, finished: bool = True
    ) -> "Caption":
        """Makes a caption from its words.

        Args:
            words: one or more.
            log_prob: of the words and, when `finished`, of the end token.
            finished: False for a caption that was cut at the longest length.
        """
        num_tokens = len(words) + finished
        return cls(" ".join(words), log_prob, math.exp(min(log_prob, 0.0) / num_tokens))

    @property
    def words(self) -> tuple[str, ...]:
        """The words, one or more."""
        return tuple(self.text.split(" "))

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class ImageResult:
    """What became of one listed image.

    Args:
        path: the file, as it can be opened.
        name: its name relative to the folder or list it was found in.
        status: "done"; "review", captioned with less confidence than asked for; "skipped",
            captioned already; or "failed".
        caption: None where there is none.
        error: why it failed, in words and without the path, or None.
    """

    path: Path
    name: str
    status: Status
    caption: Caption | None = None
    error: str | None = None
