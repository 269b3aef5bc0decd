"""`report.html`: one evaluation as a page to look at, made of its folder alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captioner.files import write_text
from captioner.report.charts import (
    Chart,
    chart_ciders,
    chart_dev_scores,
    chart_lengths,
    chart_losses,
    chart_scores,
)
from captioner.report.evaluation import Evaluation, read_evaluation
from captioner.report.gallery import MAX_IMAGES, Card, make_cards
from captioner.report.page import render
from captioner.report.score_table import COLUMNS, LABELS
from captioner.report.statistics import (
    CaptionStatistics,
    count_statistics,
    list_most_used,
    list_overused,
    list_repeated,
    list_unsaid,
)

NUM_WORDS = 24  # of each list
NUM_REPEATED = 6


@dataclass(frozen=True)
class WrittenReport:
    """What a report came to.

    Args:
        path: the file.
        num_images: images shown.
        num_scored: images scored.
        num_missing: images shown without their photograph.
    """

    path: Path
    num_images: int
    num_scored: int
    num_missing: int


def write_report(
    folder: Path,
    path: Path,
    *,
    max_images: int = MAX_IMAGES,
    photographs: Path | None = None,
) -> WrittenReport:
    """Writes the report of an evaluation, one file that needs no other.

    Args:
        folder: where stage evaluate left its captions and scores.
        path: the HTML file to make or replace.
        max_images: photographs shown at most; a thousand keep the file below 15 MB.
        photographs: the folder of the photographs, if they are not where they were.

    Raises:
        ArtifactError: the folder holds no evaluation, or a damaged one.
        OSError: the file cannot be written.
    """
    evaluation = read_evaluation(folder, photographs)
    cards = make_cards(evaluation.images, max_images, evaluation.looks)
    write_text(path, render_report(evaluation, cards))
    num_missing = sum(card.thumbnail is None for card in cards)
    return WrittenReport(path, len(cards), len(evaluation.images), num_missing)


def render_report(evaluation: Evaluation, cards: list[Card]) -> str:
    """Returns the page."""
    model = count_statistics(image.caption for image in evaluation.images)
    people = count_statistics(text for image in evaluation.images for text in image.references)
    return render(
        "report.html",
        scripts=["page_tools.js", "looks.js", "report.js"],
        scores=evaluation.scores,
        systems=list_systems(evaluation.scores),
        columns=COLUMNS,
        labels=LABELS,
        background=evaluation.background,
        num_scored=len(evaluation.images),
        cards=cards,
        ground=None if evaluation.looks is None else evaluation.looks.ground,
        model=model,
        people=people,
        word_lists=list_words(model, people),
        repeated=list_repeated([image.caption for image in evaluation.images], NUM_REPEATED),
        charts=draw_charts(evaluation, model, people),
    )


def list_systems(scores: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Returns the rows of the table of scores: label -> scores, the model first."""
    systems = {**scores["model"], **scores["baselines"]}
    return {label: systems[name] for name, label in LABELS.items() if name in systems}


def list_words(model: CaptionStatistics, people: CaptionStatistics) -> dict[str, Any]:
    """Returns the lists of words that tell how the model's language differs from people's."""
    return {
        "most_used": list_most_used(model, NUM_WORDS),
        "overused": list_overused(model, people, NUM_WORDS),
        "unsaid": list_unsaid(model, people, NUM_WORDS),
    }


def draw_charts(
    evaluation: Evaluation, model: CaptionStatistics, people: CaptionStatistics
) -> dict[str, Chart]:
    """Returns the charts by name; those of the training are left out where it left no history."""
    history = evaluation.background["history"]
    charts = {
        "scores": chart_scores(evaluation.scores),
        "ciders": chart_ciders([image.cider for image in evaluation.images]),
        "lengths": chart_lengths(model, people),
    }
    if history:
        charts |= {"losses": chart_losses(history), "dev_scores": chart_dev_scores(history)}
    return charts
