"""The pickled part of a PyTorch checkpoint, read without PyTorch and without running any of it.

Admitted are the few names with which PyTorch describes a tensor. The numbers of the tensors lie
outside the pickle: each tensor names a storage, which is filled afterwards.
"""

import math
import pickle
import sys
from collections.abc import Callable, Iterable
from typing import IO, Any, ClassVar, Literal

import numpy as np

from captioner.guarded_pickle import GuardedUnpickler, StandIn, refuse

ByteOrder = Literal["<", ">"]

_LONGEST_KEY = 120  # of a hostile file, in the error
_MOST_DIMENSIONS = 32
_ADMITTED_OPCODES = b"".join(
    (
        *(pickle.PROTO, pickle.FRAME, pickle.MARK, pickle.POP, pickle.POP_MARK, pickle.STOP),
        *(pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE, pickle.BINFLOAT),
        *(pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG1, pickle.LONG4),
        *(pickle.BINSTRING, pickle.SHORT_BINSTRING, pickle.BINBYTES, pickle.SHORT_BINBYTES),
        *(pickle.BINUNICODE, pickle.SHORT_BINUNICODE, pickle.BINUNICODE8),
        *(pickle.EMPTY_LIST, pickle.APPEND, pickle.APPENDS, pickle.SETITEM, pickle.SETITEMS),
        *(pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3),
        *(pickle.GLOBAL, pickle.STACK_GLOBAL, pickle.REDUCE, pickle.BUILD),
        *(pickle.BINPUT, pickle.LONG_BINPUT, pickle.MEMOIZE, pickle.BINGET, pickle.LONG_BINGET),
        pickle.BINPERSID,
    )
)


class Storage:
    """A run of numbers of one type, of which tensors are views.

    Args:
        key: its name in the file.
        type_name: of PyTorch, such as "FloatStorage".
        num_values: its length.
    """

    def __init__(self, key: str, type_name: str, num_values: int) -> None:
        self.key = key
        self.type_name = type_name
        self.num_values = num_values
        self._values: np.ndarray | None = None

    @property
    def num_bytes(self) -> int:
        """Its size in the file."""
        return self.num_values * _DTYPES[self.type_name].itemsize

    @property
    def values(self) -> np.ndarray:
        """The numbers, (num_values,); bfloat16, which NumPy lacks, as float32."""
        if self._values is None:
            raise ValueError(f"storage {self.key[:_LONGEST_KEY]!r} has no content")
        return self._values

    def fill(self, content: bytes, byte_order: ByteOrder) -> None:
        """Takes its numbers as they lie in the file."""
        if len(content) != self.num_bytes:
            raise ValueError(
                f"storage {self.key[:_LONGEST_KEY]!r} has {len(content)} bytes, not the "
                f"{self.num_bytes} that its tensors expect"
            )
        dtype = _DTYPES[self.type_name]
        values = np.frombuffer(content, dtype.newbyteorder(byte_order)).astype(dtype, copy=False)
        if self.type_name == "BFloat16Storage":  # the upper half of a float32
            values = (values.astype("u4") << 16).view("f4")
        self._values = values != 0 if self.type_name == "BoolStorage" else values


