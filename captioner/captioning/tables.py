"""JSON Lines, CSV and contact sheets: one row an image, read and written as a stream.

A row holds `path` and `status`; where they apply, `caption`, `log_prob`, `confidence`,
`alternatives` and `error`; and `path_base64` where the name is not UTF-8 (see `file_names`).

`path` is relative to the folder that was captioned. Where the table does not lie in it, `root` is
that folder as seen from the table: captioning two folders into one table, at once or one after
the other, meets the names of the first again in the second.
"""

import contextlib
import csv
import io
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from captioner.captioning.caption import Caption
from captioner.captioning.file_names import EXACT_PATH, PATH, name_fields, name_from_fields
from captioner.captioning.folders import ListedImage
from captioner.captioning.sheets import (
    FOLDER,
    ROOT,
    THUMBNAIL,
    encode_row,
    read_sheet,
    render_sheet,
    sheet_fields,
)
from captioner.errors import CaptionerError
from captioner.files import parse_json

Row = dict[str, Any]
TableName = Literal["jsonl", "csv", "html", "review"]

COLUMNS = (
    ROOT,
    PATH,
    "caption",
    "confidence",
    "log_prob",
    "status",
    "error",
    "alternatives",
    EXACT_PATH,
    f"{ROOT}_base64",
)
_NUMBERS = ("confidence", "log_prob")
_NO_TEXTS = (*_NUMBERS, "alternatives", THUMBNAIL)
_DIGITS = 4  # of probabilities; more depend on the machine, and on which images came together


class TableError(CaptionerError):
    """A file that should hold rows of captions holds something else."""


@dataclass(frozen=True)
class Table:
    """A file of rows.

    Args:
        name: which output it is.
        path: the file; a review table is JSON Lines.
    """

    name: TableName
    path: Path

    def read(self) -> Iterator[Row]:
        """Yields the rows of the file; none where there is no file.

        Raises:
            TableError: a line is no row of captions.
        """
        if self.path.exists():
            readers = {"csv": _read_csv, "html": _read_sheet}
            for number, row in readers.get(self.name, _read_json_lines)(self.path):
                yield self._check(row, number)

    def place_fields(self, listed: ListedImage) -> Row:
        """Returns the fields of an image's row that say where its path begins."""
        if self.name == "html":
            return sheet_fields(listed, self.path)
        root = os.path.abspath(listed.root)
        with contextlib.suppress(ValueError):  # on another drive of Windows
            root = os.path.relpath(root, os.path.abspath(self.path.parent))
        is_enough = root == "." or os.path.isabs(listed.name)
        return {} if is_enough else name_fields(root, ROOT)

    def image_key(self, row: Row) -> bytes:
        """Returns `ListedImage.key` of the image that a row is about.

        Raises:
            KeyError, ValueError: the row names none.
        """
        if self.name == "html":
            root = name_from_fields(row, FOLDER) if FOLDER in row else ""
        else:
            root = os.path.join(self.path.parent, name_from_fields({ROOT: "", **row}, ROOT))
        return os.fsencode(os.path.abspath(os.path.join(root, name_from_fields(row))))

    def _check(self, row: Any, number: int) -> Row:
        try:
            is_sound = _is_sound(row) and self.image_key(row)
        except (KeyError, ValueError):
            is_sound = False
        if not is_sound:
            raise TableError(_foreign(self.path, number))
        return dict(row)

    def render(self, rows: Iterable[Row]) -> Iterator[bytes]:
        """Yields the file's content, line by line, in UTF-8."""
        renderers = {"csv": _render_csv, "html": render_sheet}
        return renderers.get(self.name, _render_json_lines)(rows)


def caption_fields(caption: Caption, text: str) -> Row:
    """Returns the fields that hold a caption.

    Args:
        caption: what the model said.
        text: how it is worded in this table.
    """
    fields: Row = {
        "caption": text,
        "log_prob": round(caption.log_prob, _DIGITS),
        "confidence": round(caption.confidence, _DIGITS),
    }
    if caption.alternatives:
        fields["alternatives"] = [caption_fields(c, c.text) for c in caption.alternatives]
    return fields


def _read_json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    with open(path, encoding="utf-8", newline="\n") as file:
        lines = enumerate(_decoded_lines(file, path), 1)
        for number, line in lines:
            if line.strip():
                yield number, _parse_json(line)


def _decoded_lines(file: io.TextIOBase, path: Path) -> Iterator[str]:
    try:
        yield from file
    except UnicodeDecodeError as error:
        raise TableError(_foreign(path, 1)) from error


def _parse_json(line: str) -> Any:
    try:
        return parse_json(line)
    except ValueError:
        return None


def _is_sound(row: Any) -> bool:
    """Tells whether everything in a row is of its kind: people edit tables."""
    return (
        isinstance(row, dict)
        and all(key in _NO_TEXTS or isinstance(value, str) for key, value in row.items())
        and all(isinstance(row.get(key, 0.0), (int, float)) for key in _NUMBERS)
    )


def _read_csv(path: Path) -> Iterator[tuple[int, Any]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(_decoded_lines(file, path))
        try:
            columns = reader.fieldnames or ()
            if PATH not in columns or not set(columns) <= set(COLUMNS):
                raise TableError(_foreign(path, 1))
            for fields in reader:
                row: Row = {key: value for key, value in fields.items() if value}
                for key in (*_NUMBERS, "alternatives"):
                    if key in row:
                        row[key] = _parse_json(row[key])
                yield reader.line_num, row
        except csv.Error as error:  # NUL, or a field beyond measure
            raise TableError(_foreign(path, reader.line_num)) from error


def _read_sheet(path: Path) -> Iterator[tuple[int, Any]]:
    number = 1
    try:
        for number, row in read_sheet(path):
            yield number, row
    except ValueError as error:
        raise TableError(_foreign(path, number)) from error


def _render_json_lines(rows: Iterable[Row]) -> Iterator[bytes]:
    return (encode_row(row) + b"\n" for row in rows)


def _render_csv(rows: Iterable[Row]) -> Iterator[bytes]:
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, COLUMNS, extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        yield _encode(buffer.getvalue())
        buffer.seek(0)
        buffer.truncate()
        alternatives = row.get("alternatives")
        packed = {} if alternatives is None else {"alternatives": json.dumps(alternatives)}
        writer.writerow({**row, **packed})
    yield _encode(buffer.getvalue())


def _encode(text: str) -> bytes:
    # Half an emoji can only stem from an edited table, and CSV has no way to write it.
    return text.encode("utf-8", "replace")


def _foreign(path: Path, number: int) -> str:
    return (
        f"{path}, line {number}: this is no row of captions, so the file was not written by "
        "captioner or was changed. Move it away, or name another file."
    )
