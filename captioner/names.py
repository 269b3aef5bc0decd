"""The known name that a mistyped one was probably meant to be."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns " Did you mean '...'?", or nothing where no known name is near."""
    matches = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)
    return f" Did you mean '{matches[0]}'?" if matches else ""


def list_known(name: str, known: Iterable[str]) -> str:
    """Returns "Known: a, b, c." and the name among them that was probably meant."""
    names = sorted(known)
    return f"Known: {', '.join(names)}.{nearest(name, names)}"
