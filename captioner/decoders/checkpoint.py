"""Everything that a training run needs to go on, in one file that is whole at any moment."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from captioner.decoders.history import EpochRow
from captioner.errors import DecoderError
from captioner.files import replace_file

CHECKPOINT_FILE = "checkpoint.npz"

VERSION = 1
_RECORD = "record.json"
_VARIABLE = "variable/"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A training run after a whole epoch.

    Steps, schedule, batches and dropout are functions of the seed and the number of epochs done,
    so no random state has to be kept.

    Args:
        identity: what the run was asked to do, as JSON; another run must not continue this one.
        history: the epochs done.
        variables: weights, the optimiser's moments and the weights' mean, by name.
        best: the weights to keep, by name.
    """

    identity: dict[str, Any]
    history: tuple[EpochRow, ...]
    variables: Mapping[str, np.ndarray]
    best: Mapping[str, np.ndarray]


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Replaces the checkpoint in `folder`, whole or not at all."""
    record = {
        "version": VERSION,
        "identity": checkpoint.identity,
        "history": [row.to_json() for row in checkpoint.history],
    }
    arrays = {_RECORD: np.array(json.dumps(record))}
    arrays |= {_VARIABLE + name: array for name, array in checkpoint.variables.items()}
    arrays |= {"best/" + name: array for name, array in checkpoint.best.items()}
    with replace_file(folder / CHECKPOINT_FILE) as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_checkpoint(folder: Path, identity: Mapping[str, Any]) -> Checkpoint | None:
    """Reads the checkpoint in `folder`; None when there is none.

    Raises:
        DecoderError: it is damaged, or belongs to a run with other settings or data.
    """
    path = folder / CHECKPOINT_FILE
    if not path.exists():
        return None
    try:
        checkpoint = _read(path)
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise DecoderError(
            f"{path}: the checkpoint cannot be read: {error}. Delete it to train from the start."
        ) from error
    _check_identity(path, checkpoint.identity, identity)
    return checkpoint


def remove_checkpoint(folder: Path) -> None:
    """Removes the checkpoint of a run that is complete."""
    (folder / CHECKPOINT_FILE).unlink(missing_ok=True)


def _read(path: Path) -> Checkpoint:
    with np.load(path, allow_pickle=False) as file:
        record = json.loads(str(file[_RECORD]))
        if record["version"] != VERSION:
            raise ValueError(f"version {record['version']!r}, expected {VERSION}")
        arrays = {name: file[name] for name in file.files if name != _RECORD}
    return Checkpoint(
        identity=record["identity"],
        history=tuple(EpochRow(**row) for row in record["history"]),
        variables=_group(arrays, _VARIABLE),
        best=_group(arrays, "best/"),
    )


def _group(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def _check_identity(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    wanted = json.loads(json.dumps(wanted))  # tuples become lists, as in the file
    names = sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key))
    if names:
        listed = "; ".join(f"{name} was {found.get(name)}, is {wanted.get(name)}" for name in names)
        raise DecoderError(
            f"{path} is the checkpoint of another training run: {listed}. "
            "Train in another folder, or delete the checkpoint to start anew."
        )
