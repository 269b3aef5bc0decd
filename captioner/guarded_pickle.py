"""Pickles read without running anything that they ask for.

A pickle is a program. Read here it may build dicts, lists, tuples, strings and numbers, and of the
names that it asks for it gets the few that its reader admits: not the things themselves, but inert
stand-ins.
"""

import pickle
from collections.abc import Callable, Mapping
from typing import IO, Any, NoReturn

_LONGEST_REQUEST = 200  # of a hostile file, in the error


class RefusedError(Exception):
    """The pickle asked for what it may not have; the text says for what."""


class StandIn:
    """Something that a pickle may name, and call where it is a function, but never alter.

    Args:
        function: what is called in its place.
        owner: what it belongs to, such as "NumPy", in the error.
    """

    __slots__ = ("_function", "_owner")

    def __init__(self, function: Callable[..., Any], owner: str) -> None:
        self._function = function
        self._owner = owner

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        refuse(f"a change of {self._owner} itself")


class GuardedUnpickler(pickle._Unpickler):
    """Knows some names and no others.

    Based on the unpickler written in Python: the one in C keeps its memo in a table, and a file
    of a few bytes that stores under number 2**32 - 1 makes it claim 64 GiB.

    Args:
        file: has `read` and `readline`.
        stand_ins: what stands for each admitted name, "module.name".
    """

    stack: list[Any]  # of the base class: what lies above the last mark

    def __init__(self, file: IO[bytes], stand_ins: Mapping[str, Any]) -> None:
        super().__init__(file, encoding="latin1")  # for bytes that Python 2 wrote
        self._stand_ins = stand_ins

    def find_class(self, module: str, name: str) -> Any:
        """Returns the stand-in for an admitted name.

        Raises:
            RefusedError: the name is not admitted.
        """
        asked_for = f"{module}.{name}"
        if asked_for not in self._stand_ins:
            refuse(asked_for)
        return self._stand_ins[asked_for]

    def persistent_load(self, pid: Any) -> Any:
        """Refuses objects that lie outside the file.

        Raises:
            RefusedError: always.
        """
        refuse(f"an object outside the file, {describe(pid)}")


def refuse(asked_for: str) -> NoReturn:
    """Ends the reading of a pickle.

    Raises:
        RefusedError: always.
    """
    raise RefusedError(asked_for[:_LONGEST_REQUEST])


def describe(value: Any) -> str:
    """Returns a string in quotes, and only the type of all else: nested lists can be endless."""
    return repr(value) if isinstance(value, str) else type(value).__name__
