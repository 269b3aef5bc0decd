"""Rows of CSV and TSV files as people write them: quoted, half quoted, or not quoted at all.

A file is read line by line and not as one stream, because there a single stray quote would
silently swallow every line up to the next one.
"""

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from captioner.datasets.image_folder import is_image_name
from captioner.datasets.text_files import TextFile

_MOST_LINES = 20  # that one quoted field may span


class Row(NamedTuple):
    """One record: the place of its first line, and its fields by column."""

    item: str
    fields: Mapping[str, str]


def read_header(file: TextFile, delimiter: str) -> tuple[str, ...]:
    """Returns the column names in the first line, in lower case; none for an empty file."""
    first = next((line for line in file.lines if line.strip()), "")
    return tuple(column.strip().lower() for column in _split_line(first, delimiter))


def read_rows(file: TextFile, delimiter: str, caption_columns: Collection[str]) -> Iterator[Row]:
    """Yields the records below the header.

    A line that is not proper CSV is split at its delimiters, quotes kept; delimiters that
    are too many belong to the caption. So no caption is lost to a quote or a comma.

    Args:
        file: a table whose first line names the columns.
        delimiter: one character, ",", ";" or a tab.
        caption_columns: the names that the column of captions may have.
    """
    header = read_header(file, delimiter)
    caption_column = next((i for i, name in enumerate(header) if name in caption_columns), -1)
    first = next((number for number, line in enumerate(file.lines) if line.strip()), 0) + 1
    next_number = first + 1
    for number, line in enumerate(file.lines, start=1):
        if number < next_number or not line.strip():  # or part of a field that spans lines
            continue
        fields = line.split(delimiter)
        if len(fields) != len(header) or '"' in line:  # most lines are as simple as that
            fields, num_lines = _read_record(file.lines, number - 1, delimiter, len(header))
            next_number = number + num_lines
        if len(fields) > len(header):
            fields = _join_excess(fields, len(header), caption_column, delimiter)
        yield Row(file.place(number), dict(zip(header, fields, strict=False)))


def _read_record(
    lines: Sequence[str], start: int, delimiter: str, num_columns: int
) -> tuple[list[str], int]:
    """Returns the fields of the record that starts at `start`, and how many lines it takes."""
    fields = _parse(lines[start], delimiter)
    if fields is not None and len(fields) <= num_columns:
        return fields, 1
    for stop in range(start + 2, min(start + _MOST_LINES, len(lines)) + 1):
        if fields is not None or is_image_name(lines[stop - 1].split(delimiter)[0]):
            break  # no quote is open, or the next record begins: the quote was a stray one
        fields = _parse("\n".join(lines[start:stop]), delimiter)
        if fields is not None and len(fields) == num_columns:
            return fields, stop - start
    return lines[start].split(delimiter), 1


def _join_excess(
    fields: list[str], num_columns: int, caption_column: int, delimiter: str
) -> list[str]:
    """Gives the delimiters that nobody quoted back to the caption."""
    first = caption_column % num_columns
    after = first + 1 + len(fields) - num_columns
    return [*fields[:first], delimiter.join(fields[first:after]), *fields[after:]]


def _split_line(line: str, delimiter: str) -> list[str]:
    fields = _parse(line, delimiter)
    return line.split(delimiter) if fields is None else fields


def _parse(text: str, delimiter: str) -> list[str] | None:
    """Returns the fields of one record by the rules of CSV, or None where it breaks them."""
    if text and '"' not in text:
        return text.split(delimiter)
    try:
        rows = list(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None
