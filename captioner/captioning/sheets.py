"""Contact sheets: a folder's captions as one page, for reviewing and correcting.

The page holds the rows of a table, as JSON, one a line, and shows them a few dozen at a time; so
thousands of photographs stay fluid, and a later run reads from the page what is captioned already.
Corrections are saved from the page as a file that `captioner apply` takes.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from captioner.captioning.file_names import name_fields, readable
from captioner.captioning.folders import ListedImage
from captioner.errors import ImageError
from captioner.files import parse_json
from captioner.report.page import render
from captioner.report.thumbnail import QUALITIES, make_thumbnail

ROOT, FOLDER, LINK, THUMBNAIL = "root", "folder", "link", "thumbnail"
_THUMBNAIL_BYTES = 10_000  # a thousand photographs make a page of 10 MB
_FIRST, _LAST = '<script type="application/json" id="rows">\n', "</script>\n"
_MARK = "@rows@"


class SheetError(ValueError):
    """A page that is no contact sheet."""


def sheet_fields(listed: ListedImage, sheet: Path) -> dict[str, Any]:
    """Returns what a sheet shows of an image beside its row: a thumbnail and where it lies.

    `folder` is where its path begins, as it was named. `root` is the same, for images of several
    roots alone: what `captioner apply` is told is the folder above them then.

    Args:
        listed: the image.
        sheet: the file that the page will be.
    """
    fields: dict[str, Any] = {**name_fields(listed.root, FOLDER)}
    if listed.mirrored is not None:
        fields[ROOT] = readable(listed.root)
    if listed.fault is not None:
        return fields
    try:
        thumbnail = make_thumbnail(listed.path, QUALITIES, max_bytes=_THUMBNAIL_BYTES)
    except ImageError:  # its row says why already
        return fields
    way = os.path.relpath(os.path.abspath(listed.path), os.path.abspath(sheet.parent))
    return {
        **fields,
        LINK: quote(os.fsencode(way)),
        THUMBNAIL: [thumbnail.uri, thumbnail.width, thumbnail.height],
    }


def render_sheet(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """Yields the page, row by row, in UTF-8.

    Args:
        rows: with what `sheet_fields` gives.
    """
    scripts = ["page_tools.js", "contact_sheet.js"]
    head, _, tail = render("contact_sheet.html", scripts=scripts, rows=_MARK).partition(_MARK)
    yield head.encode()
    for row in rows:
        # No "<" can end the element that holds the rows.
        yield encode_row(row).replace(b"<", b"\\u003c") + b"\n"
    yield tail.encode()


def encode_row(row: Mapping[str, Any]) -> bytes:
    """Returns a row as JSON in UTF-8; half an emoji, which UTF-8 has no place for, as `\\ud83d`."""
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "backslashreplace")


def read_sheet(path: Path) -> Iterator[tuple[int, Any]]:
    """Yields (line number, row) of a page that `render_sheet` made.

    Raises:
        SheetError: it is none, or it is cut off.
    """
    with open(path, encoding="utf-8", newline="\n") as file:
        lines = enumerate(file, 1)
        if not any(line == _FIRST for _, line in lines):
            raise SheetError("no rows")
        for number, line in lines:
            if line == _LAST:
                return
            yield number, parse_json(line)
    raise SheetError("the rows do not end")
