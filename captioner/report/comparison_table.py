"""Several systems side by side on the terminal: settings, scores, differences, examples."""

import json
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table

from captioner.report.score_table import COLUMNS

_DIGEST_DIGITS = 8


def print_comparison(comparison: Mapping[str, Any], *, width: int | None = None) -> None:
    """Prints what `captioner compare --json` holds.

    Args:
        comparison: the content of that JSON object.
        width: columns of the terminal; None asks it.
    """
    console = Console(width=width, highlight=False, soft_wrap=True)
    systems = comparison["systems"]
    for letter, system in zip(letters(len(systems)), systems, strict=True):
        console.print(f"{letter}  {system['name']}", markup=False)
    console.print()
    console.print(_make_settings(comparison["differing_settings"], len(systems)))
    console.print()
    console.print(_make_scores(systems))
    console.print()
    if comparison["examples"]:
        _print_examples(console, comparison)
        console.print()
    for line in _remarks(systems):
        console.print(line, markup=False)
    for warning in comparison["warnings"]:
        console.print(f"Warning: {warning}", markup=False, style="yellow")


def letters(count: int) -> list[str]:
    """Returns short names for systems: A, B, ..., Z, A2, B2, ..."""
    size = len(ascii_uppercase)
    return [
        f"{ascii_uppercase[place % size]}{place // size + 1 if place >= size else ''}"
        for place in range(count)
    ]


def describe_value(value: Any) -> str:
    """Returns a setting in a few letters: long digests are cut."""
    if value is None:
        return "-"
    if isinstance(value, dict) and {"noun", "count", "sha256"} <= set(value):
        return f"{value['count']:,} {value['noun']}s, {value['sha256'][:_DIGEST_DIGITS]}"
    if isinstance(value, str):
        kind, colon, digest = value.partition(":")
        return f"{kind}:{digest[:_DIGEST_DIGITS]}" if colon and len(digest) > 30 else value
    return json.dumps(value)


def _make_settings(settings: Mapping[str, Sequence[Any]], count: int) -> RenderableType:
    if not settings:
        return "No setting is known to differ."
    table = Table(box=None, pad_edge=False)
    table.add_column("what differs", no_wrap=True)
    for letter in letters(count):
        table.add_column(letter, overflow="fold")
    for name, values in settings.items():
        table.add_row(name, *map(describe_value, values))
    return table


def _make_scores(systems: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("scores x 100", no_wrap=True)
    for name in COLUMNS.values():
        table.add_column(name, justify="right", no_wrap=True)
    names = letters(len(systems))
    for letter, system in zip(names, systems, strict=True):
        cells = [_score_cell(system["scores"], metric) for metric in COLUMNS]
        table.add_row(f"{letter}\n  95 % from\n  to", *cells)
    for letter, system in zip(names, systems, strict=True):
        if system["lead"] is not None:
            cells = [_difference_cell(system["lead"]["differences"][metric]) for metric in COLUMNS]
            table.add_row(f"{letter} - A\n  95 % from\n  to", *cells)
    return table


def _score_cell(scores: Mapping[str, Any], metric: str) -> str:
    low, high = scores["intervals"][metric]
    return f"{100 * scores[metric]:.1f} \n{100 * low:.1f} \n{100 * high:.1f} "


def _difference_cell(difference: Mapping[str, Any]) -> str:
    low, high = difference["interval"]
    mark = "*" if difference["significant"] else " "
    return f"{100 * difference['difference']:+.1f}{mark}\n{100 * low:+.1f} \n{100 * high:+.1f} "


def _print_examples(console: Console, comparison: Mapping[str, Any]) -> None:
    names = letters(len(comparison["systems"]))
    paired = [names[place] for place in comparison["paired"]]
    console.print("CIDEr differs most on:")
    for example in comparison["examples"]:
        console.print(example["image_id"], style="bold", markup=False)
        for letter, cider, caption in zip(
            paired, example["cider"], example["captions"], strict=True
        ):
            said = caption if caption else "(nothing)"
            console.print(f"  {letter:<3}{100 * cider:>6.1f}  {said}", markup=False)
        for reference in example["references"]:
            console.print(f"{'':13}{reference}", style="dim", markup=False)


def _remarks(systems: Sequence[Mapping[str, Any]]) -> list[str]:
    remarks = []
    for letter, system in zip(letters(len(systems)), systems, strict=True):
        lead = system["lead"]
        if lead is not None:
            remarks.append(
                f"{letter} against A, image by image: CIDEr higher on {lead['num_better']:,}, "
                f"lower on {lead['num_worse']:,}; the same words for {lead['num_alike']:,}"
            )
    if remarks:
        remarks.append("* the interval of the difference, images drawn in pairs, leaves out 0")
    signatures = {
        letter: s["scores"]["signature"]["text"]
        for letter, s in zip(letters(len(systems)), systems, strict=True)
    }
    return [*remarks, *(f"{letter} [{text}]" for letter, text in signatures.items())]
