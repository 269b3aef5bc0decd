"""What the user asked to caption: files, folders, patterns and lists, as one stream of images."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import IO

from captioner.captioning.folders import ListedImage, find_fault, list_folder
from captioner.datasets.image_folder import is_image_name
from captioner.errors import UsageError

_WILDCARDS = re.compile(r"[*?\[]")
_PATTERN_PARTS = re.compile(r"\*\*/|\*\*|\*|\?|\[[!^]?\]?[^\]]*\]|.", re.DOTALL)
# What a shell's `photos/*` brings along once a folder has been captioned.
_COMPANION_SUFFIXES = frozenset({".txt", ".caption", ".json", ".jsonl", ".csv"})
_CHUNK_BYTES = 1 << 16


@dataclass(frozen=True)
class Listing:
    """The images that a request names, in order: a stream that never holds them all.

    Args:
        paths: files, folders and patterns such as `trips/**/*.jpg`.
        recursive: whether to enter sub-folders of the folders.
        filelist: a file that names images, one a line, or "-" for standard input.
        null_separated: whether names in `filelist` end in NUL, as `find -print0` writes them.

    Raises:
        UsageError: nothing is named, or something that does not exist.
    """

    paths: Sequence[str] = ()
    recursive: bool = False
    filelist: str | None = None
    null_separated: bool = False

    def __post_init__(self) -> None:
        if not self.paths and self.filelist is None:
            raise UsageError("There is nothing to caption: name files or folders, or a --filelist.")
        missing = [p for p in self.paths if not os.path.lexists(p) and not _WILDCARDS.search(p)]
        if self.filelist not in (None, "-") and not os.path.exists(str(self.filelist)):
            missing.append(str(self.filelist))
        if missing:
            listed = ", ".join(map(repr, missing))
            raise UsageError(f"Nothing to caption at {listed}: no such file or folder.")

    def __iter__(self) -> Iterator[ListedImage]:
        if not self.has_roots:
            yield from self._list_all()
        else:
            for listed in self._list_all():
                yield replace(listed, mirrored=os.path.join(listed.root, listed.name))

    def _list_all(self) -> Iterator[ListedImage]:
        for path in self.paths:
            yield from self._list_path(path)
        if self.filelist is not None:
            for name in read_filelist(self.filelist, null_separated=self.null_separated):
                yield ListedImage("", name, find_fault(name))

    @property
    def can_repeat(self) -> bool:
        """Whether the images can be listed more than once; standard input can be read once."""
        return self.filelist != "-"

    @property
    def has_roots(self) -> bool:
        """Whether names alone could be ambiguous, since they are relative to several folders."""
        roots = {_split_path(path)[0] for path in self.paths}
        return len(roots | ({""} if self.filelist is not None else set())) > 1

    def single_image(self) -> ListedImage | None:
        """Returns the one file that was asked for, or None where there may be several."""
        if len(self.paths) != 1 or self.filelist is not None or os.path.isdir(self.paths[0]):
            return None
        is_file = os.path.lexists(self.paths[0])
        return next(iter(self._list_path(self.paths[0])), None) if is_file else None

    def _list_path(self, path: str) -> Iterator[ListedImage]:
        root, name = _split_path(path)
        if os.path.isdir(path):
            yield from list_folder(root, recursive=self.recursive)
        elif os.path.lexists(path):
            if not self._is_companion(path):
                yield ListedImage(root, name, find_fault(path))
        else:
            yield from _list_pattern(root, name)

    def _is_companion(self, path: str) -> bool:
        return len(self.paths) > 1 and os.path.splitext(path)[1].lower() in _COMPANION_SUFFIXES


def read_filelist(path: str, *, null_separated: bool = False) -> Iterator[str]:
    """Yields the names in a list of files, a chunk at a time.

    Args:
        path: the list, or "-" for standard input. Bytes that are not UTF-8 are kept.
        null_separated: whether names end in NUL instead of a line end.

    Raises:
        UsageError: a line holds NUL, as in a list in UTF-16 or one for `--null`.
    """
    separator = b"\0" if null_separated else b"\n"
    rest = b""
    with _open_list(path) as file:
        is_start = True
        while chunk := file.read1(_CHUNK_BYTES):  # type: ignore[attr-defined]
            chunk = chunk.removeprefix(b"\xef\xbb\xbf") if is_start else chunk
            is_start = False
            *names, rest = (rest + chunk).split(separator)
            yield from _decode_names(names, null_separated)
    yield from _decode_names([rest], null_separated)


def _open_list(path: str) -> AbstractContextManager[IO[bytes]]:
    return nullcontext(sys.stdin.buffer) if path == "-" else open(path, "rb")


def _decode_names(names: Sequence[bytes], null_separated: bool) -> Iterator[str]:
    for name in names:
        trimmed = name if null_separated else name.removesuffix(b"\r")
        if b"\0" in trimmed:
            raise UsageError(
                "The --filelist has a NUL inside a line. Save it as UTF-8, or add --null if each "
                "name ends in NUL, as `find -print0` writes them."
            )
        if trimmed:
            yield os.fsdecode(trimmed)


def _split_path(path: str) -> tuple[str, str]:
    """Returns the root of an argument, and the name or pattern relative to it.

    A file named from here keeps the name it was given; one from elsewhere goes by its own name.
    """
    if os.path.isdir(path):
        return path, ""
    if not os.path.lexists(path):
        return _split_pattern(path)
    leads_away = os.path.isabs(path) or ".." in path.split(os.sep)
    return os.path.split(path) if leads_away else ("", path)


def _split_pattern(path: str) -> tuple[str, str]:
    match = _WILDCARDS.search(path)
    start = path.rfind("/", 0, match.start() if match else len(path)) + 1
    return path[:start], path[start:]


def _list_pattern(root: str, pattern: str) -> Iterator[ListedImage]:
    try:
        wanted = re.compile(_translate(pattern), re.DOTALL)
    except re.error as error:
        raise UsageError(f"{root}{pattern} is no pattern of file names: {error}.") from error
    for listed in list_folder(root, recursive="/" in pattern or "**" in pattern):
        is_folder = not is_image_name(listed.name)  # one that cannot be listed
        if is_folder or wanted.fullmatch(listed.name):
            yield listed


def _translate(pattern: str) -> str:
    """Returns a pattern of file names as a regular expression: `**` spans folders, `*` does not."""
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(
        known.get(part, _translate_class(part) if len(part) > 2 else re.escape(part))
        for part in _PATTERN_PARTS.findall(pattern)
    )


def _translate_class(part: str) -> str:
    if part[1:-1] in ("!", "^"):  # a shell takes it as it is
        return re.escape(part)
    inside = part[1:-1].replace("\\", "\\\\").replace("[", "\\[")
    return f"[^{inside[1:]}]" if inside[0] in "!^" else f"[{inside}]"
