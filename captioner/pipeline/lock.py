"""One run at a time in an artifacts folder, and a message that names who is there."""

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from captioner.errors import ArtifactError, LockedError
from captioner.files import parse_json, write_json

LOCK = ".lock"
HOLDER = ".lock-holder.json"


@contextlib.contextmanager
def hold_lock(root: Path) -> Iterator[None]:
    """Holds the artifacts folder while the block runs; a killed process lets go of it.

    Args:
        root: the artifacts folder, made if it is missing.

    Raises:
        LockedError: another process holds it.
        ArtifactError: the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(str(root / LOCK))
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise LockedError(
            f"Another run is using {root}: {_describe_holder(root)}.\n"
            "Wait until it ends, or choose another folder with --artifacts DIR."
        ) from None
    except OSError as error:
        raise ArtifactError(
            f"Cannot write to the artifacts folder {root}: {error.strerror}.\n"
            "Make it writable, or choose another folder with --artifacts DIR."
        ) from error
    try:
        write_json(root / HOLDER, _this_process())
        yield
    finally:
        with contextlib.suppress(OSError):
            (root / HOLDER).unlink(missing_ok=True)
        lock.release()


def _this_process() -> dict[str, str | int]:
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "command": " ".join(sys.argv),
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def _describe_holder(root: Path) -> str:
    try:
        holder = parse_json((root / HOLDER).read_text(encoding="utf-8"))
        return (
            f"process {holder['pid']} on {holder['host']}, since {holder['since']} "
            f"({holder['command']})"
        )
    except (OSError, ValueError, KeyError):
        return "a process that did not leave its name"
