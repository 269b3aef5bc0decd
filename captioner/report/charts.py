"""Charts as SVG that is written into the page and takes its colours from the page's style.

Matplotlib draws with placeholder colours; they are replaced by custom properties of `style.css`,
so one drawing serves light, dark and print. The same data gives the same text.
"""

import functools
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from markupsafe import Markup, escape

from captioner.report.score_table import COLUMNS, LABELS
from captioner.report.statistics import CaptionStatistics

if TYPE_CHECKING:
    from matplotlib.axes import Axes

P = ParamSpec("P")

INK, LINE, MUTED = "#000001", "#000002", "#000003"
MODEL, PERSON, NEAREST, CONSTANT = "#000011", "#000012", "#000013", "#000014"
_PROPERTIES = {
    INK: "var(--ink)",
    LINE: "var(--line)",
    MUTED: "var(--muted)",
    MODEL: "var(--series-1)",
    PERSON: "var(--series-2)",
    NEAREST: "var(--series-3)",
    CONSTANT: "var(--series-4)",
}
_WIDTH_INCHES = 4.6  # 331 points: on a phone a point is about a pixel
_SYSTEMS = {  # colour and marker: no series is told by colour alone
    "coco": (MODEL, "o"),
    "human": (PERSON, "D"),
    "nearest": (NEAREST, "s"),
    "constant": (CONSTANT, "^"),
}
_SETTINGS = {
    "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and themed
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.axisbelow": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "legend.frameon": False,
    "legend.handletextpad": 0.4,
    "legend.columnspacing": 1.2,
    "legend.borderaxespad": 0.0,
    "legend.borderpad": 0.0,
    "legend.fontsize": 10.5,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
}


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing and its words.

    Args:
        svg: the drawing, named for those who cannot see it.
        title: what it shows.
        text: what to read in it, in a sentence or two.
    """

    svg: Markup
    title: str
    text: str


def chart(
    title: str, height_inches: float
) -> Callable[[Callable[Concatenate["Axes", P], str]], Callable[P, Chart]]:
    """Makes a chart of a function that draws on axes and returns what to read in the drawing."""

    def wrap(draw: Callable[Concatenate["Axes", P], str]) -> Callable[P, Chart]:
        @functools.wraps(draw)
        def make(*args: P.args, **kwargs: P.kwargs) -> Chart:
            from matplotlib import rc_context
            from matplotlib.figure import Figure

            settings: Any = {**_SETTINGS, "svg.hashsalt": title}
            with rc_context(settings):
                figure = Figure(figsize=(_WIDTH_INCHES, height_inches), layout="constrained")
                text = draw(figure.subplots(), *args, **kwargs)
                content = io.StringIO()
                nobody = dict.fromkeys(("Creator", "Date", "Format", "Type"))
                figure.savefig(content, format="svg", transparent=True, metadata=nobody)
            return Chart(_inline(content.getvalue(), title, text), title, text)

        return make

    return wrap


def draw_scores(
    axes: "Axes",
    names: Sequence[str],
    scores: Sequence[Mapping[str, Any]],
    looks: Sequence[tuple[str, str]],
    step: float,
) -> None:
    """Draws each metric of each system as a point on its interval, metrics below each other.

    Args:
        axes: to draw on.
        names: of the systems.
        scores: of each system, and its intervals; a metric that it lacks is left out.
        looks: colour and marker of each system.
        step: between the systems of one metric, 1 being the next metric.
    """
    for place, (name, own, (colour, marker)) in enumerate(zip(names, scores, looks, strict=True)):
        metrics = [metric for metric in COLUMNS if metric in own]
        rows = [row for row, metric in enumerate(COLUMNS) if metric in own]
        heights = [row + step * (place - (len(names) - 1) / 2) for row in rows]
        spans = [own["intervals"][metric] for metric in metrics]
        lows, highs = ([100 * span[end] for span in spans] for end in (0, 1))
        axes.hlines(heights, lows, highs, colour, lw=2)
        values = [100 * own[metric] for metric in metrics]
        axes.plot(values, heights, marker, color=colour, ms=5.5, label=name)
    axes.set_yticks(range(len(COLUMNS)), list(COLUMNS.values()))
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.grid(axis="x")
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)


@chart("Scores, with 95 % intervals", 3.7)
def chart_scores(axes: "Axes", scores: Mapping[str, Any]) -> str:
    """Draws each metric of the model and of the baselines as a point on its interval."""
    systems = {**scores["model"], **scores["baselines"]}
    present = [name for name in _SYSTEMS if name in systems]
    looks = [_SYSTEMS[name] for name in present]
    draw_scores(axes, [LABELS[n] for n in present], [systems[n] for n in present], looks, 0.17)
    put_legend_above(axes, 2)
    return (
        "Points are scores times 100, lines their 95 % intervals over images drawn anew. "
        "A sound model lies clearly right of one caption for all images."
    )


@chart("Loss, epoch by epoch", 2.7)
def chart_losses(axes: "Axes", history: Sequence[Mapping[str, Any]]) -> str:
    """Draws the losses of training and dev captions."""
    taught = [row for row in history if row["phase"] == "cross_entropy"]
    epochs = [row["epoch"] for row in history]
    losses = [row["loss"] for row in taught]
    axes.plot(epochs[: len(taught)], losses, "s-", color=NEAREST, ms=4, label="train")
    axes.plot(epochs, [row["dev_loss"] for row in history], "o-", color=MODEL, ms=4, label="dev")
    _finish_epochs(axes, history)
    axes.set_ylabel("nats a word")
    said = (
        "The training loss is taken with dropout and label smoothing, the dev loss without, "
        "so the first lies higher."
    )
    if len(taught) == len(history):
        return said
    return f"{said} After epoch {len(taught)} rewards take the place of a training loss."


@chart("CIDEr of the dev captions, epoch by epoch", 2.7)
def chart_dev_scores(axes: "Axes", history: Sequence[Mapping[str, Any]]) -> str:
    """Draws the score that decides which epoch's weights are kept."""
    epochs = [row["epoch"] for row in history]
    values = [100 * row["dev_score"] for row in history]
    axes.plot(epochs, values, "o-", color=MODEL, ms=4, label="dev, greedy search")
    _finish_epochs(axes, history)
    axes.set_ylabel("CIDEr x 100")
    best = max((row for row in history if row["is_best"]), key=lambda row: row["epoch"])
    return f"The weights of epoch {best['epoch']} were kept; a dotted line marks it."


