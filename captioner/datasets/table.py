"""A table of captions: CSV, TSV, or JSON Lines with the columns image, caption and split."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from captioner.datasets.assembly import CaptionEntry, Contents, assemble, read_listed_images
from captioner.datasets.records import CaptionDataset, Skip
from captioner.datasets.rows import read_header, read_rows
from captioner.datasets.source import DatasetSource
from captioner.datasets.splits import SPLIT_NAMES, ListedImage
from captioner.datasets.text_files import TextFile, read_text
from captioner.errors import DatasetError, UsageError
from captioner.files import parse_json

TABLES = (
    "captions.csv",
    "captions.tsv",
    "captions.jsonl",
    "metadata.csv",
    "metadata.jsonl",
    "*.csv",
    "*.tsv",
    "*.jsonl",
)
IMAGE_FOLDERS = ("Images", "images", ".")
IMAGE_COLUMNS = ("image", "file_name", "filename", "file", "path")
CAPTION_COLUMNS = ("caption", "text", "captions")
DELIMITERS = {".csv": ",;", ".tsv": "\t"}  # spreadsheets of many countries write semicolons

NO_IMAGE = "row names no image"
NO_CAPTION = "row has no caption"
NOT_TEXT = "caption is not text"
NOT_JSON = "line is not a JSON object"
UNKNOWN_SPLIT = f"split is none of {', '.join(SPLIT_NAMES)}"


def read_table(source: DatasetSource) -> CaptionDataset:
    """Reads a table with one caption a row, or in JSON Lines a list of captions.

    The image's column is `image`, `file_name`, `filename`, `file` or `path`, its captions'
    `caption`, `text` or `captions`. CSV has commas, or semicolons throughout. A column `split`
    decides splits where there is one, else split lists, else splits are drawn by image. An image
    may have many rows.

    Args:
        source: the folder, with whatever the user named beyond it.

    Raises:
        UsageError: a file or folder that the user named is missing, or is no table.
        DatasetError: no table is found, a column is missing, an image is in two splits, or
            nothing is left.
    """
    path = source.caption_file(*TABLES)
    contents = Contents()
    for item, row in read_table_rows(read_text(path), contents):
        _add_row(contents, item, row)
    if contents.listed is None:
        read_listed_images(source, contents, path.parent, source.root)
    return assemble(source, contents, source.image_folder(*IMAGE_FOLDERS))


def read_table_rows(file: TextFile, contents: Contents) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields `(file:line, row)` of a table, whichever its kind.

    Raises:
        UsageError: the suffix is that of no table.
        DatasetError: a column is missing.
    """
    contents.add_file(file)
    suffix = file.path.suffix.lower()
    if suffix == ".jsonl":
        yield from _read_objects(file, contents)
    elif suffix in DELIMITERS:
        yield from read_rows(file, _find_delimiter(file, DELIMITERS[suffix]), CAPTION_COLUMNS)
    else:
        raise UsageError(f"{file.path} is no table. Expected a .csv, .tsv or .jsonl file.")


def _find_delimiter(file: TextFile, delimiters: str) -> str:
    """Returns the delimiter with which the first line names the columns that are needed."""
    headers = {delimiter: read_header(file, delimiter) for delimiter in delimiters}
    for delimiter, header in headers.items():
        if not _missing_columns(header):
            return delimiter
    header = max(headers.values(), key=len)
    columns = _missing_columns(header)[0]
    raise DatasetError(
        f"{file.path} has no column {' or '.join(columns)}. Its first line must name the "
        f"columns, such as `image,caption` or `image,caption,split`. Received: "
        f"{', '.join(header)[:200]!r}."
    )


def _missing_columns(header: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [names for names in (IMAGE_COLUMNS, CAPTION_COLUMNS) if not set(names) & set(header)]


def _read_objects(file: TextFile, contents: Contents) -> Iterator[tuple[str, dict[str, Any]]]:
    for item, line in file.numbered():
        try:
            row = parse_json(line)
        except json.JSONDecodeError:
            row = None
        if isinstance(row, dict):
            yield item, row
        else:
            contents.skip(item, NOT_JSON)


def _add_row(contents: Contents, item: str, row: Mapping[str, Any]) -> None:
    image_name = _find(row, IMAGE_COLUMNS)
    if not isinstance(image_name, str) or not image_name.strip():
        contents.skip(item, NO_IMAGE)
        return
    image_name = image_name.strip()
    for caption in _captions_of(row):
        if isinstance(caption, str):
            contents.entries.append(CaptionEntry(image_name, caption, item))
        else:
            contents.skip(item, NO_CAPTION if caption is None else NOT_TEXT)
    if "split" in row:
        _add_split(contents, item, image_name, row["split"])


def _captions_of(row: Mapping[str, Any]) -> list[Any]:
    value = _find(row, CAPTION_COLUMNS)
    return value if isinstance(value, list) and value else [value]


def _find(row: Mapping[str, Any], columns: Sequence[str]) -> Any:
    """Returns what stands in the first of `columns` that says anything; or "", or None."""
    found = None
    for column in columns:
        found = row.get(column, found)
        if found:
            break
    return found


def _add_split(contents: Contents, item: str, image_name: str, value: object) -> None:
    if contents.listed is None:
        contents.listed = []
    split = SPLIT_NAMES.get(str(value).strip().lower())
    if split is None:
        contents.skips.append(Skip(item, UNKNOWN_SPLIT))
    else:
        contents.listed.append(ListedImage(image_name, split, item))