class Tensor:
    """A view of a storage, offset, shape and strides counted in values, not in bytes."""

    __slots__ = ("_offset", "_shape", "_storage", "_strides")

    def __init__(self, storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> None:
        if not isinstance(storage, Storage):
            raise TypeError("a tensor has no storage")
        if len(shape) != len(strides) or len(shape) > _MOST_DIMENSIONS:
            raise ValueError("a tensor's shape and strides differ in length, or are too long")
        if not all(_is_natural(number) for number in (offset, *shape, *strides)):
            raise ValueError("a tensor's offset, shape and strides are no natural numbers")
        last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
        if 0 not in shape and last >= storage.num_values:
            raise ValueError("a tensor reaches beyond its storage")
        if math.prod(shape) > storage.num_values:  # a few bytes could stand for gigabytes
            raise ValueError("a tensor repeats the values of its storage")
        self._storage, self._offset = storage, offset
        self._shape, self._strides = tuple(shape), tuple(strides)

    def __setstate__(self, state: Any) -> None:
        refuse("a change of a tensor")

    def to_array(self) -> np.ndarray:
        """Returns the values, once the storage is filled; a read-only view of them."""
        if 0 in self._shape:
            return np.zeros(self._shape, self._storage.values.dtype)
        values = self._storage.values[self._offset :]
        strides = [stride * values.itemsize for stride in self._strides]
        return np.lib.stride_tricks.as_strided(values, self._shape, strides, writeable=False)


def load_pickle(file: IO[bytes], storages: dict[str, Storage]) -> Any:
    """Reads one pickle, from where `file` stands to the pickle's end.

    Args:
        file: has `read` and `readline`.
        storages: those met are added, by key; each is to be filled by the caller.

    Returns:
        What was pickled: dicts with keys that are strings or numbers, lists, tuples, strings,
        numbers, and a `Tensor` for each tensor.

    Raises:
        RefusedError: it asks for more than that.
        Exception: of any kind, where the pickle is damaged.
    """
    return _TensorUnpickler(file, storages).load()


class _TensorUnpickler(GuardedUnpickler):
    """Knows the names and opcodes that describe tensors, and no others."""

    def __init__(self, file: IO[bytes], storages: dict[str, Storage]) -> None:
        super().__init__(file, _STAND_INS)
        self._storages = storages

    def persistent_load(self, pid: Any) -> Storage:
        """Returns the storage that ("storage", type, key, device, length) names."""
        _, storage_type, key, _, num_values, *view = pid
        if not isinstance(storage_type, _StorageType) or type(key) is not str:
            raise TypeError("a storage has no type or no key")
        if not _is_natural(num_values):
            raise ValueError("a storage's length is no natural number")
        if any(part is not None for part in view):
            refuse("a view of a storage, as PyTorch before 0.4 wrote them")
        storage = self._storages.setdefault(key, Storage(key, storage_type.name, num_values))
        if (storage.type_name, storage.num_values) != (storage_type.name, num_values):
            raise ValueError("two storages share a key")
        return storage

    def _load_empty_dict(self) -> None:
        self.stack.append(_Entries())

    dispatch: ClassVar[dict[int, Callable[..., None]]] = {
        **{opcode: pickle._Unpickler.dispatch[opcode] for opcode in _ADMITTED_OPCODES},
        pickle.EMPTY_DICT[0]: _load_empty_dict,
        pickle.NEWOBJ[0]: pickle._Unpickler.dispatch[pickle.REDUCE[0]],  # stand-ins are called
    }


class _Entries(dict[Any, Any]):
    """Stands for dict and OrderedDict. Refuses tuples as keys: nested ones take ages to hash."""

    def __init__(self, pairs: Iterable[Any] = ()) -> None:
        super().__init__()
        for key, value in pairs:
            self[key] = value

    def __setitem__(self, key: Any, value: Any) -> None:
        if not isinstance(key, str | int | float):
            refuse("a dict whose keys are neither strings nor numbers")
        super().__setitem__(key, value)

    def __setstate__(self, state: Any) -> None:
        """Drops `_metadata`, which PyTorch hangs on its state dicts."""


class _Inert:
    """Stands for what may lie beside the tensors, and matters to nobody here."""

    __slots__ = ()

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


class _StorageType:
    """Stands for `torch.FloatStorage` and its kin."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __setstate__(self, state: Any) -> None:
        refuse("a change of PyTorch itself")


def _is_natural(number: Any) -> bool:
    """Whether it is an int, not a bool, that a file's offset could be."""
    return type(number) is int and 0 <= number <= sys.maxsize


def _rebuild_parameter(tensor: Any, *_: Any) -> Any:
    return tensor


_DTYPES: dict[str, np.dtype[Any]] = {
    "DoubleStorage": np.dtype("f8"),
    "FloatStorage": np.dtype("f4"),
    "HalfStorage": np.dtype("f2"),
    "BFloat16Storage": np.dtype("u2"),
    "LongStorage": np.dtype("i8"),
    "IntStorage": np.dtype("i4"),
    "ShortStorage": np.dtype("i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("u1"),
}
_STAND_INS = {
    **{f"torch.{name}": _StorageType(name) for name in _DTYPES},
    "collections.OrderedDict": StandIn(_Entries, "Python"),
    "torch._utils._rebuild_tensor": StandIn(Tensor, "PyTorch"),
    "torch._utils._rebuild_tensor_v2": StandIn(Tensor, "PyTorch"),
    "torch._utils._rebuild_parameter": StandIn(_rebuild_parameter, "PyTorch"),
    "torch._utils._rebuild_parameter_with_state": StandIn(_rebuild_parameter, "PyTorch"),
    "torch.Size": StandIn(_Inert, "PyTorch"),
    "torch.device": StandIn(_Inert, "PyTorch"),
    "argparse.Namespace": StandIn(_Inert, "Python"),  # the training options, in many checkpoints
}
