"""What to do with an image that has a caption already."""

from dataclasses import dataclass
from typing import Literal

from captioner.errors import CaptionerError

Existing = Literal["skip", "overwrite", "append", "prepend", "fail"]


class CaptionExistsError(CaptionerError):
    """An image has a caption already, and the request was to fail in that case."""


@dataclass(frozen=True)
class CaptionText:
    """How a caption is worded in an output, and how it meets an earlier one.

    Args:
        existing: what happens to an earlier caption.
        prefix: put before each caption.
        suffix: put behind each caption.
        separator: between an earlier caption and a new one.

    Example:
        >>> CaptionText(existing="append", prefix="photo: ").combine("my dog", "a dog")
        'my dog\\nphoto: a dog'
    """

    existing: Existing = "skip"
    prefix: str = ""
    suffix: str = ""
    separator: str = "\n"

    def word(self, text: str) -> str:
        """Returns a caption with prefix and suffix."""
        return f"{self.prefix}{text}{self.suffix}"

    def combine(self, earlier: str | None, text: str) -> str:
        """Returns what an output shall hold.

        Args:
            earlier: what it holds; None or blank where there is no caption.
            text: the new caption, without prefix and suffix.
        """
        kept = "" if earlier is None else earlier.strip()
        if not kept or self.existing == "overwrite":
            return self.word(text)
        if self.existing == "append":
            return f"{kept}{self.separator}{self.word(text)}"
        if self.existing == "prepend":
            return f"{self.word(text)}{self.separator}{kept}"
        return kept
