"""What encoders' features know of caption words, on the terminal."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

NUM_SHOWN = 10  # words named as known best and worst
READABLE = 0.7  # area from which on a word counts as read off the features


def print_probe(probe: Mapping[str, Any], *, width: int | None = None) -> None:
    """Prints what `captioner probe --json` holds.

    Args:
        probe: the content of that JSON object.
        width: columns of the terminal; None asks it.
    """
    console = Console(width=width, highlight=False, soft_wrap=True)
    encoders = probe["encoders"]
    console.print(
        f"{len(probe['words'])} words, {probe['num_images']:,} images of train and dev, "
        f"{probe['num_folds']}-fold cross-validation; area under the curve: 0.5 is chance",
        markup=False,
    )
    console.print(_make_table(encoders))
    for encoder in encoders:
        _print_words(console, encoder)
    for better, worse in itertools.pairwise(encoders):
        console.print(compare_encoders(better, worse), markup=False)
    for encoder in encoders:
        for warning in encoder["health"]["warnings"]:
            console.print(f"Warning: {encoder['name']}: {warning}", markup=False, style="yellow")


def compare_encoders(better: Mapping[str, Any], worse: Mapping[str, Any]) -> str:
    """Says in words by how much and on which words one encoder knows more than another."""
    gains = {word: area - worse["words"][word] for word, area in better["words"].items()}
    most = sorted(gains, key=lambda word: -gains[word])[:5]
    return (
        f"{better['name']} above {worse['name']} by {better['area'] - worse['area']:.3f}, on "
        f"{sum(gain > 0 for gain in gains.values())} of {len(gains)} words, most on "
        f"{', '.join(most)}"
    )


def _make_table(encoders: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("features", overflow="fold")
    for name in ("width", "mean area", "+-", f"words above {READABLE}", "cosine", "dimension"):
        table.add_column(name, justify="right", no_wrap=True)
    for encoder in encoders:
        areas, health = encoder["words"].values(), encoder["health"]
        table.add_row(
            encoder["name"],
            f"{health['width']:,}",
            f"{encoder['area']:.3f}",
            f"{encoder['deviation']:.3f}",
            f"{sum(area >= READABLE for area in areas)}",
            f"{health['mean_cosine']:.2f}",
            f"{health['effective_dimension']:.0f}",
        )
    return table


def _print_words(console: Console, encoder: Mapping[str, Any]) -> None:
    if encoder["health"]["num_constant"] == encoder["health"]["width"]:
        return
    words = list(encoder["words"].items())
    worst = words[: -NUM_SHOWN - 1 : -1]
    for label, shown in (("best", words[:NUM_SHOWN]), ("worst", worst)):
        listed = ", ".join(f"{word} {area:.2f}" for word, area in shown)
        console.print(f"{encoder['name']} knows {label}: {listed}", markup=False)
