"""Files replaced whole, under temporary names that the next run finds again.

`captioner.files` gives each temporary file a new name, so one that a killed process left behind
stays. Among a user's photographs nothing may stay: here the temporary name follows from the
final one, and writing the same file again takes the leftover over.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from captioner.files import sync_folder

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
        path: the file to make or to replace.
        content: all of it, or piece by piece.
        keep_mode: whether the new file has the permissions of the old one.

    Raises:
        OSError: the folder cannot be written or the disk is full; `path` is as it was.
    """
    temporary = temporary_path(path)
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    pieces = [content] if isinstance(content, bytes) else content
    mode = stat.S_IMODE(path.stat().st_mode) if keep_mode else None
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _NEW_FILE_MODE)
        with open(descriptor, "wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)
