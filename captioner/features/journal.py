"""The journal of an unfinished feature store: one synced line for each batch.

A line is written after the rows that it vouches for have reached the disk. A kill at any moment
therefore leaves whole lines, and perhaps one torn line at the end, which is ignored.
"""

import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from captioner.files import parse_json, sync_folder


@dataclass(frozen=True, slots=True)
class Failure:
    """An image without features.

    Args:
        image_id: the image.
        path: its file.
        cause: why it could not be used, without the path; the same on every run.
        digest: SHA-256 of the file when it was listed.
    """

    image_id: str
    path: str
    cause: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive images of which the store knows all there is to know.

    Args:
        image_ids: images with features, in order.
        digests: SHA-256 of each of their files, in hexadecimal.
        failures: images without.
    """

    image_ids: tuple[str, ...]
    digests: tuple[str, ...]
    failures: tuple[Failure, ...] = field(default=())

    @property
    def num_images(self) -> int:
        """Counts the images, failures included."""
        return len(self.image_ids) + len(self.failures)

    def to_json(self) -> dict[str, Any]:
        """Returns the batch as JSON values."""
        failures = [[f.image_id, f.path, f.cause, f.digest] for f in self.failures]
        return {"image_ids": self.image_ids, "digests": self.digests, "failures": failures}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Batch":
        """Reads what `to_json` gave."""
        failures = tuple(Failure(*fields) for fields in value["failures"])
        return cls(tuple(value["image_ids"]), tuple(value["digests"]), failures)


class Journal:
    """An append-only file: a header, then batches, which stay on disk.

    Args:
        path: the file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ends: list[int] = []  # offset behind each whole line
        self.header: dict[str, Any] | None = None
        self._row_ends: list[int] = []  # rows up to and with each batch
        if path.exists():
            self._read()

    @property
    def num_batches(self) -> int:
        """Counts the batches."""
        return len(self._row_ends)

    @property
    def num_rows(self) -> int:
        """Counts the images with features."""
        return self._row_ends[-1] if self._row_ends else 0

    def batches(self) -> Iterator[Batch]:
        """Reads the batches, in order."""
        with open(self._path, "rb") as file:
            for line in itertools.islice(file, 1, 1 + self.num_batches):
                yield Batch.from_json(parse_json(line))

    def start(self, header: dict[str, Any]) -> None:
        """Begins an empty journal."""
        self.header = header
        self._write(header)
        sync_folder(self._path.parent)

    def append(self, batch: Batch) -> None:
        """Adds a batch; it is on disk when this returns."""
        self._write(batch.to_json())
        self._add(batch)

    def rewind(self, num_batches: int) -> None:
        """Forgets all batches but the first `num_batches`."""
        del self._row_ends[num_batches:]
        del self._ends[num_batches + 1 :]
        with open(self._path, "r+b") as file:
            file.truncate(self._ends[-1])
            os.fsync(file.fileno())

    def remove(self) -> None:
        """Deletes the file, if it is there."""
        self._path.unlink(missing_ok=True)
        sync_folder(self._path.parent)

    def _write(self, value: dict[str, Any]) -> None:
        line = json.dumps(value, separators=(",", ":")).encode() + b"\n"
        self._path.touch()
        with open(self._path, "r+b") as file:
            file.truncate(self._ends[-1] if self._ends else 0)  # drops a torn line
            file.seek(0, os.SEEK_END)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
            self._ends.append(file.tell())

    def _read(self) -> None:
        with open(self._path, "rb") as file:
            for line in file:
                try:
                    self._take(line)
                except (ValueError, KeyError, TypeError):
                    return  # torn here; all before it is good
                self._ends.append(file.tell())

    def _take(self, line: bytes) -> None:
        if not line.endswith(b"\n"):
            raise ValueError("the line has no end")
        value = parse_json(line)
        if self.header is None:
            self.header = dict(value)
        else:
            self._add(Batch.from_json(value))

    def _add(self, batch: Batch) -> None:
        self._row_ends.append(self.num_rows + len(batch.image_ids))
