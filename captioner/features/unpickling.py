"""Reads a pickled dict of arrays without running anything that the file asks for.

Admitted are the few names with which NumPy rebuilds an array (NumPy 1 and 2, pickle protocols 0 to
5): stand-ins take shape, dtype and bytes, check them, and make the array.
"""

import pickle
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import numpy as np

from captioner.errors import FeatureError, UnsafePickleError
from captioner.guarded_pickle import GuardedUnpickler, RefusedError, StandIn, describe, refuse

_NUMBERS = re.compile(r"f[248]|[iu][1248]")
_UNNEEDED_OPCODES = (
    *("EMPTY_SET", "ADDITEMS", "FROZENSET"),
    *("EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER"),
)
_LONGEST_CAUSE = 200


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
            value = _DictUnpickler(file, _STAND_INS).load()
    except RefusedError as refused:
        raise UnsafePickleError(
            f"{path} asks for {refused}. It was not loaded, and nothing in it was run: a "
            "features.pkl holds a dict of arrays and nothing else. Do not trust this file."
        ) from None
    except OSError as fault:
        raise FeatureError(f"{path} cannot be read: {fault.strerror}") from fault
    except Exception as fault:  # a damaged pickle can fail in any way
        cause = f"{type(fault).__name__}: {fault}"[:_LONGEST_CAUSE]
        raise FeatureError(
            f"{path} is damaged or no features.pkl ({cause}). Expected a whole pickled dict, "
            "image id -> array. Make it again, or copy it again."
        ) from fault
    if not isinstance(value, dict):
        raise FeatureError(
            f"{path} holds a {type(value).__name__}. Expected a dict, image id -> array."
        )
    return value


def _refuse_opcode(name: str, _: pickle._Unpickler) -> NoReturn:
    refuse(f"something that no dict of arrays needs, the opcode {name}")


def _check_keys_and_load(opcode: bytes, places: slice) -> Callable[[GuardedUnpickler], None]:
    """Returns a handler that refuses tuples as keys: nested ones take for ever to hash."""
    load: Callable[..., None] = pickle._Unpickler.dispatch[opcode[0]]

    def check_and_load(unpickler: GuardedUnpickler) -> None:
        if any(isinstance(key, tuple) for key in unpickler.stack[places]):
            refuse("a dict whose keys are tuples")
        load(unpickler)

    return check_and_load


class _DictUnpickler(GuardedUnpickler):
    """Knows the names that pickled arrays use."""

    dispatch: ClassVar[dict[int, Callable[..., None]]] = {
        **pickle._Unpickler.dispatch,
        pickle.DICT[0]: _check_keys_and_load(pickle.DICT, slice(None, None, 2)),
        pickle.SETITEM[0]: _check_keys_and_load(pickle.SETITEM, slice(-2, -1)),
        pickle.SETITEMS[0]: _check_keys_and_load(pickle.SETITEMS, slice(None, None, 2)),
        **{getattr(pickle, name)[0]: partial(_refuse_opcode, name) for name in _UNNEEDED_OPCODES},
    }


class _PendingDtype:
    """Stands for numpy.dtype: a number type whose byte order comes later."""

    __slots__ = ("dtype",)

    def __init__(self, code: Any, *_: Any) -> None:
        if not (isinstance(code, str) and _NUMBERS.fullmatch(code)):
            refuse(f"an array of dtype {describe(code)}, not of numbers")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


def _encode_latin1(text: str, encoding: str) -> bytes:
    """Stands for _codecs.encode, with which Python 3 writes bytes in protocols 0 to 2."""
    if encoding != "latin1":
        refuse(f"the encoding {describe(encoding)}")
    return text.encode("latin1")


def _refuse_call(*_: Any) -> NoReturn:
    refuse("a call of numpy.ndarray")


_STAND_INS = {
    "numpy.ndarray": StandIn(_refuse_call, "NumPy"),
    "numpy.dtype": StandIn(_PendingDtype, "NumPy"),
    "numpy.core.multiarray._reconstruct": StandIn(PickledArray, "NumPy"),
    "numpy._core.multiarray._reconstruct": StandIn(PickledArray, "NumPy"),  # NumPy 2
    "numpy.core.numeric._frombuffer": StandIn(PickledArray.from_buffer, "NumPy"),
    "numpy._core.numeric._frombuffer": StandIn(PickledArray.from_buffer, "NumPy"),
    "_codecs.encode": StandIn(_encode_latin1, "Python"),
}
