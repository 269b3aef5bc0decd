"""One evaluation: a model under every protocol, with baselines and collapse counts beside it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from captioner.metrics.baselines import Round, choose_constant_caption, leave_one_out
from captioner.metrics.bleu import PROTOCOLS, Protocol
from captioner.metrics.bootstrap import Resampling
from captioner.metrics.collapse import Collapse, count_collapse
from captioner.metrics.pairs import Hypotheses, References
from captioner.metrics.scores import (
    DEFAULT_RESAMPLING,
    METRICS,
    UNKNOWN_ORIGIN,
    Scores,
    average_scores,
    compare_scores,
    score_captions,
)
from captioner.metrics.signature import Origin
from captioner.progress import Progress

COLUMNS = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "CIDEr", "ROUGE-L")

_LABELS = {
    "coco": "model",
    "nltk": "model, NLTK",
    "tutorial": "model, tutorial cleaning",
    "constant": "one caption for all",
    "nearest": "nearest neighbour",
    "human": "a person against the others",
}


@dataclass(frozen=True)
class ScoreRow:
    """One line of the table of scores.

    Args:
        label: what was scored, in words.
        values: the scores times 100, in the order of `COLUMNS`; None where not computed.
        intervals: likewise, the ends of the 95 % interval.
        signature: how they were computed, printed.
    """

    label: str
    values: tuple[float | None, ...]
    intervals: tuple[tuple[float, float] | None, ...]
    signature: str


@dataclass(frozen=True, eq=False)
class EvaluationReport:
    """Everything that is said about a set of captions.

    Args:
        model: the captions' scores under each protocol, "coco" first.
        baselines: "constant", "nearest" and "human", those of them that could be made.
        missing: for each baseline that could not be made, why, in words.
        constant_caption: what the constant baseline says, or None.
        collapse: the counts that catch a collapsed model.
        warnings: what the reader should know before believing the scores.
    """

    model: Mapping[Protocol, Scores]
    baselines: Mapping[str, Scores]
    missing: Mapping[str, str]
    constant_caption: str | None
    collapse: Collapse
    warnings: tuple[str, ...]

    @property
    def scores(self) -> Scores:
        """The scores that are comparable with papers: those of the coco protocol."""
        return self.model["coco"]

    def rows(self) -> list[ScoreRow]:
        """Returns the table, ready to print: the model first, then the baselines."""
        systems = [*self.model.items(), *self.baselines.items()]
        return [_make_row(_LABELS[name], scores) for name, scores in systems]

    def to_json(self) -> dict[str, Any]:
        """Returns the content of `scores.json`."""
        return {
            "model": {name: scores.to_json() for name, scores in self.model.items()},
            "baselines": {
                name: {**scores.to_json(), "model_above": self._compare(scores)}
                for name, scores in self.baselines.items()
            },
            "baselines_missing": dict(self.missing),
            "constant_caption": self.constant_caption,
            "collapse": self.collapse.to_json(),
            "warnings": list(self.warnings),
        }

    def _compare(self, baseline: Scores) -> dict[str, Any] | None:
        """Returns the model's lead, unless the baseline faced other references."""
        if baseline.per_image is None:
            return None
        differences = compare_scores(self.scores, baseline)
        return {name: difference.to_json() for name, difference in differences.items()}


def evaluate_captions(
    hypotheses: Hypotheses,
    references: References,
    *,
    training: References | None = None,
    nearest: Hypotheses | None = None,
    origin: Origin = UNKNOWN_ORIGIN,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> EvaluationReport:
    """Scores captions under every protocol and puts the baselines beside them.

    Args:
        hypotheses: image id -> caption as text, one for each image of the split.
        references: image id -> captions as people wrote them.
        training: image id -> captions of the training split, for the constant baseline and the
            share of copied captions.
        nearest: image id -> caption, from `choose_nearest_captions`.
        origin: where the hypotheses come from, for the signature.
        resampling: the bootstrap behind the intervals.

    Raises:
        ScoreError: images and captions do not match, or an image has no reference.
    """
    constant = choose_constant_caption(training) if training else None
    contests, missing = _plan_baselines(references, constant, nearest)
    with Progress("score", len(PROTOCOLS) + len(contests), unit="system") as progress:
        model: dict[Protocol, Scores] = {}
        for protocol in PROTOCOLS:
            model[protocol] = score_captions(
                hypotheses, references, protocol=protocol, origin=origin, resampling=resampling
            )
            progress.advance()
        baselines: dict[str, Scores] = {}
        for name, rounds in contests.items():
            baselines[name] = _score_rounds(rounds, origin.split, resampling)
            progress.advance()
    texts = None if training is None else [text for own in training.values() for text in own]
    collapse = count_collapse([hypotheses[image_id] for image_id in references], texts)
    warnings = (*collapse.warnings, *_warn_of_baselines(model["coco"], baselines))
    return EvaluationReport(model, baselines, missing, constant, collapse, warnings)


def _plan_baselines(
    references: References, constant: str | None, nearest: Hypotheses | None
) -> tuple[dict[str, list[Round]], dict[str, str]]:
    """Returns what each baseline says against which references, and why one is missing."""
    contests: dict[str, list[Round]] = {}
    missing = {}
    if constant is None:
        missing["constant"] = "There are no training captions to choose one from."
    else:
        contests["constant"] = [Round(dict.fromkeys(references, constant), references)]
    if nearest is None:
        missing["nearest"] = "There are no features to compare images by."
    else:
        contests["nearest"] = [Round(nearest, references)]
    if rounds := leave_one_out(references):
        contests["human"] = rounds
    else:
        missing["human"] = "Some images have one caption only, so nobody can be left out."
    return contests, missing


def _score_rounds(rounds: list[Round], split: str | None, resampling: Resampling) -> Scores:
    scores = [
        score_captions(
            own.hypotheses, own.references, origin=Origin(split=split), resampling=resampling
        )
        for own in rounds
    ]
    return scores[0] if len(scores) == 1 else average_scores(scores, resampling=resampling)


def _warn_of_baselines(model: Scores, baselines: Mapping[str, Scores]) -> Iterator[str]:
    for name in ("constant", "nearest"):
        if name in baselines and model.bleu[-1] <= baselines[name].bleu[-1]:
            yield (
                f"The captions are no better than {_LABELS[name]}: BLEU-4 "
                f"{100 * model.bleu[-1]:.1f} against {100 * baselines[name].bleu[-1]:.1f}."
            )


def _make_row(label: str, scores: Scores) -> ScoreRow:
    values = [scores.values.get(metric) for metric in METRICS]
    spans = [scores.intervals.get(metric) for metric in METRICS]
    return ScoreRow(
        label,
        tuple(None if value is None else 100 * value for value in values),
        tuple(None if span is None else (100 * span.low, 100 * span.high) for span in spans),
        str(scores.signature),
    )
