"""JSON written by others, read with every surprise named: which file, which record, which field."""

from pathlib import Path
from typing import Any

from captioner.errors import DatasetError


def list_of(value: Any, key: str, path: Path) -> list[Any]:
    """Returns the list under `key` of a JSON object.

    Raises:
        DatasetError: `value` is no object or has no such list.
    """
    found = value.get(key) if isinstance(value, dict) else None
    if isinstance(found, list):
        return found
    keys = ", ".join(sorted(value)[:10]) if isinstance(value, dict) else type(value).__name__
    raise DatasetError(f"{path} has no list {key!r} at its top. Received: {keys or 'nothing'}.")


def text_of(record: Any, key: str) -> str | None:
    """Returns the text under `key` of a JSON object, or None where there is none."""
    found = record.get(key) if isinstance(record, dict) else None
    return found if isinstance(found, str) else None