@chart("Words in a caption", 2.7)
def chart_lengths(axes: "Axes", model: CaptionStatistics, people: CaptionStatistics) -> str:
    """Draws how many captions have how many words."""
    for statistics, colour, label, filled in (
        (people, PERSON, "people", False),
        (model, MODEL, "model", True),
    ):
        shares = [100 * share for share in statistics.length_shares().values()]
        edges = [length - 0.5 for length in range(len(shares) + 1)]
        axes.stairs(shares, edges, color=colour, lw=1.8, label=label)
        if filled:
            axes.stairs(shares, edges, color=colour, alpha=0.25, fill=True)
    axes.set_xlim(left=0)
    axes.set_xlabel("words")
    axes.set_ylabel("% of captions")
    axes.grid(axis="y")
    put_legend_above(axes, 2)
    return (
        f"The model writes {model.mean_length:.1f} words on average and at most {model.longest}, "
        f"people {people.mean_length:.1f} and at most {people.longest}."
    )


@chart("CIDEr of each image", 2.7)
def chart_ciders(axes: "Axes", ciders: Sequence[float]) -> str:
    """Draws how many images reach which CIDEr."""
    values = sorted(100 * value for value in ciders)
    axes.hist(values, bins=30, color=MODEL, alpha=0.8)
    axes.set_xlim(left=0)
    axes.set_xlabel("CIDEr x 100 of one image")
    axes.set_ylabel("images")
    axes.grid(axis="y")
    low, middle, high = (values[int(share * (len(values) - 1))] for share in (0.1, 0.5, 0.9))
    return (
        f"Half of the images score below {middle:.0f}; one in ten below {low:.0f}, "
        f"one in ten above {high:.0f}."
    )


def put_legend_above(axes: "Axes", columns: int) -> None:
    """Puts the legend above a chart, so many entries a line."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.03), ncols=columns)


def _finish_epochs(axes: "Axes", history: Sequence[Mapping[str, Any]]) -> None:
    from matplotlib.ticker import MaxNLocator

    best = [row["epoch"] for row in history if row["is_best"]]
    if best:
        axes.axvline(best[-1], color=MUTED, ls=":", lw=1.2)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.grid(axis="y")
    put_legend_above(axes, 2)


def _inline(svg: str, title: str, text: str) -> Markup:
    """Returns matplotlib's file as an element: no prologue, no ids but those referred to."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("xlink:href", "href")
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    for colour, property_ in _PROPERTIES.items():
        svg = svg.replace(colour, property_)
    label = escape(f"{title}. {text}")
    svg = re.sub(
        r'<svg [^>]*?(viewBox="[^"]*")[^>]*>',
        lambda head: f'<svg {head[1]} role="img" aria-label="{label}">',
        svg,
        count=1,
    )
    return Markup(svg.strip())
