"""captioner evaluate: scores a pipeline's model, or captions made by anything else."""

import json
from pathlib import Path
from typing import Any

import click

from captioner.cli.options import artifacts_option, set_option
from captioner.config import Pipeline


@click.command(
    epilog="""
\b
Examples:
  captioner evaluate --pipeline flickr8k
  captioner evaluate mine.jsonl --pipeline flickr8k --split dev
  captioner evaluate mine.txt --format karpathy --data dataset_coco.json --images coco
"""
)
@click.argument("captions", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--pipeline", default="quickstart", show_default=True, help="Whose data set it is.")
@click.option("--format", "dataset_format", metavar="NAME", help="Or: the data set's format,")
@click.option("--data", metavar="PATH", help="and where it lies,")
@click.option("--images", metavar="DIR", help="and its images, if they lie elsewhere.")
@click.option("--split", help="The split to score; the pipeline's if not given.")
@click.option("--json", "as_json", is_flag=True, help="Print scores.json instead of a table.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Keep scores.json.")
@set_option
@artifacts_option
def command(
    captions: Path | None,
    pipeline: str,
    dataset_format: str | None,
    data: str | None,
    images: str | None,
    split: str | None,
    as_json: bool,
    out: Path | None,
    overrides: tuple[str, ...],
    artifacts: Path,
) -> None:
    """Score captions against a data set's human captions.

    CAPTIONS is a file made by anything: JSONL or COCO results with image and caption, CSV,
    `image<TAB>caption` lines, or one caption a line in the order of the split. Without it the
    pipeline's own model is evaluated.
    """
    from captioner.files import write_json

    named = {"dataset.format": dataset_format, "dataset.path": data, "dataset.images": images}
    named["evaluate.split"] = split
    settings = [f"{key}={value}" for key, value in named.items() if value is not None]
    loaded = Pipeline.load(pipeline, [*overrides, *settings], check_paths=True)
    scores = (
        _score_model(loaded, artifacts)
        if captions is None
        else _score_file(captions, loaded, artifacts)
    )
    if out is not None:
        write_json(out, scores)
    if as_json:
        click.echo(json.dumps(scores, indent=2, ensure_ascii=False))
    else:
        from captioner.report.score_table import print_scores

        print_scores(scores)


def _score_model(pipeline: Pipeline, artifacts: Path) -> dict[str, Any]:
    from captioner.cli.run import bring_up_to_date
    from captioner.pipeline.plan import Selection
    from captioner.report.evaluation import SCORES

    result = bring_up_to_date(pipeline, artifacts, Selection(stage="evaluate"))
    path = result.artifacts["evaluate"].folder / SCORES
    scores: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return scores


def _score_file(path: Path, pipeline: Pipeline, artifacts: Path) -> dict[str, Any]:
    from captioner.metrics.bootstrap import Resampling
    from captioner.metrics.captions_file import read_captions_file
    from captioner.metrics.evaluation import evaluate_captions
    from captioner.metrics.signature import Origin
    from captioner.stages.chain import open_dataset
    from captioner.stages.evaluate import split_images

    settings = pipeline.settings.evaluate
    dataset = open_dataset(pipeline.settings.dataset, artifacts)
    references = {i.image_id: i.captions for i in split_images(dataset, settings.split)}
    training = {image.image_id: image.captions for image in dataset.in_split("train")}
    return evaluate_captions(
        read_captions_file(path, list(references)),
        references,
        training=training if training else None,
        origin=Origin(split=settings.split),
        resampling=Resampling(settings.bootstrap, settings.seed),
    ).to_json()
