"""captioner compare: evaluated systems side by side."""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from captioner.cli.options import artifacts_option, check_folder, html_option
from captioner.errors import UsageError

if TYPE_CHECKING:
    from captioner.metrics.comparison import Comparison
    from captioner.stages.evaluations import Evaluation

_NUM_EXAMPLES = 3
_NUM_EXAMPLES_ON_PAGE = 24


@click.command(
    epilog="""
\b
Examples:
  captioner compare flickr8k flickr8k-lite0
  captioner compare flickr8k-lite0 artifacts/evaluate/2fd1ab84977a6a7d --examples 10
  captioner compare flickr8k-lite0 mine.jsonl --json
  captioner compare flickr8k flickr8k-lite0 --html comparison.html
"""
)
@click.argument("systems", nargs=-1, required=True, metavar="A B ...")
@click.option(
    "--examples",
    type=click.IntRange(0),
    metavar="N",
    help="Images to show, those where the systems' CIDEr differs most.  [default: 3, or 24 on a "
    "page]",
)
@click.option("--common", is_flag=True, help="Score only the images that all systems captioned.")
@click.option(
    "--anyway", is_flag=True, help="Show scores that cannot be compared side by side all the same."
)
@click.option(
    "--bootstrap",
    default=1000,
    show_default=True,
    type=click.IntRange(1),
    metavar="N",
    help="Resamples behind the 95 % intervals.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
@html_option
@artifacts_option
def command(
    systems: tuple[str, ...],
    examples: int | None,
    common: bool,
    anyway: bool,
    bootstrap: int,
    as_json: bool,
    html: Path | None,
    artifacts: Path,
) -> None:
    """Compare systems: what differs in their settings, their scores, and their captions.

    A, B, ... are evaluated pipelines by name, artifact folders, or files of captions. All are
    scored anew from their captions under one protocol, and each is set against A: images are
    drawn alike for both, which finds smaller differences than two intervals side by side.
    Systems that captioned other images, or were given other references, are refused.
    """
    from captioner.metrics.bootstrap import Resampling
    from captioner.metrics.comparison import compare_systems, find_faults, keep_common
    from captioner.stages.evaluations import read_evaluations

    _check_names(systems)
    if html is not None:
        check_folder(html)
    evaluations = read_evaluations(systems, artifacts)
    chosen = [evaluation.system for evaluation in evaluations]
    chosen = keep_common(chosen) if common else chosen
    faults = find_faults(chosen)
    if faults and not anyway:
        raise UsageError(_refuse(faults))
    comparison = compare_systems(chosen, resampling=Resampling(bootstrap))
    content = _as_json(comparison, evaluations, _NUM_EXAMPLES if examples is None else examples)
    content["warnings"] = [*_warn(comparison, evaluations, common), *faults]
    if html is not None:
        _write_page(html, content, comparison, evaluations, examples)
    if as_json:
        click.echo(json.dumps(content, indent=2, ensure_ascii=False))
    else:
        from captioner.report.comparison_table import print_comparison

        print_comparison(content)


def _write_page(
    path: Path,
    content: dict[str, Any],
    comparison: "Comparison",
    evaluations: list["Evaluation"],
    examples: int | None,
) -> None:
    from captioner.report.comparison_page import write_comparison
    from captioner.stages.evaluations import find_photographs

    shown = comparison.examples(_NUM_EXAMPLES_ON_PAGE if examples is None else examples)
    photographs = find_photographs(evaluations)
    listed = [example.to_json() for example in shown]
    write_comparison(path, {**content, "examples": listed}, photographs)
    click.echo(f"{path}: the comparison as a page", err=True)


def _check_names(names: tuple[str, ...]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice or len(names) < 2:
        received = f"{twice[0]} twice" if twice else " ".join(names)
        raise UsageError(f"Name two different systems or more to compare. Received: {received}")


def _refuse(faults: list[str]) -> str:
    lines = "\n  ".join(faults)
    return (
        f"These scores cannot be compared:\n  {lines}\nEvaluate the systems on the same split and "
        "references (captioner run PIPELINE --set evaluate.split=dev), score the images they "
        "share (--common), or see them side by side without differences (--anyway)."
    )


def _as_json(
    comparison: "Comparison", evaluations: list["Evaluation"], examples: int
) -> dict[str, Any]:
    from captioner.stages.evaluations import differing_settings

    rows = zip(evaluations, comparison.systems, comparison.scores, comparison.leads, strict=True)
    return {
        "systems": [
            {
                "name": system.name,
                "captions": str(evaluation.path),
                "settings": dict(evaluation.configuration),
                "scores": scores.to_json(),
                "lead": None if lead is None else lead.to_json(),
            }
            for evaluation, system, scores, lead in rows
        ],
        "differing_settings": differing_settings(evaluations),
        "paired": comparison.paired,
        "examples": [example.to_json() for example in comparison.examples(examples)],
    }


def _warn(comparison: "Comparison", evaluations: list["Evaluation"], common: bool) -> list[str]:
    from captioner.stages.evaluations import check_stored

    warnings = [
        f"{own.system.name}: its settings are not known; there is no manifest beside {own.path}."
        for own in evaluations
        if not own.configuration
    ]
    if common:
        total = max(len(own.system.references) for own in evaluations)
        kept = len(comparison.systems[0].references)
        if kept < total:
            warnings.append(
                f"Scored on the images that all systems captioned: {kept:,} of {total:,}."
            )
        return warnings
    pairs = zip(evaluations, comparison.scores, strict=True)
    return [*warnings, *filter(None, (check_stored(own, scores) for own, scores in pairs))]
