"""captioner probe: is an encoder any good for captioning?"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from captioner.cli.options import artifacts_option, check_folder, html_option, set_option
from captioner.config import Pipeline
from captioner.errors import UsageError

if TYPE_CHECKING:
    from captioner.stages.cached_features import CachedFeatures


@click.command(
    epilog="""
\b
Examples:
  captioner probe flickr8k-lite0
  captioner probe flickr8k flickr8k-lite0 --json
  captioner probe features.pkl --pipeline flickr8k
  captioner probe flickr8k flickr8k-lite0 --html probe.html
"""
)
@click.argument("encoders", nargs=-1, required=True, metavar="FEATURES...")
@click.option("--pipeline", help="Whose captions; those of the first pipeline named, if any.")
@click.option(
    "--words",
    default=150,
    show_default=True,
    type=click.IntRange(1),
    metavar="N",
    help="Words to ask for, the most frequent that tell images apart.",
)
@click.option(
    "--folds",
    default=5,
    show_default=True,
    type=click.IntRange(2),
    metavar="K",
    help="Folds of the cross-validation.",
)
@click.option(
    "--images",
    default=8000,
    show_default=True,
    type=click.IntRange(100),
    metavar="N",
    help="Images at most; of more, a seeded sample is taken.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
@html_option
@set_option
@artifacts_option
def command(
    encoders: tuple[str, ...],
    pipeline: str | None,
    words: int,
    folds: int,
    images: int,
    as_json: bool,
    html: Path | None,
    overrides: tuple[str, ...],
    artifacts: Path,
) -> None:
    """Say what an encoder's features know of the words that people use.

    FEATURES are pipelines whose stage extract has run, folders of features, or features.pkl
    files. For each frequent caption word a logistic regression reads off the features whether it
    stands in an image's captions; tested on images left out, of train and dev alone.
    """
    from captioner.probing.probe import probe_encoders
    from captioner.stages.cached_features import captions_to_learn_from, find_features

    if html is not None:
        check_folder(html)
    found = [find_features(name, artifacts, overrides) for name in encoders]
    _check_names([own.name for own in found])
    captions = captions_to_learn_from(_find_captioned(pipeline, found, overrides), artifacts)
    report = probe_encoders(
        {own.name: own.features for own in found},
        captions,
        num_words=words,
        num_folds=folds,
        max_images=images,
    ).to_json()
    if html is not None:
        from captioner.report.probe_page import write_probe

        write_probe(html, report)
        click.echo(f"{html}: the probe as a page", err=True)
    if as_json:
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        from captioner.report.probe_table import print_probe

        print_probe(report)


def _check_names(names: Sequence[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UsageError(f"Name each encoder once. Received twice: {twice[0]}")


def _find_captioned(
    name: str | None, found: Sequence["CachedFeatures"], overrides: Sequence[str]
) -> Pipeline:
    """Returns the pipeline whose captions the features are to be measured by."""
    if name is not None:
        return Pipeline.load(name, overrides, check_paths=True)
    for own in found:
        if own.pipeline is not None:
            return own.pipeline
    raise UsageError(
        "Features alone have no captions to be measured by. Name the pipeline whose data set they "
        "belong to, as with --pipeline flickr8k"
    )
