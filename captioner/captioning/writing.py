"""Files replaced whole, under temporary names that the next run finds again.

`captioner.files` gives each temporary file a new name, so one that a killed process left behind
stays. Among a user's photographs nothing may stay: here the temporary name follows from the
final one, and writing the same file again takes the leftover away. Its writer holds a lock on
it, so two runs that overlap wait for each other and neither takes the other's for a leftover.
"""

import contextlib
import hashlib
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from captioner.files import sync_folder

if sys.platform != "win32":
    from fcntl import LOCK_EX, flock

_NEW_FILE_MODE = 0o666


def temporary_path(path: Path) -> Path:
    """Returns the hidden name beside `path` under which its next content is written."""
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    return path.with_name(f".captioner-{digest}.tmp")


def replace_content(
    path: Path, content: bytes | Iterable[bytes], *, keep_mode: bool = False
) -> None:
    """Makes `path` hold `content`, whole or not at all, even when the machine stops.

    Args:
        path: the file to make or to replace; where it is a link, what it links to.
        content: all of it, or piece by piece.
        keep_mode: whether the new file has the permissions of the old one.

    Raises:
        OSError: the folder cannot be written or the disk is full; `path` is as it was.
    """
    path = Path(os.path.realpath(path))
    temporary = temporary_path(path)
    pieces = [content] if isinstance(content, bytes) else content
    mode = stat.S_IMODE(path.stat().st_mode) if keep_mode else None
    with open(_create_locked(temporary), "wb") as file:
        try:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
            if mode is not None:
                os.chmod(temporary, mode)
            if sys.platform == "win32":  # where no open file can be renamed
                file.close()
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
    sync_folder(path.parent)


def _create_locked(path: Path) -> int:
    """Returns a descriptor of a new file that nobody else writes."""
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _NEW_FILE_MODE)
        except FileExistsError:
            _remove_leftover(path)
            continue
        _wait_for_lock(descriptor)
        if _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)  # taken for a leftover before it was locked


def _remove_leftover(path: Path) -> None:
    """Removes a file once nobody writes it; one that its writer has renamed is there no more."""
    if sys.platform == "win32":  # which refuses where somebody has it open
        path.unlink(missing_ok=True)
        return
    with contextlib.suppress(FileNotFoundError):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except (
            OSError
        ):  # it is gone, or a link, or another user's: neither is a writer's of this program
            path.unlink()
            return
        with open(descriptor, "rb"):
            _wait_for_lock(descriptor)
            if _is_at(descriptor, path):
                path.unlink()


def _wait_for_lock(descriptor: int) -> None:
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # a file system without locks
            flock(descriptor, LOCK_EX)


def _is_at(descriptor: int, path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    return False
