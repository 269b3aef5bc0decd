"""The image files of a folder, listed once, and which of them a caption file means."""

import os
import unicodedata
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath

from captioner.errors import DatasetError

_SUFFIXES = ".jpg .jpeg .jpe .jfif .png .gif .bmp .webp .tif .tiff .heic .heif .avif .ppm .pgm .jp2"
IMAGE_SUFFIXES = frozenset(_SUFFIXES.split())


class ImageFolder:
    """The files under a folder, by their name relative to it.

    The folder is listed once and no file is opened or asked for its status, so 100,000
    images take about a second. Links to files and folders are followed; broken links and
    hidden files are not seen.

    Args:
        root: the folder; every image lies in it or in a folder below.

    Attributes:
        doubles: files left out since their name differs from another's only in how its accents
            are spelt, relative to the folder.

    Raises:
        DatasetError: the folder cannot be listed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.doubles: list[str] = []
        self._files: dict[str, str] = {}
        try:
            listed = sorted(_walk(os.fspath(root)))
        except OSError as error:
            raise DatasetError(f"{root} cannot be listed: {error.strerror}.") from error
        for name, file in listed:
            if self._files.setdefault(_compose(name), file) is not file:
                self.doubles.append(name)

    def names(self) -> Iterator[str]:
        """Yields the names of all files, in order."""
        return iter(self._files)

    def image_names(self) -> Iterator[str]:
        """Yields the names of the files that look like images, in order."""
        return filter(is_image_name, self._files)

    def names_ending(self, suffix: str) -> Iterator[str]:
        """Yields the names of the files with a suffix, in lower or upper case, in order."""
        return (name for name in self._files if name.lower().endswith(suffix))

    def images_with_id(self, image_id: str) -> list[str]:
        """Returns the names of the images that differ at most in their suffix, in order."""
        return self._by_id.get(image_id, [])

    @cached_property
    def _by_id(self) -> dict[str, list[str]]:
        """Image id -> names; most data sets write names in full, and need none of this."""
        by_id: dict[str, list[str]] = {}
        for name in self.image_names():
            by_id.setdefault(image_id_of(name), []).append(name)
        return by_id

    def file_of(self, name: str) -> str:
        """Returns the file that a name returned by `find` stands for."""
        return self._files[name]

    def path_of(self, name: str) -> Path:
        """Returns the same as a path, which takes many times as long."""
        return Path(self._files[name])

    def find(self, name: str) -> str | None:
        """Returns the relative name of the file that `name` means, or None.

        Args:
            name: as written in a caption file: relative, with `/` or `\\`, with the
                suffix or, when that leaves no choice, without.
        """
        name = _compose(name)
        if name in self._files:
            return name
        name = str(PurePosixPath(name.replace("\\", "/")))
        if name in self._files:
            return name
        namesakes = self._by_id.get(name, [])
        return namesakes[0] if len(namesakes) == 1 else None


def image_id_of(name: str) -> str:
    """Returns the id of an image: its relative name without the suffix."""
    stem, dot, suffix = name.rpartition(".")
    is_image = dot + suffix.lower() in IMAGE_SUFFIXES and stem != "" and stem[-1] != "/"
    return stem if is_image else name


def is_image_name(name: str) -> bool:
    """Tells whether a file name ends like an image's, in lower or upper case."""
    return image_id_of(name) != name


def leads_outside(name: str) -> bool:
    """Tells whether a name in a caption file is absolute or climbs with `..`."""
    path = PureWindowsPath(name)  # knows both separators, and drives
    return bool(path.drive or path.root) or ".." in path.parts


def _compose(name: str) -> str:
    """Returns one spelling of accented names, which macOS and old archives write otherwise."""
    if name.isascii():
        return name
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:  # the file system holds bytes that are not UTF-8
        name = os.fsencode(name).decode("cp1252", errors="replace")
    return unicodedata.normalize("NFC", name)


def _walk(root: str) -> Iterator[tuple[str, str]]:
    """Yields `(relative name, file)` of all files below `root`; a `Path` for each would be slow."""
    waiting: list[tuple[str, str, frozenset[str]]] = [("", root, frozenset())]
    while waiting:
        prefix, folder, above = waiting.pop()
        real_folder = os.path.realpath(folder)
        if real_folder in above:  # a link to a folder above would never end
            continue
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name == "__MACOSX":
                    continue
                if entry.is_dir():
                    waiting.append((f"{prefix}{entry.name}/", entry.path, above | {real_folder}))
                elif entry.is_file():
                    yield f"{prefix}{entry.name}", entry.path
