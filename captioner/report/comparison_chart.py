"""The charts of comparisons: systems' scores, and what encoders know of words."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from captioner.report.charts import (
    CONSTANT,
    INK,
    MODEL,
    MUTED,
    NEAREST,
    PERSON,
    chart,
    draw_scores,
    put_legend_above,
)
from captioner.report.probe_table import READABLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = (MODEL, PERSON, NEAREST, CONSTANT, INK)
_MARKERS = "osD^vP*X"  # no system is told by its colour alone
_DASHES = ("-", "--", "-.", ":")
_SPREAD = 0.7  # of the space between two metrics that the systems take
_CHANCE = 0.5


@chart("Scores, with 95 % intervals", 3.7)
def chart_systems(axes: "Axes", names: Sequence[str], scores: Sequence[Mapping[str, Any]]) -> str:
    """Draws each metric of each system as a point on its interval."""
    places = range(len(names))
    looks = [(_COLOURS[n % len(_COLOURS)], _MARKERS[n % len(_MARKERS)]) for n in places]
    draw_scores(axes, names, scores, looks, _SPREAD / max(len(names), 2))
    put_legend_above(axes, 6)
    return (
        "Points are scores times 100, lines their 95 % intervals over images drawn anew. Where "
        "lines overlap, the table of differences can still tell systems apart: it draws the "
        "same images for both."
    )


@chart("What the features know of each word", 3.2)
def chart_words(axes: "Axes", encoders: Sequence[Mapping[str, Any]]) -> str:
    """Draws each encoder's areas under the curve, the word that it knows best first."""
    for place, encoder in enumerate(encoders):
        areas = sorted(encoder["words"].values(), reverse=True)
        style = _DASHES[place % len(_DASHES)]
        colour = _COLOURS[place % len(_COLOURS)]
        axes.plot(
            range(1, len(areas) + 1),
            areas,
            style,
            color=colour,
            lw=2,
            label=_shorten(encoder["name"]),
        )
    axes.axhline(_CHANCE, color=MUTED, ls=":", lw=1.2)
    axes.axhline(READABLE, color=MUTED, ls=":", lw=1.2)
    axes.set_xlim(left=1)
    axes.set_xlabel("words, best known first")
    axes.set_ylabel("area under the curve")
    axes.grid(axis="y")
    put_legend_above(axes, 1)
    return (
        f"An area of 1 reads the word off the features without fault, {_CHANCE} (lower dotted "
        f"line) is chance; from {READABLE} (upper dotted line) on a word counts as known."
    )


def _shorten(name: str, length: int = 32) -> str:
    return name if len(name) <= length else f"\N{HORIZONTAL ELLIPSIS}{name[1 - length :]}"
