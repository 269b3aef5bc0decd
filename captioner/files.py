"""Files that are whole at any moment: write beside, sync, then rename.

A reader, or a run that starts after a power cut, sees either the old file or the new one.
"""

import contextlib
import errno
import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

_CHUNK_BYTES = 1 << 20
_UNFINISHED = ".tmp"


@contextlib.contextmanager
def replace_file(path: Path, mode: str = "wb", **open_options: Any) -> Iterator[IO[Any]]:
    """Opens a temporary file beside `path` and renames it to `path` when the block succeeds.

    Args:
        path: the file to make or replace.
        mode: "wb" or "w"; text is written as UTF-8 unless `encoding` says otherwise. What UTF-8
            has no place for, such as a file name that is not UTF-8 or half an emoji, becomes
            `\\udcXX`, which JSON reads back as it was.
        open_options: what `open` takes, such as `newline`.

    Raises:
        OSError: the folder cannot be written or the disk is full; `path` is as it was.
    """
    if "b" not in mode:
        open_options = {"encoding": "utf-8", "errors": "backslashreplace", **open_options}
    handle, temporary = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.name[:64]}.", suffix=_UNFINISHED
    )
    try:
        with open(handle, mode, **open_options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes files private
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    sync_folder(path.parent)


@contextlib.contextmanager
def make_folder(path: Path) -> Iterator[Path]:
    """Opens a hidden folder beside `path` and renames it to `path` when the block succeeds.

    What earlier calls left that were killed is removed first.

    Args:
        path: the folder to make; it may exist if it is empty, or be a link to an empty one.

    Raises:
        FileExistsError: there is something at `path`.
        OSError: the folder cannot be made or the disk is full; `path` is as it was.
    """
    if not is_free(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{target.name[:64]}."
    for left in target.parent.glob(f"{glob.escape(prefix)}*{_UNFINISHED}/"):
        shutil.rmtree(left, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(dir=target.parent, prefix=prefix, suffix=_UNFINISHED))
    try:
        yield staging
        staging.chmod(0o777 & ~_umask())  # mkdtemp makes folders private
        put_folder(staging, target)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def is_free(path: Path) -> bool:
    """Tells whether a folder can be made at `path`: nothing is there, or an empty folder."""
    if path.is_dir():
        return not any(path.iterdir())
    return not os.path.lexists(path)


def put_folder(staging: Path, path: Path) -> None:
    """Renames a finished folder to `path`, where an empty folder may be, or a link to one."""
    target = path.resolve()
    if target.exists():
        target.rmdir()
    os.rename(staging, target)
    sync_folder(target.parent)


def remove_unfinished(folder: Path) -> None:
    """Removes, at any depth, what writers that were killed left in a folder of ours.

    Call it while nobody else writes there.
    """
    for path in folder.rglob(f".*{_UNFINISHED}"):
        if path.is_file():
            path.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as indented UTF-8 JSON, whole or not at all."""
    with replace_file(path, "w") as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")


def parse_json(text: str | bytes) -> Any:
    """Returns what JSON from a file says, which may be damaged or a stranger's.

    Raises:
        ValueError: it is no JSON, or nested beyond measure.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise json.JSONDecodeError("Nested too deeply", "", 0) from error


def separate(members: Iterable[str]) -> Iterator[str]:
    """Yields the members of a JSON list or object, a line each, with the commas between them."""
    comma = ""
    for member in members:
        yield f"{comma}\n{member}"
        comma = ","


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text, whole or not at all."""
    with replace_file(path, "w", newline="\n") as file:
        file.write(text)


def sync_folder(folder: Path) -> None:
    """Makes renames inside `folder` durable, where the system can."""
    with contextlib.suppress(OSError):  # Windows cannot open folders
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sync_file(path: Path) -> None:
    """Makes the content of a finished file durable."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def hash_file(path: str | Path) -> str:
    """Returns the SHA-256 of a file's content, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
