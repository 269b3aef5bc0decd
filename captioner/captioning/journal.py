"""The journal of a run: what is settled, on disk after every batch, so that nothing is done twice.

A batch is written down before any of its outputs is touched, with the exact text that each
output shall hold, and marked as settled afterwards. A run that starts after a kill writes the
outputs of unsettled batches again: the same text in the same place, so an appended caption is
not appended twice. Tables (JSON Lines, CSV) are made from the journal and replaced whole.

The journal is an SQLite file, so 100,000 entries are looked up without being held in memory; a
run holds it exclusively. It disappears when the run has finished.
"""

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from captioner.captioning.caption import Status
from captioner.captioning.tables import Row
from captioner.errors import CaptionerError, LockedError
from captioner.files import parse_json

_VERSION = 2
_SCHEMA = f"""
PRAGMA user_version = {_VERSION};
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS entries (
    key BLOB PRIMARY KEY, status TEXT, is_settled INTEGER, record TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rows (
    place TEXT, key BLOB, position INTEGER, record TEXT, PRIMARY KEY (place, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS unsettled ON entries (is_settled) WHERE NOT is_settled;
CREATE INDEX IF NOT EXISTS row_order ON rows (place, position);
CREATE TEMP TABLE met (key BLOB PRIMARY KEY) WITHOUT ROWID;
"""

_BEGIN_ANEW = "remove the file to begin anew: captions that were written to their places stay"


class JournalError(CaptionerError):
    """The journal cannot be read or written; the message says why and how to go on."""


@dataclass
class Entry:
    """One image of a batch and what shall be written for it.

    Args:
        key: the image, the same in every run.
        position: its place in the listing.
        status: "done", "review" or "failed".
        image: the file.
        row: what tables say of it.
        sidecar: file and content to write, or None.
        description: text to put into the image itself, or None.
        rows: table -> row to put there; None takes the row away.
    """

    key: bytes
    position: int
    status: Status
    image: str
    row: Row
    sidecar: tuple[str, str] | None = None
    description: str | None = None
    rows: dict[str, Row | None] = field(default_factory=dict)

    def fail(self, error: str) -> None:
        """Records that an output could not be written."""
        self.status = "failed"
        for row in (self.row, *self.rows.values()):
            if row is not None:
                row.update(status="failed", error=error)

    def to_json(self) -> str:
        """Returns everything but the key, in ASCII."""
        return json.dumps({name: value for name, value in vars(self).items() if name != "key"})

    @classmethod
    def from_json(cls, key: bytes, text: str) -> "Entry":
        """Reads what `to_json` gave."""
        return cls(key=key, **parse_json(text))


