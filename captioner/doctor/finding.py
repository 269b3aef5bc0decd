"""What a check found: fine, worth knowing, or something that will fail, with its remedy."""

from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Args:
        subject: what it was, such as "disk".
        verdict: "problem" if a run would fail or go wrong; "note" if it would not, but the
            reader should know.
        found: what was found, in words.
        remedy: how to mend it; every problem has one.
    """

    subject: str
    verdict: Verdict
    found: str
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        """Returns all fields, ready for JSON."""
        return dict(vars(self))


def fine(subject: str, found: str) -> Finding:
    """Returns a finding that nothing needs to be done about."""
    return Finding(subject, "ok", found)


def note(subject: str, found: str, remedy: str = "") -> Finding:
    """Returns a finding that a run survives."""
    return Finding(subject, "note", found, remedy)


def problem(subject: str, found: str, remedy: str) -> Finding:
    """Returns a finding that a run would fail of."""
    return Finding(subject, "problem", found, remedy)
