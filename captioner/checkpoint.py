"""Everything that a training run needs to go on, in one file that is whole at any moment."""

import json
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioner.errors import CheckpointError
from captioner.files import parse_json, replace_file
from captioner.processor import ComputePrecision

if TYPE_CHECKING:
    import numpy as np

    Arrays = Mapping[str, np.ndarray]

CHECKPOINT_FILE = "checkpoint.npz"
VERSION = 2
_RECORD = "record.json"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A training run after a whole epoch.

    What the runs here do at random is a function of the seed and the number of epochs done, so no
    random state has to be kept.

    Args:
        identity: what the run was asked to do, as JSON; another run must not continue this one.
        history: the epochs done, as JSON objects.
        arrays: weights, the optimiser's variables and the like: group -> name -> array. A name
            may hold slashes, a group none.
        precision: the number format it computes in. What "auto" means is measured, and may come
            out otherwise the next time where a machine is about as fast in both. None in files
            that do not say.
    """

    identity: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]
    arrays: "Mapping[str, Arrays]"
    precision: ComputePrecision | None


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Replaces the checkpoint in `folder`, whole or not at all."""
    import numpy as np

    record = {
        "version": VERSION,
        "identity": checkpoint.identity,
        "history": list(checkpoint.history),
        "groups": list(checkpoint.arrays),
        "precision": checkpoint.precision,
    }
    arrays = {
        f"{group}/{name}": array
        for group, own in checkpoint.arrays.items()
        for name, array in own.items()
    }
    arrays[_RECORD] = np.array(json.dumps(record))
    with replace_file(folder / CHECKPOINT_FILE) as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_checkpoint(folder: Path, identity: Mapping[str, Any]) -> Checkpoint | None:
    """Reads the checkpoint in `folder`; None when there is none of use.

    One that is damaged is said aloud, on standard error, as is one of another version: nothing
    can be made of either, and the next epoch replaces it.

    Raises:
        CheckpointError: it may not be read, or belongs to a run with other settings or data.
    """
    path = folder / CHECKPOINT_FILE
    if not path.exists():
        return None
    try:
        checkpoint = _read(path)
    except OSError as error:
        raise CheckpointError(f"{path}: the checkpoint cannot be read: {error}.") from error
    except (EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        text = f"{path}: nothing can be made of the checkpoint ({error}), so training starts anew."
        print(text, file=sys.stderr, flush=True)
        return None
    _check_identity(path, checkpoint.identity, identity)
    return checkpoint


def remove_checkpoint(folder: Path) -> None:
    """Removes the checkpoint of a run that is complete."""
    (folder / CHECKPOINT_FILE).unlink(missing_ok=True)


def _read(path: Path) -> Checkpoint:
    import numpy as np

    with open(path, "rb") as content:  # NumPy would take what is no archive for a pickle
        if not zipfile.is_zipfile(content):
            raise zipfile.BadZipFile("it is damaged")
    with np.load(path, allow_pickle=False) as file:
        record = parse_json(str(file[_RECORD]))
        if record["version"] != VERSION:
            raise ValueError(f"version {record['version']!r}, expected {VERSION}")
        arrays: dict[str, dict[str, np.ndarray]] = {group: {} for group in record["groups"]}
        for key in file.files:
            if key != _RECORD:
                group, _, name = key.partition("/")
                arrays[group][name] = file[key]
    return Checkpoint(record["identity"], record["history"], arrays, record.get("precision"))


def _check_identity(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    wanted = json.loads(json.dumps(wanted))  # tuples become lists, as in the file
    names = sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key))
    if names:
        listed = "; ".join(f"{name} was {found.get(name)}, is {wanted.get(name)}" for name in names)
        raise CheckpointError(
            f"{path} is the checkpoint of another training run: {listed}. "
            "Train in another folder, or delete the checkpoint to start anew."
        )
