"""Captions that a person corrected on a contact sheet, written back beside or into the images.

A corrections file says where images lie, and it may come from anywhere. So its paths count only
within one folder that the person who applies it has chosen; a file that leads out of it is refused
as a whole, before anything is written.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, StringConstraints, ValidationError, model_validator

from captioner.captioning.file_names import name_from_fields, readable
from captioner.captioning.folders import ListedImage, find_fault
from captioner.captioning.journal import Entry
from captioner.captioning.outputs import Outputs, write_outputs
from captioner.errors import CaptionerError, ImageError, UsageError
from captioner.files import parse_json

_MAX_LISTED = 5

_NO_NUL = r"^[^\x00]*$"

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, pattern=_NO_NUL)]
Name = Annotated[str, StringConstraints(pattern=_NO_NUL)]


class Correction(BaseModel):
    """One corrected caption.

    Args:
        path: of the image, relative to the folder that was captioned.
        caption: as it shall be.
        before: as it was on the sheet.
        folder: the folder that was captioned, as it was named then.
        root: the same, where several folders were captioned at once.
        path_base64: the exact bytes of a path that is not UTF-8.
    """

    path: Annotated[Name, StringConstraints(min_length=1)]
    caption: Text
    before: str | None = None
    folder: Name = ""
    root: Name | None = None
    path_base64: str | None = None

    @property
    def name(self) -> str:
        """The exact path."""
        return name_from_fields(self.model_dump())

    @model_validator(mode="after")
    def _check_name(self) -> Self:
        if "\0" in self.name:
            raise ValueError("a path cannot hold NUL")
        return self


class _File(BaseModel):
    kind: Literal["captioner corrections"]
    version: Literal[1]
    corrections: list[Correction]


@dataclass(frozen=True)
class Change:
    """What applying a correction does to one output.

    Args:
        place: the file, or the description in it.
        before: its caption, or None.
        after: the corrected caption.
    """

    place: str
    before: str | None
    after: str


@dataclass(frozen=True)
class Applied:
    """What became of one correction.

    Args:
        name: of the image, relative to the root.
        changes: what was written; none where the caption was there already.
        error: why it could not be written, or None.
    """

    name: str
    changes: tuple[Change, ...] = ()
    error: str | None = None


def read_corrections(path: Path) -> list[Correction]:
    """Reads a file that a contact sheet saved.

    Raises:
        UsageError: it is none; says why.
    """
    try:
        value = parse_json(path.read_bytes())
        corrections = _File.model_validate(value).corrections
        names = Counter((os.path.abspath(c.folder), c.name) for c in corrections)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        raise _no_corrections(path, _first_fault(error)) from error
    except ValueError as error:  # no JSON, no UTF-8, no base64
        raise _no_corrections(path, str(error)) from error
    doubled = [readable(name) for (_, name), count in names.items() if count > 1]
    if doubled:
        raise _no_corrections(path, f"it corrects {doubled[0]} twice")
    return corrections


def locate(
    corrections: Sequence[Correction], root: Path | None, *, follows_links: bool
) -> list[tuple[Correction, ListedImage]]:
    """Finds the images of corrections.

    Args:
        corrections: from one file.
        root: the folder that was captioned, or the one above where several were; None takes the
            folder that each correction names, within the current one.
        follows_links: whether the images themselves will be written, so that what a link leads
            to must lie within the root as well.

    Raises:
        UsageError: an image lies outside of the root; nothing is to be applied then.
    """
    if root is not None and not root.is_dir():
        raise UsageError(f"There is no folder {str(root)!r}.")
    located = [(correction, _find(correction, root)) for correction in corrections]
    inside = os.path.realpath("." if root is None else root)
    outside = [
        listed for _, listed in located if not _lies_in(inside, listed, follows_links=follows_links)
    ]
    if outside:
        shown = ", ".join(readable(str(listed.path)) for listed in outside[:_MAX_LISTED])
        raise UsageError(
            f"{len(outside):,} of {len(located):,} corrections lie outside of {inside}: {shown}. "
            "Nothing was written. Name the folder that was captioned with --root."
        )
    return located


def apply_corrections(
    located: Sequence[tuple[Correction, ListedImage]], outputs: Outputs, *, dry_run: bool = False
) -> Iterator[Applied]:
    """Writes corrected captions, each file whole or not at all.

    Applying the same corrections again changes nothing.

    Args:
        located: see `locate`.
        outputs: where captions go; their `text` says "overwrite".
        dry_run: whether only to say what would be done.

    Yields:
        One result for each correction, in order.

    Raises:
        DiskFullError: there is no room; what was applied before is whole.
    """
    for position, (correction, listed) in enumerate(located):
        name = str(listed.path)
        try:
            changes = _compare(correction, listed, outputs)
        except (CaptionerError, OSError) as error:
            yield Applied(name, error=_cause(error))
            continue
        entry = Entry(listed.key, position, "done", name, {})
        if changes and not dry_run:
            outputs.plan(entry, listed, correction.caption)
            write_outputs(entry)
        failed = entry.status == "failed"
        yield Applied(name, error=entry.row["error"]) if failed else Applied(name, changes)


def _compare(correction: Correction, listed: ListedImage, outputs: Outputs) -> tuple[Change, ...]:
    if listed.fault is not None:
        raise ImageError(listed.path, listed.fault)
    texts = outputs.earlier_texts(listed)
    found = (Change(place, before, correction.caption) for place, before in texts)
    return tuple(change for change in found if change.before != change.after)


def _find(correction: Correction, root: Path | None) -> ListedImage:
    if root is None:
        folder = correction.folder
    else:
        folder = str(root if correction.root is None else root / correction.root)
    name = correction.name
    mirrored = None if correction.root is None else os.path.join(correction.root, name)
    return ListedImage(folder, name, find_fault(os.path.join(folder, name)), mirrored)


def _lies_in(root: str, listed: ListedImage, *, follows_links: bool) -> bool:
    folder = os.path.realpath(listed.path.parent)
    places = [folder, os.path.realpath(listed.path)] if follows_links else [folder]
    is_name = listed.path.name not in ("", "..")
    return is_name and all(os.path.commonpath([root, place]) == root for place in places)


def _cause(error: Exception) -> str:
    if isinstance(error, ImageError):
        return error.cause
    return str(error.strerror) if isinstance(error, OSError) else str(error)


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" if fault["loc"] else fault["msg"]


def _no_corrections(path: Path, fault: Any) -> UsageError:
    return UsageError(
        f"{path} holds no corrections: {fault}. Save them on a contact sheet, which "
        "`captioner caption FOLDER --format html` makes."
    )
