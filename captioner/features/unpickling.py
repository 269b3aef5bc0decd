"""Reads a pickled dict of arrays without running anything that the file asks for.

A pickle is a program. Here it may build dicts, lists, tuples, strings and numbers, and may ask for
the few names with which NumPy rebuilds an array (NumPy 1 and 2, pickle protocols 0 to 5). Even
those are not NumPy's own: stand-ins take shape, dtype and bytes, check them, and make the array.
"""

import pickle
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Any, ClassVar, NoReturn

import numpy as np

from captioner.errors import FeatureError, UnsafePickleError

_NUMBERS = re.compile(r"f[248]|[iu][1248]")
_UNNEEDED_OPCODES = (
    *("EMPTY_SET", "ADDITEMS", "FROZENSET"),
    *("EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER"),
)
_LONGEST_NAME = 200  # of what a hostile file asks for, in the error


class PickledArray:
    """An array of a pickle: what `numpy.core.multiarray._reconstruct` stands for.

    `array` is None until the pickle gave its content.
    """

    __slots__ = ("array",)

    def __init__(self, *_: Any) -> None:
        self.array: np.ndarray | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, is_fortran, content = state
        if isinstance(content, str):  # bytes of Python 2
            content = content.encode("latin1")
        self._fill(content, dtype, shape, "F" if is_fortran else "C")

    @classmethod
    def from_buffer(cls, content: Any, dtype: Any, shape: Any, order: Any) -> "PickledArray":
        """Stands for `numpy.core.numeric._frombuffer`, which protocol 5 uses."""
        pending = cls()
        pending._fill(content, dtype, shape, order)
        return pending

    def _fill(self, content: Any, dtype: Any, shape: Any, order: Any) -> None:
        if not isinstance(dtype, _PendingDtype):
            raise TypeError("an array has no dtype")
        self.array = np.frombuffer(content, dtype.dtype).reshape(shape, order=order)


def load_pickled_dict(path: Path) -> dict[Any, Any]:
    """Returns the dict that a pickle holds; its arrays are each a `PickledArray`.

    Raises:
        UnsafePickleError: the file asks for something other than dicts, strings and arrays.
        FeatureError: the file is missing, truncated or no pickle, or holds no dict.
    """
    try:
        with open(path, "rb") as file:
            value = _SafeUnpickler(file).load()
    except _Refused as refused:
        raise UnsafePickleError(
            f"{path} asks for {refused}. It was not loaded, and nothing in it was run: a "
            "features.pkl holds a dict of arrays and nothing else. Do not trust this file."
        ) from None
    except OSError as fault:
        raise FeatureError(f"{path} cannot be read: {fault.strerror}") from fault
    except Exception as fault:  # a damaged pickle can fail in any way
        cause = f"{type(fault).__name__}: {fault}"[:_LONGEST_NAME]
        raise FeatureError(
            f"{path} is damaged or no features.pkl ({cause}). Expected a whole pickled dict, "
            "image id -> array. Make it again, or copy it again."
        ) from fault
    if not isinstance(value, dict):
        raise FeatureError(
            f"{path} holds a {type(value).__name__}. Expected a dict, image id -> array."
        )
    return value


class _Refused(Exception):
    """The pickle asked for what it may not have."""


def _refuse(asked_for: str) -> NoReturn:
    raise _Refused(asked_for[:_LONGEST_NAME])


def _refuse_opcode(name: str, _: pickle._Unpickler) -> NoReturn:
    _refuse(f"something that no dict of arrays needs, the opcode {name}")


def _describe(value: Any) -> str:
    """Returns a string in quotes, and only the type of all else: nested lists can be endless."""
    return repr(value) if isinstance(value, str) else type(value).__name__


def _check_keys_and_load(opcode: bytes, places: slice) -> Callable[["_SafeUnpickler"], None]:
    """Returns a handler that refuses tuples as keys: nested ones take for ever to hash."""
    load: Callable[..., None] = pickle._Unpickler.dispatch[opcode[0]]

    def check_and_load(unpickler: "_SafeUnpickler") -> None:
        if any(isinstance(key, tuple) for key in unpickler.stack[places]):
            _refuse("a dict whose keys are tuples")
        load(unpickler)

    return check_and_load


class _SafeUnpickler(pickle._Unpickler):
    """Knows the names that pickled arrays use, and no others.

    Based on the unpickler written in Python: the one in C keeps its memo in a table, and a file
    of a few bytes that stores under number 2**32 - 1 makes it claim 64 GiB.
    """

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, encoding="latin1")  # what NumPy asks for with files of Python 2

    def find_class(self, module: str, name: str) -> Any:
        """Returns the stand-in for an admitted name."""
        asked_for = f"{module}.{name}"
        if asked_for not in _STAND_INS:
            _refuse(asked_for)
        return _STAND_INS[asked_for]

    def persistent_load(self, pid: Any) -> Any:
        """Refuses objects that lie outside the file."""
        _refuse(f"an object outside the file, {_describe(pid)}")

    stack: list[Any]  # of the base class: what lies above the last mark
    dispatch: ClassVar[dict[int, Callable[..., None]]] = {
        **pickle._Unpickler.dispatch,
        pickle.DICT[0]: _check_keys_and_load(pickle.DICT, slice(None, None, 2)),
        pickle.SETITEM[0]: _check_keys_and_load(pickle.SETITEM, slice(-2, -1)),
        pickle.SETITEMS[0]: _check_keys_and_load(pickle.SETITEMS, slice(None, None, 2)),
        **{getattr(pickle, name)[0]: partial(_refuse_opcode, name) for name in _UNNEEDED_OPCODES},
    }


class _StandIn:
    """Something that a pickle may name, and call where it is a function, but never alter."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        _refuse("a change of NumPy itself")


class _PendingDtype:
    """Stands for numpy.dtype: a number type whose byte order comes later."""

    __slots__ = ("dtype",)

    def __init__(self, code: Any, *_: Any) -> None:
        if not (isinstance(code, str) and _NUMBERS.fullmatch(code)):
            _refuse(f"an array of dtype {_describe(code)}, not of numbers")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


def _encode_latin1(text: str, encoding: str) -> bytes:
    """Stands for _codecs.encode, with which Python 3 writes bytes in protocols 0 to 2."""
    if encoding != "latin1":
        _refuse(f"the encoding {_describe(encoding)}")
    return text.encode("latin1")


def _refuse_call(*_: Any) -> NoReturn:
    _refuse("a call of numpy.ndarray")


_STAND_INS = {
    "numpy.ndarray": _StandIn(_refuse_call),
    "numpy.dtype": _StandIn(_PendingDtype),
    "numpy.core.multiarray._reconstruct": _StandIn(PickledArray),
    "numpy._core.multiarray._reconstruct": _StandIn(PickledArray),  # NumPy 2
    "numpy.core.numeric._frombuffer": _StandIn(PickledArray.from_buffer),
    "numpy._core.numeric._frombuffer": _StandIn(PickledArray.from_buffer),
    "_codecs.encode": _StandIn(_encode_latin1),
}
