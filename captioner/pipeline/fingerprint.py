"""What decides a stage's output, as one SHA-256 and, when it changed, as words.

A stage declares its inputs as a flat mapping from dotted names to JSON values or `Collection`s.
Whatever cannot change the output (batch size, verbosity, paths, time stamps) stays out of it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from json.encoder import encode_basestring_ascii
from typing import Any, Protocol

Scalar = str | int | float | bool | None
Value = Scalar | Sequence[Any] | Mapping[str, Any]


class Digests(Protocol):
    """Names and digests: a dict, or what puts them together as often as it is asked."""

    def items(self) -> Iterable[tuple[str, str]]:
        """Returns each name, once, and the digest of its content, in any order."""


@dataclass(frozen=True, eq=False)
class Collection:
    """Many inputs of one kind, each with a digest of its content.

    Args:
        noun: one of them in words, such as "image", so that changes can be told.
        digests: name of each -> digest of its content; always the same.
    """

    noun: str
    digests: Digests

    @property
    def digest(self) -> str:
        """One SHA-256 over the JSON list of all pairs of name and digest, sorted by name."""
        return str(self.summary()["sha256"])

    def summary(self) -> dict[str, Any]:
        """Returns what a manifest shows instead of thousands of lines."""
        return dict(self._summary)

    @cached_property
    def _summary(self) -> Mapping[str, Any]:
        pairs = [encode_pair(*pair) for pair in sorted(self.digests.items())]
        return summarise_pairs(self.noun, pairs)


def encode_pair(name: str, digest: str) -> str:
    """Returns a name and its digest as JSON."""
    return f"[{encode_basestring_ascii(name)},{encode_basestring_ascii(digest)}]"


def summarise_pairs(noun: str, pairs: Sequence[str]) -> dict[str, Any]:
    """Returns the summary of a collection, given the `encode_pair` of each, sorted by name."""
    sha256 = hashlib.sha256(f"[{','.join(pairs)}]".encode()).hexdigest()
    return {"noun": noun, "count": len(pairs), "sha256": sha256}


Inputs = Mapping[str, Value | Collection]


def fingerprint(stage: str, schema: int, inputs: Inputs) -> str:
    """Returns the SHA-256 (64 hexadecimal digits) of everything that decides a stage's output.

    Args:
        stage: the stage's name.
        schema: the version of what the stage writes; raise it when the outputs change.
        inputs: the stage's declared inputs.
    """
    return _sha256({"stage": stage, "schema": schema, "inputs": summarise(inputs)})


def summarise(inputs: Inputs) -> dict[str, Any]:
    """Returns the inputs with each collection replaced by its count and digest."""
    return {
        name: value.summary() if isinstance(value, Collection) else value
        for name, value in inputs.items()
    }


def explain_change(before: Inputs, now: Inputs) -> list[str]:
    """Says in words what differs between two sets of inputs, the collections first."""
    collections: list[str] = []
    values: list[str] = []
    added: list[str] = []
    dropped: list[str] = []
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if isinstance(old, Collection) and isinstance(new, Collection):
            collections += _explain_collection(old, new)
        elif name not in before:
            added.append(name)
        elif name not in now:
            dropped.append(name)
        elif _canonical(_plain(old)) != _canonical(_plain(new)):
            values.append(f"{name} changed{_from_to(old, new)}")
    return [
        *collections,
        *values,
        *_explain_names(added, "added"),
        *_explain_names(dropped, "no longer used"),
    ]


def _explain_names(names: list[str], verb: str) -> list[str]:
    if len(names) > 3:
        return [f"{len(names)} inputs {verb} ({names[0]}, ...)"]
    return [f"{name} {verb}" for name in names]


def _explain_collection(old: Collection, new: Collection) -> list[str]:
    before, now = dict(old.digests.items()), dict(new.digests.items())
    added = len(now.keys() - before.keys())
    removed = len(before.keys() - now.keys())
    changed = sum(digest != now[name] for name, digest in before.items() if name in now)
    counts = {"added": added, "removed": removed, "changed": changed}
    return [f"{_count(number, new.noun)} {verb}" for verb, number in counts.items() if number]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _from_to(old: Value | Collection, new: Value | Collection) -> str:
    old_text, new_text = (json.dumps(_plain(value)) for value in (old, new))
    return f" from {old_text} to {new_text}" if len(old_text) + len(new_text) < 80 else ""


def _plain(value: Value | Collection) -> Any:
    return value.summary() if isinstance(value, Collection) else value


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def _sha256(value: Any) -> str:
    return hashlib.sha256(_canonical(value).encode()).hexdigest()
