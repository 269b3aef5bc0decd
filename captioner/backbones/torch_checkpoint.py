"""Weights from PyTorch's `.pth` files, read without PyTorch and without executing anything.

Two formats: the zip archive that `torch.save` writes since PyTorch 1.6 (2020), and what it wrote
before: pickles one after another, then the numbers.
"""

import io
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from captioner.backbones.torch_pickle import ByteOrder, Storage, Tensor, load_pickle
from captioner.errors import WeightsError
from captioner.guarded_pickle import RefusedError

_ZIP_MAGIC = b"PK\x03\x04"
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_VERSION = 1001
_WRAPPERS = ("state_dict", "model_state_dict", "model")
_PARALLEL_PREFIX = "module."  # of torch.nn.DataParallel
_LONGEST_CAUSE = 200
_LONGEST_NAME = 80


class _ForeignFileError(Exception):
    """The file is whole, but no checkpoint; the text says what it is."""


def read_torch_checkpoint(path: Path) -> dict[str, np.ndarray]:
    """Reads the tensors of a state dict.

    Args:
        path: a file that `torch.save(model.state_dict(), path)` wrote with any PyTorch since 0.4.
            The state dict may lie under "state_dict", "model_state_dict" or "model", and its
            names may all begin with "module.", which is dropped.

    Returns:
        Name -> array, in the file's order, in the file's number types (bfloat16 as float32) and
        in PyTorch's axis order. Read-only; tensors that shared memory still do.

    Raises:
        WeightsError: the file is missing, damaged, or no such checkpoint, or asks for something
            that a state dict does not need. In no case is anything in it run.
    """
    try:
        with open(path, "rb") as file:
            return _list_arrays(_unwrap(_read_value(file)))
    except RefusedError as refused:
        raise WeightsError(
            f"{path} asks for {refused}. It was not loaded, and nothing in it was run: a "
            "checkpoint of weights holds tensors and nothing else. If it is a whole model that "
            "you trust, save its weights: torch.save(model.state_dict(), 'weights.pth')."
        ) from None
    except _ForeignFileError as foreign:
        raise WeightsError(
            f"{path} {foreign}. Expected a state dict, as torch.save(model.state_dict(), path) "
            "writes it."
        ) from None
    except FileNotFoundError:
        raise WeightsError(f"{path} does not exist. Expected a PyTorch checkpoint.") from None
    except Exception as fault:  # a damaged pickle or archive can fail in any way
        cause = f"{type(fault).__name__}: {fault}"[:_LONGEST_CAUSE]
        raise WeightsError(
            f"{path} cannot be read as a PyTorch checkpoint ({cause}). It is damaged or something "
            "else. Download or copy it again."
        ) from fault


def _read_value(file: IO[bytes]) -> Any:
    opening = file.read(32)
    file.seek(0)
    if opening.startswith(_ZIP_MAGIC):
        return _read_zip(file)
    if _LEGACY_MAGIC.to_bytes(10, "little") in opening:
        return _read_legacy(file)
    raise _ForeignFileError("is no PyTorch checkpoint, neither a zip archive nor the older format")


def _read_zip(file: IO[bytes]) -> Any:
    """Reads `<name>/data.pkl`, and each storage from `<name>/data/<key>`."""
    with zipfile.ZipFile(file) as archive:
        _check_size(archive, file)
        names = archive.namelist()
        folder = _find_folder(names)
        storages: dict[str, Storage] = {}
        value = load_pickle(io.BytesIO(archive.read(f"{folder}data.pkl")), storages)
        is_big = f"{folder}byteorder" in names and archive.read(f"{folder}byteorder") == b"big"
        for key, storage in storages.items():
            storage.fill(archive.read(f"{folder}data/{key}"), ">" if is_big else "<")
    return value


def _check_size(archive: zipfile.ZipFile, file: IO[bytes]) -> None:
    """Refuses archives that unpack to more than they are: PyTorch does not compress its own."""
    num_bytes = sum(entry.file_size for entry in archive.infolist())
    if num_bytes > file.seek(0, io.SEEK_END):
        raise _ForeignFileError("is a compressed zip archive, which PyTorch does not write")


def _find_folder(names: list[str]) -> str:
    """Returns the one folder of the archive that holds a data.pkl, with its slash."""
    folders = {name.removesuffix("data.pkl") for name in names if name.endswith("/data.pkl")}
    if len(folders) != 1:
        raise _ForeignFileError("is a zip archive that holds no data.pkl, or several")
    return folders.pop()


def _read_legacy(file: IO[bytes]) -> Any:
    """Reads five pickles (magic number, version, system, value, keys), then each storage."""
    storages: dict[str, Storage] = {}
    magic, version, system, value, keys = (load_pickle(file, storages) for _ in range(5))
    if (magic, version) != (_LEGACY_MAGIC, _LEGACY_VERSION):
        raise ValueError("a format version other than 1001")
    byte_order: ByteOrder = "<" if system["little_endian"] else ">"
    if not all(isinstance(key, str) for key in keys):  # nested tuples take ages to hash
        raise ValueError("a storage's key is no string")
    for storage in [storages[key] for key in keys]:
        num_values = np.frombuffer(file.read(8), f"{byte_order}i8").item()
        if num_values != storage.num_values:
            raise ValueError("a storage has another length than its tensors expect")
        storage.fill(file.read(storage.num_bytes), byte_order)
    return value


def _unwrap(value: Any) -> dict[str, Tensor]:
    """Returns the state dict in a checkpoint, its names free of "module."."""
    for wrapper in _WRAPPERS:
        if isinstance(value, dict) and isinstance(value.get(wrapper), dict):
            value = value[wrapper]
    if not isinstance(value, dict) or not value:
        raise _ForeignFileError(f"holds {_describe(value)}, not a dict of tensors")
    for name, tensor in value.items():
        if not (isinstance(name, str) and isinstance(tensor, Tensor)):
            shown = repr(name[:_LONGEST_NAME]) if isinstance(name, str) else _describe(name)
            raise _ForeignFileError(f"holds {_describe(tensor)} under {shown}, not a tensor")
    if all(name.startswith(_PARALLEL_PREFIX) for name in value):
        return {name.removeprefix(_PARALLEL_PREFIX): tensor for name, tensor in value.items()}
    return value


def _describe(value: Any) -> str:
    if isinstance(value, dict):
        return "a dict" if value else "an empty dict"
    return f"a {type(value).__name__.lower()}"


def _list_arrays(tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.to_array() for name, tensor in tensors.items()}
