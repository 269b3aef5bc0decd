"""The files that make a store finished: its index, and the list of images without features."""

import json
from collections.abc import Iterable
from json.encoder import encode_basestring_ascii as quote
from pathlib import Path
from typing import Any

from captioner.errors import FeatureError
from captioner.features.journal import Failure
from captioner.features.layout import StoreLayout
from captioner.features.shards import describe_damage
from captioner.files import parse_json, replace_file, separate, sync_folder

STORE_VERSION = 1
INDEX_NAME = "index.json"
JOURNAL_NAME = "journal.jsonl"
FAILURES_NAME = "failures.jsonl"


def is_finished(folder: Path) -> bool:
    """Says whether `folder` holds a store that was written to its end."""
    return (folder / INDEX_NAME).exists()


def write_index(
    folder: Path, layout: StoreLayout, image_ids: Iterable[str], digests: Iterable[str]
) -> None:
    """Writes the index, whole or not at all; from then on the store is finished.

    It is JSON with a line for each value, and written without a list of them all.
    """
    head = json.dumps({"version": STORE_VERSION, **layout.to_json()}, indent=0)
    with replace_file(folder / INDEX_NAME, "w") as file:
        file.write(head.removesuffix("\n}"))
        for name, texts in (("image_ids", image_ids), ("digests", digests)):
            file.write(f',\n"{name}": [')
            file.writelines(separate(map(quote, texts)))
            file.write("\n]")
        file.write("\n}\n")


def read_index(folder: Path) -> tuple[StoreLayout, list[str], list[str]]:
    """Returns the layout, the image ids and the digests of a finished store.

    Raises:
        FeatureError: there is no index, the store is unfinished, or the index is damaged.
    """
    if not is_finished(folder):
        raise FeatureError(_describe_absence(folder))
    try:
        index = parse_json((folder / INDEX_NAME).read_text(encoding="utf-8"))
        if index["version"] != STORE_VERSION:
            raise ValueError(f"version {index['version']!r} instead of {STORE_VERSION}")
        layout = StoreLayout.from_json(index)
        _check_columns(index["image_ids"], index["digests"])
    except (ValueError, KeyError, TypeError, AttributeError, OSError, FeatureError) as fault:
        raise describe_damage(folder / INDEX_NAME, f"{type(fault).__name__}: {fault}") from fault
    return layout, index["image_ids"], index["digests"]


def write_failures(folder: Path, failures: Iterable[Failure]) -> None:
    """Writes failures.jsonl, whole or not at all; an empty file says that there were none."""
    with replace_file(folder / FAILURES_NAME, "w") as file:
        for failure in failures:
            line = {
                "image_id": failure.image_id,
                "path": failure.path,
                "cause": failure.cause,
            }
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def read_failures(folder: Path) -> tuple[Failure, ...]:
    """Returns what `write_failures` wrote.

    Raises:
        FeatureError: the file is missing or damaged.
    """
    path = folder / FAILURES_NAME
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return tuple(Failure(**parse_json(line)) for line in lines)
    except (OSError, ValueError, TypeError) as fault:
        raise describe_damage(path, str(fault)) from fault


def remove_leftovers(folder: Path) -> None:
    """Removes what a writer leaves beside a finished store when it is killed at the very end."""
    for name in (INDEX_NAME, FAILURES_NAME):
        for path in folder.glob(f".{name}.*.tmp"):
            path.unlink(missing_ok=True)
    (folder / JOURNAL_NAME).unlink(missing_ok=True)
    sync_folder(folder)


def _check_columns(image_ids: Any, digests: Any) -> None:
    for column in (image_ids, digests):
        if not isinstance(column, list) or not all(isinstance(text, str) for text in column):
            raise ValueError("image_ids and digests must be lists of strings")
    if not image_ids or len(image_ids) != len(digests) or len(set(image_ids)) != len(image_ids):
        raise ValueError("each row needs an image id of its own and a digest")


def _describe_absence(folder: Path) -> str:
    if (folder / JOURNAL_NAME).exists():
        return f"{folder} holds an unfinished feature store. Run the extraction again to finish it."
    return f"{folder} holds no feature store ({INDEX_NAME} is missing). Extract features first."
