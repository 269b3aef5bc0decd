"""Where a run's journal lies, and how a run takes over what an interrupted one left."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from captioner.captioning.journal import Journal
from captioner.captioning.listing import Listing
from captioner.captioning.outputs import OutputError, Outputs, write_outputs
from captioner.captioning.publisher import Publisher
from captioner.captioning.tables import Table, TableName

_IDENTITY, _TABLES = "identity", "tables"


def choose_journal(listing: Listing, outputs: Outputs) -> Path | None:
    """Returns where a run keeps its journal, or None where it cannot keep any.

    Beside its first table, else in the folder of its sidecars, else (sidecars beside the images,
    or captions inside them) in the user's state folder, since photographs may be read-only and
    nothing hidden should be left among them.

    The folders of the outputs are made, so that no run finds out at its end that it cannot.

    Raises:
        OutputError: a folder cannot be made.
    """
    tables = outputs.tables()
    for table in tables:
        _make_folder(table.path.parent)
    if outputs.output_dir is not None:
        _make_folder(outputs.output_dir)
    if tables:
        path = tables[0].path
        return path.with_name(f".{path.name}.journal")
    if outputs.output_dir is not None:
        return outputs.output_dir / ".captioner.journal"
    return _state_path(listing) if outputs else None


def open_journal(
    path: Path | None, identity: Mapping[str, Any], tables: Sequence[Table]
) -> Journal:
    """Opens a journal, finishes the batch that an interrupted run left, and decides what it means.

    A journal of the same identity is continued. One of another request is closed: its tables are
    published, so that this request finds in them what was done, and its entries forgotten.

    Args:
        path: see `choose_journal`.
        identity: everything that decides the outputs.
        tables: the tables of this run.

    Raises:
        LockedError: another run holds it.
        JournalError: it cannot be read or written.
        TableError: a table that is there holds something else than rows.
    """
    journal = Journal(path)
    try:
        _settle_leftovers(journal)
        if journal.fact(_IDENTITY) != identity:
            _close_old_run(journal)
            _start(journal, identity, tables)
    except BaseException:
        journal.close(remove=not journal.counts())
        raise
    return journal


def identify(listing: Listing, outputs: Outputs, rest: Any) -> dict[str, Any]:
    """Returns what makes two requests the same, as JSON."""
    paths = [os.path.abspath(path) for path in listing.paths]
    tables = {table.name: str(table.path.absolute()) for table in outputs.tables()}
    folder = outputs.output_dir
    return {
        "paths": [os.fsencode(path).hex() for path in paths],
        "recursive": listing.recursive,
        "filelist": listing.filelist,
        "sidecars": [outputs.sidecar_suffix, None if folder is None else str(folder.absolute())],
        "tables": tables,
        "metadata": outputs.metadata,
        "text": asdict(outputs.text),
        "rest": rest,
    }


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The folder {folder} cannot be made: {error.strerror}. Name another place for the "
            "captions."
        ) from error


def _state_path(listing: Listing) -> Path | None:
    home = os.environ.get("XDG_STATE_HOME", "") or os.path.expanduser("~/.local/state")
    named = [os.path.abspath(path) for path in (*listing.paths, listing.filelist or "")]
    digest = hashlib.sha256(b"\0".join(map(os.fsencode, named))).hexdigest()[:16]
    folder = Path(home, "captioner", "journals")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder / f"{digest}.journal" if os.access(folder, os.W_OK) else None


def _settle_leftovers(journal: Journal) -> None:
    leftovers = journal.unsettled()
    for entry in leftovers:
        write_outputs(entry)
    journal.settle(leftovers)


def _close_old_run(journal: Journal) -> None:
    places: dict[TableName, str] = journal.fact(_TABLES) or {}
    publisher = Publisher([Table(name, Path(path)) for name, path in places.items()], journal)
    if journal.counts():
        publisher.note_change()
        publisher.publish()
    journal.clear()


def _start(journal: Journal, identity: Mapping[str, Any], tables: Sequence[Table]) -> None:
    for table in tables:
        journal.import_rows(table.name, ((table.image_key(row), row) for row in table.read()))
    journal.set_facts(
        {_TABLES: {table.name: str(table.path.absolute()) for table in tables}, _IDENTITY: identity}
    )
