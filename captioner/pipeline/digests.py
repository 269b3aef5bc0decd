"""Content digests that are not computed twice for a file that did not change.

A digest is remembered under the file's path, size, inode, modification and status-change times;
the last cannot be set by programs, so an edit in place that restores the time stamp is noticed.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from captioner.files import hash_file

_SCHEMA = "CREATE TABLE IF NOT EXISTS digest (path BLOB PRIMARY KEY, stamp TEXT, sha256 TEXT)"
_FRESH_NS = 2_000_000_000  # a file this young may change again within one clock tick


class DigestCache:
    """SHA-256 of files, remembered in one SQLite file.

    A cache that cannot be opened or is damaged costs time, never correctness: it is begun anew,
    or done without where the folder is read-only.

    Args:
        path: the SQLite file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._root = os.getcwd()
        self._fresh: dict[bytes, str] = {}  # a file -> "<stamp> <sha256>", not yet saved
        self._at_hand: dict[bytes, str] | None = None  # the same of all that is saved

    def digest(self, file: str | Path) -> str:
        """Returns the SHA-256 of a file's content.

        Raises:
            OSError: the file cannot be read.
        """
        key = os.fsencode(file if os.path.isabs(file) else os.path.join(self._root, file))
        status = os.stat(file)
        stamp = _stamp(status)
        known_stamp, _, sha256 = self._recall(key).partition(" ")
        if stamp == known_stamp:
            return sha256
        sha256 = hash_file(file)
        if _is_settled(status):
            self._fresh[key] = f"{stamp} {sha256}"
        return sha256

    @contextlib.contextmanager
    def at_hand(self) -> Iterator[None]:
        """Keeps all that is remembered in memory while many files are asked for."""
        self._at_hand = self._select("")
        try:
            yield
        finally:
            self._at_hand = None

    def save(self) -> None:
        """Writes what was learnt; a folder that is missing or read-only is no reason to stop."""
        if not self._fresh or not self._path.parent.is_dir():
            return
        with contextlib.suppress(sqlite3.Error, OSError):
            self._write()
            self._fresh.clear()

    def _recall(self, key: bytes) -> str:
        """Returns "<stamp> <sha256>" of a file, or nothing."""
        if key in self._fresh:
            return self._fresh[key]
        if self._at_hand is not None:
            return self._at_hand.get(key, "")
        return self._select("WHERE path = ?", key).get(key, "")

    def _select(self, condition: str, *values: bytes) -> dict[bytes, str]:
        query = f"SELECT path, stamp || ' ' || sha256 FROM digest {condition}"
        with contextlib.suppress(sqlite3.Error, OSError):
            if self._path.exists():
                with contextlib.closing(sqlite3.connect(self._path)) as connection:
                    return dict(connection.execute(query, values))
        return {}

    def _write(self) -> None:
        try:
            self._upsert()
        except sqlite3.OperationalError:  # locked or read-only, but not damaged
            raise
        except sqlite3.DatabaseError:
            self._path.unlink(missing_ok=True)
            self._upsert()

    def _upsert(self) -> None:
        rows = ((file, *known.split()) for file, known in self._fresh.items())
        with contextlib.closing(sqlite3.connect(self._path, timeout=10)) as connection, connection:
            connection.execute(_SCHEMA)
            connection.executemany("INSERT OR REPLACE INTO digest VALUES (?, ?, ?)", rows)


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_size}:{status.st_ino}:{status.st_mtime_ns}:{status.st_ctime_ns}"


def _is_settled(status: os.stat_result) -> bool:
    """False while a write could still fall into the same tick of the file system's clock."""
    return time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _FRESH_NS
