"""Everything that a classifier's training needs to go on, in one file that is always whole."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from captioner.classifiers.history import EpochRow
from captioner.errors import ClassifierError
from captioner.files import replace_file

CHECKPOINT_FILE = "checkpoint.npz"
VERSION = 1
_RECORD = "record.json"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A training run after a whole epoch.

    The schedule, batches, augmentation and dropout are functions of the seed and the number of
    epochs done, so no random state has to be kept.

    Args:
        identity: what the run was asked to do, as JSON; another run must not continue this one.
        history: the epochs done.
        weights: of the network, in its order.
        optimizer: the optimiser's variables, in its order.
        best: the weights to keep, in the network's order.
    """

    identity: Mapping[str, Any]
    history: tuple[EpochRow, ...]
    weights: Sequence[np.ndarray]
    optimizer: Sequence[np.ndarray]
    best: Sequence[np.ndarray]


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Replaces the checkpoint in `folder`, whole or not at all."""
    record = {
        "version": VERSION,
        "identity": checkpoint.identity,
        "history": [row.to_json() for row in checkpoint.history],
    }
    arrays = {_RECORD: np.array(json.dumps(record))}
    for group in ("weights", "optimizer", "best"):
        arrays |= {f"{group}/{i}": array for i, array in enumerate(getattr(checkpoint, group))}
    with replace_file(folder / CHECKPOINT_FILE) as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_checkpoint(folder: Path, identity: Mapping[str, Any]) -> Checkpoint | None:
    """Reads the checkpoint in `folder`; None when there is none.

    Raises:
        ClassifierError: it is damaged, or belongs to a run with other settings or images.
    """
    path = folder / CHECKPOINT_FILE
    if not path.exists():
        return None
    try:
        checkpoint = _read(path)
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ClassifierError(
            f"{path}: the checkpoint cannot be read: {error}. Delete it to train from the start."
        ) from error
    wanted = json.loads(json.dumps(identity))  # tuples become lists, as in the file
    if checkpoint.identity != wanted:
        changed = sorted(k for k in wanted if checkpoint.identity.get(k) != wanted[k])
        raise ClassifierError(
            f"{path} is the checkpoint of another training run ({', '.join(changed)} differ). "
            "Train in another folder, or delete the checkpoint to start anew."
        )
    return checkpoint


def remove_checkpoint(folder: Path) -> None:
    """Removes the checkpoint of a run that is complete."""
    (folder / CHECKPOINT_FILE).unlink(missing_ok=True)


def _read(path: Path) -> Checkpoint:
    with np.load(path, allow_pickle=False) as file:
        record = json.loads(str(file[_RECORD]))
        if record["version"] != VERSION:
            raise ValueError(f"version {record['version']!r}, expected {VERSION}")
        groups = {
            group: [file[f"{group}/{i}"] for i in range(_count(file.files, group))]
            for group in ("weights", "optimizer", "best")
        }
    history = tuple(EpochRow(**row) for row in record["history"])
    return Checkpoint(record["identity"], history, **groups)


def _count(names: Sequence[str], group: str) -> int:
    return sum(name.startswith(f"{group}/") for name in names)
