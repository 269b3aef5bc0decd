"""Caption files as people really have them: any encoding, any line end, all lines numbered.

A line that is not UTF-8 is read as Windows-1252, so no caption is lost to an accent.
"""

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from captioner.errors import DatasetError, UsageError
from captioner.files import parse_json

_LINE_END = re.compile(rb"\r\n|\n|\r")
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SHOWN_LINES = 5


@dataclass(frozen=True, slots=True)
class TextFile:
    """The lines of a text file.

    Args:
        path: where it was read.
        name: what skips and notes call it.
        lines: without line ends; line 1 is `lines[0]`.
        foreign_lines: numbers of the lines, from 1, that are not UTF-8.
    """

    path: Path
    name: str
    lines: tuple[str, ...]
    foreign_lines: tuple[int, ...] = field(default=())

    def numbered(self) -> Iterator[tuple[str, str]]:
        """Yields `(file:line, text)` for every line that is not blank."""
        for number, line in enumerate(self.lines, start=1):
            if line.strip():
                yield self.place(number), line

    def place(self, number: int) -> str:
        """Returns where line `number` is, such as `captions.txt:17`."""
        return f"{self.name}:{number}"

    def notes(self) -> tuple[str, ...]:
        """Returns a sentence on the lines that are not UTF-8, or nothing."""
        if not self.foreign_lines:
            return ()
        shown = ", ".join(map(str, self.foreign_lines[:_SHOWN_LINES]))
        more = ", ..." if len(self.foreign_lines) > _SHOWN_LINES else ""
        count = len(self.foreign_lines)
        lines = "1 line is" if count == 1 else f"{count} lines are"
        word = "line" if count == 1 else "lines"
        return (f"{self.name}: {lines} not UTF-8, read as Windows-1252 ({word} {shown}{more})",)


def read_text(path: Path, name: str | None = None) -> TextFile:
    """Reads a text file whatever its encoding: UTF-8 with or without mark, UTF-16, Windows-1252.

    Args:
        path: the file.
        name: what skips and notes call it; None for its name without folder.

    Raises:
        UsageError: the file cannot be opened.
    """
    content = _read_bytes(path)
    if content.startswith(_UTF16_MARKS):
        content = content.decode("utf-16", errors="replace").encode("utf-8")
    name = path.name if name is None else name
    raw_lines = _LINE_END.split(content.removeprefix(codecs.BOM_UTF8))
    try:
        return TextFile(path, name, tuple(line.decode("utf-8") for line in raw_lines))
    except UnicodeDecodeError:
        return _read_mixed(path, name, raw_lines)


def read_json(path: Path) -> tuple[Any, tuple[str, ...]]:
    """Reads one JSON value and the notes on its encoding.

    Raises:
        UsageError: the file cannot be opened.
        DatasetError: the file is not JSON; the message gives line and column.
    """
    file = read_text(path)
    try:
        return parse_json("\n".join(file.lines)), file.notes()
    except json.JSONDecodeError as error:
        raise DatasetError(
            f"{path} is not valid JSON: {error}. Was the file copied or downloaded in full?"
        ) from error


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error


def _read_mixed(path: Path, name: str, raw_lines: Sequence[bytes]) -> TextFile:
    lines, foreign = [], []
    for number, raw_line in enumerate(raw_lines, start=1):
        try:
            lines.append(raw_line.decode("utf-8"))
        except UnicodeDecodeError:
            lines.append(_decode_western(raw_line))
            foreign.append(number)
    return TextFile(path, name, tuple(lines), tuple(foreign))


def _decode_western(raw_line: bytes) -> str:
    try:
        return raw_line.decode("cp1252")
    except UnicodeDecodeError:  # five bytes mean nothing in Windows-1252
        return raw_line.decode("latin-1")