class Journal:
    """An open journal; several threads may use it.

    Args:
        path: the file, made if it is missing; None keeps the journal in a temporary file, for
            runs that cannot be resumed.

    Raises:
        LockedError: another run holds it.
        JournalError: it cannot be opened.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock = threading.RLock()
        try:
            self._db = sqlite3.connect(
                "" if path is None else path, timeout=0, check_same_thread=False
            )
            self._db.executescript(
                "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            )
            self._check_version()
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise self._explain(error) from error

    def fact(self, name: str) -> Any:
        """Returns something that `set_fact` wrote, or None."""
        found = self._all("SELECT value FROM facts WHERE name = ?", name)
        return parse_json(found[0][0]) if found else None

    def clear(self) -> None:
        """Forgets everything."""
        with self._transaction() as db:
            for table in ("facts", "entries", "rows"):
                db.execute(f"DELETE FROM {table}")

    def set_facts(self, facts: Mapping[str, Any]) -> None:
        """Writes down what the run as a whole is about."""
        with self._transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO facts VALUES (?, ?)",
                [(name, json.dumps(value)) for name, value in facts.items()],
            )

    def meet(self, key: bytes) -> bool:
        """Returns whether an image is met for the first time in this run."""
        with self._guard():
            return self._db.execute("INSERT OR IGNORE INTO met VALUES (?)", (key,)).rowcount > 0

    def knows(self, key: bytes) -> bool:
        """Tells whether an image was settled by this run, or by the one that it continues."""
        return bool(self._all("SELECT 1 FROM entries WHERE key = ?", key))

    def record(self, entries: Iterable[Entry]) -> None:
        """Writes down what shall be written; it is on disk when this returns."""
        with self._transaction() as db:
            db.executemany(
                "INSERT INTO entries VALUES (?, ?, 0, ?)",
                [(entry.key, entry.status, entry.to_json()) for entry in entries],
            )

    def settle(self, entries: Iterable[Entry]) -> None:
        """Writes down that outputs were written, and puts the rows into their tables."""
        with self._transaction() as db:
            for entry in entries:
                # A settled entry keeps no more than the summary at the end asks for.
                record = json.dumps(entry.row) if entry.status == "failed" else None
                db.execute(
                    "UPDATE entries SET status = ?, is_settled = 1, record = ? WHERE key = ?",
                    (entry.status, record, entry.key),
                )
                for place, row in entry.rows.items():
                    if row is None:
                        query = "DELETE FROM rows WHERE place = ? AND key = ?"
                        db.execute(query, (place, entry.key))
                    else:
                        self._put(place, entry.key, entry.position, row)

    def unsettled(self) -> list[Entry]:
        """Returns the entries whose outputs may not have been written: one batch at most."""
        found = self._all("SELECT key, record FROM entries WHERE NOT is_settled")
        return [Entry.from_json(key, record) for key, record in found]

    def import_rows(self, place: str, rows: Iterable[tuple[bytes, Row]]) -> None:
        """Takes in the rows that a table has already, before everything this run will put.

        Args:
            place: the table.
            rows: each with the key of its image.
        """
        with self._transaction() as db:
            count = 0
            for count, (key, row) in enumerate(rows, 1):
                self._put(place, key, count, row)
            db.execute(
                "UPDATE rows SET position = position - ? WHERE place = ?", (count + 1, place)
            )

    def find_row(self, place: str, key: bytes) -> Row | None:
        """Returns the row of an image in a table, or None."""
        found = self._all("SELECT record FROM rows WHERE place = ? AND key = ?", place, key)
        return dict(parse_json(found[0][0])) if found else None

    def move_row(self, place: str, key: bytes, position: int) -> None:
        """Gives an image's row in a table the position that it has in this run's listing."""
        query = "UPDATE rows SET position = ? WHERE place = ? AND key = ?"
        with self._guard():
            self._db.execute(query, (position, place, key))

    def has_rows(self, place: str) -> bool:
        """Tells whether a table has any row."""
        return bool(self._all("SELECT 1 FROM rows WHERE place = ? LIMIT 1", place))

    def rows(self, place: str) -> Iterator[Row]:
        """Yields the rows of a table, in order."""
        with self._guard():
            query = "SELECT record FROM rows WHERE place = ? ORDER BY position"
            for (record,) in self._db.execute(query, (place,)):
                yield parse_json(record)

    def counts(self, *, only_met: bool = False) -> dict[str, int]:
        """Returns how many images have each status.

        Args:
            only_met: whether only images count that this run met: the one it continues may have
                read other names from standard input.
        """
        met = "JOIN met USING (key)" if only_met else ""
        return dict(self._all(f"SELECT status, count(*) FROM entries {met} GROUP BY status"))

    def failures(self, limit: int) -> list[Row]:
        """Returns the rows of the first images that this run met and that failed."""
        query = (
            "SELECT record FROM entries JOIN met USING (key) WHERE status = 'failed' "
            "ORDER BY key LIMIT ?"
        )
        return [parse_json(record) for (record,) in self._all(query, limit)]

    def close(self, *, remove: bool = False) -> None:
        """Lets go of the journal; `remove` when the run has finished."""
        with contextlib.suppress(sqlite3.Error):
            self._db.commit()
        self._db.close()
        if remove and self.path is not None:
            for suffix in ("-wal", "-shm", ""):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def _check_version(self) -> None:
        tables = self._all("SELECT 1 FROM sqlite_master LIMIT 1")
        if tables and self._all("PRAGMA user_version") != [(_VERSION,)]:
            self._db.close()
            raise JournalError(
                f"{self.path} is the journal of a run that another version of captioner began. "
                f"Finish that run with it, or {_BEGIN_ANEW}."
            )

    def _put(self, place: str, key: bytes, position: int, row: Row) -> None:
        values = (place, key, position, json.dumps(row))
        self._db.execute("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?)", values)

    def _all(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._guard():
            return self._db.execute(query, values).fetchall()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._guard():
            try:
                yield self._db
                self._db.commit()
            except BaseException:
                self._db.rollback()
                raise

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                raise self._explain(error) from error

    def _explain(self, error: sqlite3.Error) -> CaptionerError:
        if "locked" in str(error):
            return LockedError(
                f"Another run is captioning the same images or writing the same files (it holds "
                f"{self.path}). Wait until it has finished."
            )
        if type(error) is sqlite3.DatabaseError:  # none of its more special kinds
            return JournalError(
                f"The journal of an unfinished run, {self.path}, is damaged: {error}. To go on, "
                f"{_BEGIN_ANEW}."
            )
        where = "its temporary file" if self.path is None else str(self.path)
        return JournalError(
            f"The journal of this run, {where}, cannot be used: {error}. Make room or mend the "
            "cause, and give the same command again; it continues where it stopped."
        )
