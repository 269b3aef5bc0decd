"""What to do with an image that has a caption already."""

from dataclasses import dataclass
from typing import Literal

from captioner.captioning.file_names import is_unicode, readable
from captioner.errors import CaptionerError, UsageError

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

    Raises:
        UsageError: one of them is not text: bytes that are not UTF-8, or half an emoji.

    Example:
        >>> CaptionText(existing="append", prefix="photo: ").combine("my dog", "a dog")
        'my dog\\nphoto: a dog'
    """

    existing: Existing = "skip"
    prefix: str = ""
    suffix: str = ""
    separator: str = "\n"

    def __post_init__(self) -> None:
        texts = {"prefix": self.prefix, "suffix": self.suffix, "separator": self.separator}
        broken = [
            f"the {name} {readable(text)!r}" for name, text in texts.items() if not is_unicode(text)
        ]
        if broken:
            raise UsageError(
                f"Captions are written in UTF-8, and {' and '.join(broken)} cannot be. Type it in "
                "a terminal that is set to UTF-8."
            )

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
