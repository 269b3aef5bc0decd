"""Progress on standard error: a tqdm bar on a terminal, a plain line now and then elsewhere."""

import sys
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

LINE_SECONDS = 15.0  # between two lines of a log file


class Progress:
    """Counts work done, with rate and time left. Use as a context manager.

    Args:
        description: what is being done, such as "extract".
        total: number of units, or None when it is not known.
        unit: what is counted, in the singular, such as "image".
        initial: units done by an earlier run.
    """

    def __init__(
        self, description: str, total: int | None, *, unit: str = "image", initial: int = 0
    ) -> None:
        terminal = sys.stderr.isatty()
        self._bar = tqdm(
            desc=description,
            total=total,
            unit=f" {_plural(unit)}",
            initial=initial,
            file=sys.stderr if terminal else _LineWriter(),
            mininterval=0.1 if terminal else LINE_SECONDS,
            maxinterval=10.0 if terminal else LINE_SECONDS,
            dynamic_ncols=terminal,
            ncols=None if terminal else 88,
            ascii=None if terminal else True,
            delay=0.0 if terminal else LINE_SECONDS,  # a short loop is worth no line in a log
        )

    def advance(self, count: int = 1) -> None:
        """Adds `count` finished units."""
        self._bar.update(count)

    def over(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yields `items`, each a unit that is finished when the next one is asked for."""
        self._bar.iterable = items
        return iter(self._bar)

    def note(self, text: str) -> None:
        """Shows `text` behind the figures, such as the current loss."""
        self._bar.set_postfix_str(text, refresh=False)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


def track(
    items: Iterable[Item], description: str, total: int | None = None, *, unit: str = "image"
) -> Iterator[Item]:
    """Yields `items` and shows how far the loop over them has come."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with Progress(description, total, unit=unit) as progress:
        yield from progress.over(items)


def _plural(unit: str) -> str:
    return f"{unit}es" if unit.endswith(("ch", "s", "x")) else f"{unit}s"


class _LineWriter:
    """Turns tqdm's redrawn line into lines of a log: carriage returns become line feeds."""

    def write(self, text: str) -> None:
        text = text.replace("\r", "").strip("\n")
        if text.strip():
            sys.stderr.write(text + "\n")

    def flush(self) -> None:
        sys.stderr.flush()
