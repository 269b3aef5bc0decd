"""The table that every training run leaves: a row an epoch."""

import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.files import replace_file

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

HISTORY_FILE = "history.csv"


def write_history(path: Path, rows: "Sequence[DataclassInstance]") -> None:
    """Writes rows as CSV with a header, whole or not at all.

    Args:
        path: an existing file is replaced.
        rows: one or more, all of one class, whose fields are the columns.
    """
    names = [field.name for field in dataclasses.fields(rows[0])]
    with replace_file(path, "w", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(dataclasses.asdict, rows))
