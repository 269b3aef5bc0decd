"""JSON Lines, CSV and contact sheets: one row an image, read and written as a stream.

A row holds `path` and `status`; where they apply, `root`, `caption`, `log_prob`, `confidence`,
`alternatives` and `error`; and `path_base64` where the name is not UTF-8 (see `file_names`).
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from captioner.captioning.caption import Caption
from captioner.captioning.file_names import EXACT_PATH, PATH, name_fields, name_from_fields
from captioner.captioning.folders import ListedImage
from captioner.captioning.sheets import read_sheet, render_sheet
from captioner.errors import CaptionerError
from captioner.files import parse_json

Row = dict[str, Any]
TableName = Literal["jsonl", "csv", "html", "review"]

COLUMNS = (
    "root",
    PATH,
    "caption",
    "confidence",
    "log_prob",
    "status",
    "error",
    "alternatives",
    EXACT_PATH,
)
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
            yield from readers.get(self.name, _read_json_lines)(self.path)

    def render(self, rows: Iterable[Row]) -> Iterator[bytes]:
        """Yields the file's content, line by line, in UTF-8."""
        renderers = {"csv": _render_csv, "html": render_sheet}
        return renderers.get(self.name, _render_json_lines)(rows)


def row_of(listed: ListedImage, *, with_root: bool) -> Row:
    """Returns the start of an image's row: what names it."""
    root = {"root": name_fields(listed.root)[PATH]} if with_root else {}
    return {**root, **name_fields(listed.name)}


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


def row_id(row: Mapping[str, Any]) -> str:
    """Returns what tells rows of one table apart, in ASCII."""
    return json.dumps([row.get("root", ""), name_from_fields(row)])


def _read_json_lines(path: Path) -> Iterator[Row]:
    with open(path, encoding="utf-8", newline="\n") as file:
        lines = enumerate(_decoded_lines(file, path), 1)
        for number, line in lines:
            if line.strip():
                yield _check_row(_parse_json(line), path, number)


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


def _check_row(row: Any, path: Path, number: int) -> Row:
    try:
        row_id(row)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise TableError(_foreign(path, number)) from error
    return dict(row)


def _read_csv(path: Path) -> Iterator[Row]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(_decoded_lines(file, path))
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise TableError(_foreign(path, 1))
        for fields in reader:
            row: Row = {key: value for key, value in fields.items() if value}
            for key in ("log_prob", "confidence", "alternatives"):
                if key in row:
                    row[key] = _parse_json(row[key])
            yield _check_row(row, path, reader.line_num)


def _read_sheet(path: Path) -> Iterator[Row]:
    number = 1
    try:
        for number, row in read_sheet(path):
            yield _check_row(row, path, number)
    except ValueError as error:
        raise TableError(_foreign(path, number)) from error


def _render_json_lines(rows: Iterable[Row]) -> Iterator[bytes]:
    return (json.dumps(row, ensure_ascii=False).encode("utf-8") + b"\n" for row in rows)


def _render_csv(rows: Iterable[Row]) -> Iterator[bytes]:
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, COLUMNS, extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        yield buffer.getvalue().encode("utf-8")
        buffer.seek(0)
        buffer.truncate()
        alternatives = row.get("alternatives")
        packed = {} if alternatives is None else {"alternatives": json.dumps(alternatives)}
        writer.writerow({**row, **packed})
    yield buffer.getvalue().encode("utf-8")


def _foreign(path: Path, number: int) -> str:
    return (
        f"{path}, line {number}: this is no row of captions, so the file was not written by "
        "captioner or was changed. Move it away, or name another file."
    )
