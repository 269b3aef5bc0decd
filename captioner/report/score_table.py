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
    "nltk": "  by NLTK",
    "tutorial": "  tutorial cleaning",
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
    console.print(f"[{scores['model']['coco']['signature']['text']}]", markup=False)
    console.print(_describe_captions(scores["collapse"]), markup=False)
    for warning in scores["warnings"]:
        console.print(f"Warning: {warning}", markup=False, style="yellow")


def _make_table(scores: Mapping[str, Any]) -> Table:
    table = Table(title="Scores x 100, with 95 % intervals", title_justify="left", box=None)
    table.add_column("", no_wrap=True)
    for name in COLUMNS.values():
        table.add_column(name, justify="right", no_wrap=True)
    systems = {**scores["model"], **scores["baselines"]}
    for name, label in LABELS.items():
        if name in systems:
            table.add_row(label, *_cells(systems[name], with_interval=name == "coco"))
    return table


def _cells(system: Mapping[str, Any], *, with_interval: bool) -> list[str]:
    return [_cell(system, metric, with_interval) for metric in COLUMNS]


def _cell(system: Mapping[str, Any], metric: str, with_interval: bool) -> str:
    value = system.get(metric)
    if value is None:
        return ""
    text = f"{100 * value:.1f}"
    span = system["intervals"].get(metric)
    if with_interval and span is not None:
        low, high = span
        text += f"\n{100 * low:.1f}-{100 * high:.1f}"
    return text


def _describe_captions(collapse: Mapping[str, Any]) -> str:
    copied = collapse["share_copied"]
    text = (
        f"{collapse['num_distinct']:,} distinct captions for {collapse['num_captions']:,} images, "
        f"{collapse['num_words']:,} words used, {collapse['mean_length']:.1f} words a caption"
    )
    return text if copied is None else f"{text}, {copied:.0%} as in the training captions"
