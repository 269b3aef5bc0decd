"""The images of a folder, one after the other, and what stands where an image should."""

import itertools
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from captioner.captioning.sorting import sort_names
from captioner.datasets.image_folder import IMAGE_SUFFIXES, is_image_name

_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@dataclass(frozen=True, slots=True)
class ListedImage:
    """A file to caption.

    Args:
        root: the folder it was looked for in, as given; "" is the current folder.
        name: its name relative to `root`, with "/"; bytes that are not UTF-8 are kept as lone
            surrogates.
        fault: why it cannot be captioned, or None.
        mirrored: its name in an output folder, if that is not `name`: where several roots are
            captioned at once, two of them may have an image of the same name.
    """

    root: str
    name: str
    fault: str | None = None
    mirrored: str | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.root, self.name)

    @property
    def key(self) -> bytes:
        """Its absolute path: what makes it the same file in another run."""
        return os.fsencode(os.path.abspath(os.path.join(self.root, self.name)))

    def has_namesake(self) -> bool:
        """Tells whether another file in its folder differs from it in an image's suffix alone.

        `a.jpg` has the namesakes `a.png` and, where that is a file, `a`. `a.jpg.png` counts as
        having one, so that the name without its suffix is left to `a.jpg`.
        """
        stem, own_suffix = os.path.splitext(os.path.join(self.root, self.name))
        if is_image_name(stem) or os.path.isfile(stem):
            return True
        spellings = ((s, s.upper(), s.title()) for s in IMAGE_SUFFIXES)
        return any(
            suffix != own_suffix and _is_other_file(stem + suffix, stem + own_suffix)
            for suffix in itertools.chain.from_iterable(spellings)
        )


def list_folder(root: str, *, recursive: bool = False) -> Iterator[ListedImage]:
    """Yields the images of a folder, sorted by name, folder by folder.

    Hidden files and folders are passed over. A linked folder is entered once, and not at all
    where it leads back into the tree being listed, so links cannot make a loop or a double. A
    folder that cannot be listed, a broken link and a named pipe are yielded with their fault.

    Args:
        root: the folder, as it shall appear in `ListedImage.root`.
        recursive: whether to enter sub-folders.
    """
    walk = _Walk(root, recursive)
    folders = [walk.enter("")]
    while folders:
        for found in folders[-1]:
            if isinstance(found, ListedImage):
                yield found
            else:
                folders.append(walk.enter(found))
                break
        else:
            folders.pop()


def find_fault(path: str) -> str | None:
    """Returns why something at `path` is no file that could be read, or None."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return "links to a file that is not there" if os.path.islink(path) else "does not exist"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if stat.S_ISREG(mode):
        return None
    return f"is {next((kind for test, kind in _KINDS if test(mode)), 'a special file')}, not a file"


class _Walk:
    """One walk through a tree; remembers the links it followed."""

    def __init__(self, root: str, recursive: bool) -> None:
        self._root = root
        self._recursive = recursive
        self._real_root = os.path.realpath(root)
        self._followed: set[str] = set()

    def enter(self, prefix: str) -> Iterator[ListedImage | str]:
        """Yields the images of a folder, and its sub-folders as names that end in "/"."""
        try:
            for name in sort_names(self._names(prefix)):
                yield self._find(prefix, name)
        except OSError as error:
            fault = f"the folder cannot be listed: {error.strerror}"
            yield ListedImage(self._root, prefix.rstrip("/") if prefix else ".", fault)

    def _find(self, prefix: str, name: str) -> ListedImage | str:
        if name.endswith("/"):
            return prefix + name
        fault = find_fault(os.path.join(self._root, prefix, name))
        return ListedImage(self._root, prefix + name, fault)

    def _names(self, prefix: str) -> Iterator[str]:
        with os.scandir(os.path.join(self._root, prefix) or ".") as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name == "__MACOSX":
                    continue
                if _is_folder(entry):
                    if self._recursive and (not entry.is_symlink() or self._may_follow(entry)):
                        yield entry.name + "/"
                elif is_image_name(entry.name):
                    yield entry.name

    def _may_follow(self, entry: os.DirEntry[str]) -> bool:
        target = os.path.realpath(entry.path)
        here = os.path.realpath(os.path.dirname(entry.path) or ".")
        is_visible = not any(
            part.startswith(".") for part in os.path.relpath(target, self._real_root).split(os.sep)
        )
        leads_back = (_is_inside(target, self._real_root) and is_visible) or any(
            _is_inside(folder, target) for folder in (self._real_root, here)
        )
        if leads_back or target in self._followed:
            return False
        self._followed.add(target)
        return True


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that points at itself
        return False


def _is_inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _is_other_file(path: str, known: str) -> bool:
    # Nearly always there is none, and asking that alone is the cheapest.
    return os.path.exists(path) and not os.path.samefile(path, known)
