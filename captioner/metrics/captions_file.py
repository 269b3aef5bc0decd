"""Captions made by anything else, read for scoring.

Taken are, by suffix and content:

- `.jsonl`: one object a line, {"image_id": ..., "caption": ...};
- `.json`: a list of such objects, as COCO's results format has it;
- `.csv`: two columns, image and caption, or any with a header that names these two, such as
  the table of `captioner caption --csv`; with semicolons where the header has them;
- text: `image<TAB>caption` on each line, or columns with a header as in `.csv`; or one caption a
  line in the order of the split.

An image may be named by its id, with or without suffix, folders and `#0`, or by COCO's number.
"""

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from captioner.errors import ScoreError
from captioner.files import parse_json

IMAGE_KEYS = ("image_id", "image", "file", "file_name", "filename", "path", "id")
CAPTION_KEYS = ("caption", "text")

_NUM_LISTED = 5  # faults named in an error

NamedCaption = tuple[str, str, str]  # the place, "file:line"; the image's name; its caption


def read_captions_file(path: Path, image_ids: Sequence[str]) -> dict[str, str]:
    """Reads one caption for each image of a split.

    Args:
        path: the file; UTF-8, with or without a byte-order mark.
        image_ids: the images of the split, in order.

    Returns:
        image id -> caption, in the order of the file. Images that the file leaves out are left
        out here as well: `score_captions` lists them.

    Raises:
        ScoreError: the file cannot be read or understood, names an image twice, or names images
            that are not in the split; the message gives file and line.

    Example:
        >>> read_captions_file(Path("captions.jsonl"), ["beach/1", "beach/2"])
        {'beach/1': 'a dog runs', 'beach/2': 'two men'}
    """
    text = _read_text(path)
    if path.suffix.lower() == ".json":
        return _match_images(_parse_json(path, text), image_ids)
    if path.suffix.lower() == ".jsonl":
        return _match_images(_parse_jsonl(path, text), image_ids)
    if path.suffix.lower() == ".csv":
        return _match_images(_parse_csv(path, text), image_ids)
    lines = text.removesuffix("\n").split("\n") if text else []
    if any("\t" in line for line in lines):
        return _match_images(_parse_tabs(path, lines), image_ids)
    return _match_lines(path, lines, image_ids)


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ScoreError(f"{path}: the captions cannot be read: {error.strerror}.") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ScoreError(
            f"{path}:{line}: byte 0x{content[error.start]:02x} is not UTF-8. "
            "Save the file as UTF-8 and try again."
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _parse_json(path: Path, text: str) -> Iterator[NamedCaption]:
    try:
        records = parse_json(text)
    except ValueError as error:
        raise ScoreError(f"{path}: this is no JSON: {error}.") from error
    if not isinstance(records, list):
        raise ScoreError(
            f"{path}: expected a list of objects such as "
            f'{{"image_id": ..., "caption": ...}}, as in COCO results; found {_kind(records)}.'
        )
    for number, record in enumerate(records, 1):
        yield _parse_record(f"{path}: entry {number}", record)


def _parse_jsonl(path: Path, text: str) -> Iterator[NamedCaption]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            place = f"{path}:{number}"
            try:
                record = parse_json(line)
            except ValueError as error:
                raise ScoreError(f"{place}: this line is no JSON: {error}.") from error
            yield _parse_record(place, record)


def _parse_record(place: str, record: Any) -> NamedCaption:
    if not isinstance(record, dict):
        raise ScoreError(f"{place}: expected an object, found {_kind(record)}.")
    image = _pick(place, record, IMAGE_KEYS)
    caption = _pick(place, record, CAPTION_KEYS)
    if isinstance(image, bool) or not isinstance(image, str | int):
        found = image if isinstance(image, float) else _kind(image)
        raise ScoreError(f"{place}: an image is named by text or a whole number, not {found}.")
    if not isinstance(caption, str):
        raise ScoreError(f"{place}: the caption must be text, not {_kind(caption)}.")
    return place, str(image), caption


def _pick(place: str, record: dict[str, Any], keys: Sequence[str]) -> Any:
    for key in keys:
        if key in record:
            return record[key]
    raise ScoreError(
        f"{place}: none of the keys {', '.join(keys)} is there. "
        f"Found: {', '.join(map(str, record)) if record else 'none'}."
    )


def _parse_csv(path: Path, text: str) -> Iterator[NamedCaption]:
    # as spreadsheets of many countries write
    header = text.partition("\n")[0].replace('"', "").split(";")
    delimiter = "," if _find_columns(header) is None else ";"
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        rows = ((f"{path}:{reader.line_num}", row) for row in reader if row)
        yield from _parse_rows(rows, "a comma" if delimiter == "," else "a semicolon")
    except csv.Error as error:
        raise ScoreError(f"{path}:{reader.line_num}: this is no CSV: {error}.") from error


def _parse_tabs(path: Path, lines: Sequence[str]) -> Iterator[NamedCaption]:
    numbered = enumerate(lines, 1)
    rows = ((f"{path}:{number}", line.split("\t")) for number, line in numbered if line.strip())
    yield from _parse_rows(rows, "a tab")


def _parse_rows(rows: Iterator[tuple[str, list[str]]], separator: str) -> Iterator[NamedCaption]:
    """Yields the captions of a table: of two columns, or of any if the first row names them."""
    first = next(rows, None)
    if first is None:
        return
    columns = _find_columns(first[1])
    if columns is None:
        rows = itertools.chain([first], rows)
    image, caption, num_fields = columns or (0, 1, 2)
    for place, row in rows:
        if len(row) != num_fields:
            pair = f"an image, {separator} and a caption"
            wanted = f"{num_fields} fields as in the first line" if columns else pair
            raise ScoreError(
                f"{place}: expected {wanted}; found {len(row)} field{'' if len(row) == 1 else 's'}."
            )
        yield place, row[image].strip(), row[caption]


def _find_columns(row: Sequence[str]) -> tuple[int, int, int] | None:
    """Returns where image and caption stand and the number of columns, if the row is a header."""
    names = [field.strip().lower() for field in row]
    images = [names.index(key) for key in IMAGE_KEYS if key in names]
    captions = [names.index(key) for key in CAPTION_KEYS if key in names]
    return (images[0], captions[0], len(names)) if images and captions else None


def _match_lines(path: Path, lines: Sequence[str], image_ids: Sequence[str]) -> dict[str, str]:
    if len(lines) != len(image_ids):
        raise ScoreError(
            f"{path}: {len(lines):,} lines for {len(image_ids):,} images. A text file without "
            "image names needs one caption a line, in the order of the split; an empty line is an "
            "empty caption."
        )
    return dict(zip(image_ids, lines, strict=True))


def _match_images(captions: Iterator[NamedCaption], image_ids: Sequence[str]) -> dict[str, str]:
    known = _index_names(image_ids)
    places: dict[str, str] = {}
    found: dict[str, str] = {}
    foreign = []
    for place, name, caption in captions:
        image_id = _find_image(name, known)
        if image_id is None:
            foreign.append(f"{place} ({name!r})")
        elif image_id in places:
            raise ScoreError(
                f"{place}: image {image_id!r} has a caption already, at {places[image_id]}. "
                "Keep one caption for each image."
            )
        else:
            places[image_id], found[image_id] = place, caption
    if foreign:
        more = len(foreign) - _NUM_LISTED
        raise ScoreError(
            f"Captions whose image is not in the split: {len(foreign):,}, at "
            f"{', '.join(foreign[:_NUM_LISTED])}{f' and {more:,} more' if more > 0 else ''}. "
            "Score them against the split they were made for."
        )
    return found


def _index_names(image_ids: Sequence[str]) -> dict[str, str]:
    """Returns the names that stand for exactly one image, whole ids before shorter names."""
    shorter = [(name, image_id) for image_id in image_ids for name in set(_short_names(image_id))]
    times = Counter(name for name, _ in shorter)
    unique = {name: image_id for name, image_id in shorter if times[name] == 1}
    return {**unique, **{image_id: image_id for image_id in image_ids}}


def _short_names(image_id: str) -> Iterator[str]:
    """Yields the file name without folders, and COCO's number: 42 for COCO_val2014_0...042."""
    name = PurePosixPath(image_id).name
    yield name
    if number := re.fullmatch(r"(?:COCO_\w+_)?(\d+)", name):
        yield str(int(number[1]))


def _find_image(name: str, known: dict[str, str]) -> str | None:
    plain = re.sub(r"#\d+$", "", name).replace("\\", "/")
    without_suffix = re.sub(r"\.[A-Za-z]\w{0,4}$", "", plain)
    for candidate in (name, plain, without_suffix):
        if candidate in known:
            return known[candidate]
    return _find_below(without_suffix, known)


def _find_below(path: str, known: dict[str, str]) -> str | None:
    """Finds /data/Images/beach/1 as beach/1, but not as sea/1."""
    parts = path.split("/")
    for start in range(1, len(parts)):
        tail = "/".join(parts[start:])
        if known.get(tail) == tail:
            return tail
    return None


def _kind(value: Any) -> str:
    return {
        dict: "an object",
        list: "a list",
        str: "text",
        bool: "true or false",
        int: "a number",
        float: "a number",
        type(None): "null",
    }[type(value)]
