"""Where captions go: sidecars, tables, the images themselves."""

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from captioner.captioning.descriptions import read_description, write_description
from captioner.captioning.existing import CaptionText
from captioner.captioning.folders import ListedImage
from captioner.captioning.journal import Entry
from captioner.captioning.tables import Table
from captioner.captioning.writing import replace_content
from captioner.datasets.image_folder import is_image_name
from captioner.errors import CaptionerError, ImageError, UsageError

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class OutputError(CaptionerError):
    """An output cannot be written; what was written before is whole."""


class DiskFullError(OutputError):
    """There is no room left."""


@dataclass(frozen=True)
class Outputs:
    """The outputs of a run; none at all means that captions are only shown.

    Args:
        sidecar_suffix: such as ".txt"; None writes no sidecars.
        output_dir: sidecars go here, in the images' folder structure, which begins with the
            folders' own names where several are captioned; None puts each beside its image.
        jsonl: a table in JSON Lines.
        csv: a table in CSV.
        html: a contact sheet, a table for people.
        review: a table of captions below `min_confidence`.
        metadata: whether captions go into the images' own descriptions.
        text: wording, and what becomes of earlier captions.

    Raises:
        UsageError: a suffix or a combination that cannot be meant.
    """

    sidecar_suffix: str | None = None
    output_dir: Path | None = None
    jsonl: Path | None = None
    csv: Path | None = None
    html: Path | None = None
    review: Path | None = None
    metadata: bool = False
    text: CaptionText = field(default_factory=CaptionText)

    def __post_init__(self) -> None:
        suffix = self.sidecar_suffix
        if suffix is not None and (not suffix.startswith(".") or "/" in suffix or suffix == "."):
            raise UsageError(f"A sidecar's suffix is like .txt or .caption. Received: {suffix!r}")
        if suffix is not None and is_image_name("image" + suffix):
            raise UsageError(f"Sidecars cannot end in {suffix}: images do.")
        if self.output_dir is not None and suffix is None:
            raise UsageError("An output folder is for sidecars, and none are asked for.")
        paths = [table.path.absolute() for table in self.tables()]
        if len(set(paths)) < len(paths):
            raise UsageError("Two tables cannot be the same file. Name different ones.")

    def __bool__(self) -> bool:
        return self.sidecar_suffix is not None or self.metadata or bool(self.tables())

    def tables(self) -> list[Table]:
        """Returns the tables, by their files."""
        tables = []
        if self.jsonl is not None:
            tables.append(Table("jsonl", self.jsonl))
        if self.csv is not None:
            tables.append(Table("csv", self.csv))
        if self.html is not None:
            tables.append(Table("html", self.html))
        if self.review is not None:
            tables.append(Table("review", self.review))
        return tables

    def sidecar_path(self, listed: ListedImage) -> Path | None:
        """Returns where the caption of an image goes, or None.

        `a.jpg` has the sidecar `a.txt`. Where `a.png` lies beside it, they have `a.jpg.txt` and
        `a.png.txt`, so that neither caption is taken for the other's.
        """
        if self.sidecar_suffix is None:
            return None
        path = listed.path
        if self.output_dir is not None:
            path = self.output_dir / _inner_name(listed)
        keeps_suffix = not is_image_name(listed.name) or listed.has_namesake()
        stem = path.name if keeps_suffix else os.path.splitext(path.name)[0]
        return path.with_name(stem + self.sidecar_suffix)

    def earlier_texts(self, listed: ListedImage) -> Iterator[tuple[str, str | None]]:
        """Yields a name and the earlier caption, or None, of each output that is not a table.

        Raises:
            OSError, ImageError: an output cannot be looked at.
        """
        sidecar = self.sidecar_path(listed)
        if sidecar is not None:
            yield str(sidecar), read_sidecar(sidecar)
        if self.metadata:
            yield f"the description in {listed.name}", read_description(listed.path)

    def plan(self, entry: Entry, listed: ListedImage, caption: str) -> None:
        """Decides what the outputs of an image shall hold, except for its tables."""
        try:
            sidecar = self.sidecar_path(listed)
            if sidecar is not None:
                text = self.text.combine(read_sidecar(sidecar), caption)
                entry.sidecar = (str(sidecar), text)
            if self.metadata:
                earlier = read_description(listed.path)
                entry.description = self.text.combine(earlier, caption)
        except (OSError, ImageError) as error:
            entry.fail(_cause(error))


def write_outputs(entry: Entry) -> None:
    """Writes what an entry says, but for its rows; a fault becomes the entry's own.

    Raises:
        DiskFullError: there is no room left.
    """
    try:
        if entry.sidecar is not None:
            _write_sidecar(Path(entry.sidecar[0]), entry.sidecar[1])
        if entry.description is not None:
            write_description(Path(entry.image), entry.description)
    except (OSError, ImageError) as error:
        if isinstance(error, OSError) and is_disk_full(error):
            raise disk_full(error, entry.image) from error
        entry.fail(_cause(error))


def is_disk_full(error: OSError) -> bool:
    """Tells whether writing failed for want of room, so that all further writing would."""
    return error.errno in _NO_ROOM


def disk_full(error: OSError, path: Path | str) -> DiskFullError:
    """Returns what to tell the user when there is no room for the outputs of `path`."""
    return DiskFullError(
        f"{path}: its caption cannot be written: {error.strerror}. Everything before it is kept: "
        "make room and give the same command again; it continues where it stopped."
    )


def read_sidecar(path: Path) -> str | None:
    """Returns the text of a sidecar, or None where there is none or it is blank."""
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None
    return text.strip() or None


def _write_sidecar(path: Path, text: str) -> None:
    content = (text + "\n").encode("utf-8", "surrogateescape")
    if not _holds(path, content):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_content(path, content)


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except FileNotFoundError:
        return False


def _inner_name(listed: ListedImage) -> Path:
    """Returns where an image goes in a mirrored tree: never outside of it."""
    name = listed.name if listed.mirrored is None else listed.mirrored
    if os.path.isabs(name) or ".." in name.split("/"):
        name = os.path.abspath(listed.path if listed.mirrored is None else name)
    return Path(*Path(name).parts[1:]) if os.path.isabs(name) else Path(name)


def _cause(error: OSError | ImageError) -> str:
    if isinstance(error, ImageError):
        return error.cause
    where = f"{os.path.basename(os.fsdecode(error.filename))}: " if error.filename else ""
    return f"its caption cannot be written: {where}{error.strerror}"
