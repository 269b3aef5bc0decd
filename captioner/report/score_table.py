"""The scores of one evaluation as a table for the terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

COLUMNS = {
    "bleu_1": "BLEU-1",
    "bleu_2": "BLEU-2",
    "bleu_3": "BLEU-3",
    "bleu_4": "BLEU-4",
    "cider": "CIDEr",
    "rouge_l": "ROUGE-L",
}
LABELS = {
    "coco": "model",
    "nltk": "- by NLTK",
    "tutorial": "- cleaned as tutorial",
    "constant": "one caption for all",
    "nearest": "nearest neighbour",
    "human": "a person",
}


def print_scores(scores: Mapping[str, Any], *, width: int | None = None) -> None:
    """Prints what `scores.json` holds to standard output: table, signature, counts, warnings.

    Args:
        scores: the content of `scores.json`.
        width: columns of the terminal; None asks it.
    """
    console = Console(width=width, highlight=False, soft_wrap=True)
    console.print(_make_table(scores))
    console.print(_describe_intervals(scores["model"]["coco"]["intervals"]), markup=False)
    console.print(f"[{scores['model']['coco']['signature']['text']}]", markup=False)
    console.print(_describe_captions(scores["collapse"]), markup=False)
    for warning in scores["warnings"]:
        console.print(f"Warning: {warning}", markup=False, style="yellow")


def _make_table(scores: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("scores x 100", no_wrap=True)
    for name in COLUMNS.values():
        table.add_column(name, justify="right", no_wrap=True)
    systems = {**scores["model"], **scores["baselines"]}
    for name, label in LABELS.items():
        if name in systems:
            table.add_row(label, *(_cell(systems[name].get(metric)) for metric in COLUMNS))
    return table


def _cell(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _describe_intervals(intervals: Mapping[str, tuple[float, float]]) -> str:
    spans = [
        f"{name} {100 * intervals[metric][0]:.1f} to {100 * intervals[metric][1]:.1f}"
        for metric, name in COLUMNS.items()
        if metric in intervals
    ]
    return f"95 % intervals: {', '.join(spans)}"


def _describe_captions(collapse: Mapping[str, Any]) -> str:
    copied = collapse["share_copied"]
    text = (
        f"{collapse['num_distinct']:,} distinct captions for {collapse['num_captions']:,} images, "
        f"{collapse['num_words']:,} words used, {collapse['mean_length']:.1f} words a caption"
    )
    return text if copied is None else f"{text}, {copied:.0%} as in the training captions"
