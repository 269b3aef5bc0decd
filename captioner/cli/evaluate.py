"""captioner evaluate: scores a pipeline's model, any other, or captions made by anything."""

import json
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from captioner.cli.exit_codes import FINISHED_WITH_FAILURES
from captioner.cli.options import artifacts_option, check_folder, set_option
from captioner.config import Pipeline
from captioner.errors import UsageError
from captioner.settings import EvaluateSection

if TYPE_CHECKING:
    from captioner.captioning.split import SplitCaptions
    from captioner.datasets.records import CaptionDataset, CaptionedImage
    from captioner.metrics.signature import Origin

Scores = dict[str, Any]  # the content of scores.json

_NUM_LISTED = 5  # photographs that cannot be captioned, named on standard error


@click.command(
    epilog="""
\b
Examples:
  captioner evaluate --pipeline flickr8k
  captioner evaluate --model shipped --pipeline flickr8k --split dev
  captioner evaluate mine.jsonl --pipeline flickr8k --split dev
  captioner evaluate mine.txt --format karpathy --data dataset_coco.json --images coco
"""
)
@click.argument("captions", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--pipeline", default="quickstart", show_default=True, help="Whose data set it is.")
@click.option("--format", "dataset_format", metavar="NAME", help="Or: the data set's format,")
@click.option("--data", metavar="PATH", help="and where it lies,")
@click.option("--images", metavar="DIR", help="and its images, if they lie elsewhere.")
@click.option("--model", metavar="NAME|DIR", help="Score this model; see `captioner models`.")
@click.option("--beam", type=int, metavar="N", help="With --model: the width of its search.")
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
    model: str | None,
    beam: int | None,
    split: str | None,
    as_json: bool,
    out: Path | None,
    overrides: tuple[str, ...],
    artifacts: Path,
) -> int:
    """Score captions against a data set's human captions.

    CAPTIONS is a file made by anything: JSONL or COCO results with image and caption, CSV,
    `image<TAB>caption` lines, or one caption a line in the order of the split. Without it a model
    captions the split: the one of --model, as `captioner caption` would but always in float32, or
    the pipeline's own, as its file says.
    """
    from captioner.files import write_json

    _check_wishes(captions, model, beam)
    if out is not None:
        check_folder(out)
    named = {"dataset.format": dataset_format, "dataset.path": data, "dataset.images": images}
    named["evaluate.split"] = split
    settings = [f"{key}={json.dumps(value)}" for key, value in named.items() if value is not None]
    loaded = Pipeline.load(pipeline, [*overrides, *settings], check_paths=True)
    num_failed = 0
    if captions is not None:
        scores = _score_file(captions, loaded, artifacts)
    elif model is not None:
        scores, num_failed = _score_model(model, beam, loaded, artifacts)
    else:
        scores, num_failed = _score_pipeline(loaded, artifacts)
    if out is not None:
        write_json(out, scores)
    if as_json:
        click.echo(json.dumps(scores, indent=2, ensure_ascii=False))
    else:
        from captioner.report.score_table import print_scores

        print_scores(scores)
    return FINISHED_WITH_FAILURES if num_failed else 0


def _check_wishes(captions: Path | None, model: str | None, beam: int | None) -> None:
    if captions is not None and model is not None:
        raise UsageError(
            f"{captions} holds the captions to score, so the model {model} would make none. "
            "Give one of the two."
        )
    if beam is not None and model is None:
        raise UsageError(
            "--beam is for --model; a pipeline's own model has its beam in the pipeline file: "
            f"--set evaluate.beam={beam}"
        )


def _score_pipeline(pipeline: Pipeline, artifacts: Path) -> tuple[Scores, int]:
    """Returns the scores, and how many photographs had to be left out."""
    from captioner.cli.run import bring_up_to_date
    from captioner.pipeline.plan import Selection
    from captioner.report.evaluation import SCORES

    result = bring_up_to_date(pipeline, artifacts, Selection(stage="evaluate"))
    path = result.artifacts["evaluate"].folder / SCORES
    return json.loads(path.read_text(encoding="utf-8")), result.num_failures


def _score_file(path: Path, pipeline: Pipeline, artifacts: Path) -> Scores:
    from captioner.metrics.captions_file import read_captions_file
    from captioner.metrics.signature import Origin

    split = _Split.open(pipeline, artifacts)
    captions = read_captions_file(path, [image.image_id for image in split.images])
    return split.score(captions, Origin(split=split.settings.split))


def _score_model(
    name: str, beam: int | None, pipeline: Pipeline, artifacts: Path
) -> tuple[Scores, int]:
    """Returns the scores, and how many photographs had to be left out."""
    from captioner.captioning.model_folder import find_model
    from captioner.cli.tensorflow import load_tensorflow
    from captioner.metrics.signature import Origin

    model = find_model(name, artifacts)
    split = _Split.open(pipeline, artifacts)
    load_tensorflow()
    from captioner.captioning.captioner import Captioner
    from captioner.captioning.split import caption_split

    found = caption_split(Captioner(model, precision="float32"), split.images, beam=beam)
    _tell_faults(found)
    origin = Origin(
        split=split.settings.split,
        beam=found.beam,
        length_normalisation=found.length_exponent,
        rules=found.rules,
    )
    scores = split.without(found.faults).score(found.captions, origin)
    return scores, len(found.faults)


def _tell_faults(found: "SplitCaptions") -> None:
    """Names the photographs that are left out of the score."""
    named = [f"{name}: {why}" for name, why in list(found.faults.items())[:_NUM_LISTED]]
    if not found.captions:
        raise UsageError(f"None of the split's photographs can be captioned: {'; '.join(named)}")
    if found.faults:
        click.echo(f"Left out, as they cannot be captioned: {len(found.faults):,}", err=True)
    for line in named:
        click.echo(f"  {line}", err=True)


@dataclass(frozen=True)
class _Split:
    """The images of a split, and what captions of them are scored against and by."""

    settings: EvaluateSection
    dataset: "CaptionDataset"
    images: "tuple[CaptionedImage, ...]"

    @classmethod
    def open(cls, pipeline: Pipeline, artifacts: Path) -> "_Split":
        from captioner.stages.chain import open_dataset
        from captioner.stages.evaluate import split_images

        settings = pipeline.settings.evaluate
        dataset = open_dataset(pipeline.settings.dataset, artifacts)
        return cls(settings, dataset, split_images(dataset, settings.split))

    def without(self, image_ids: Container[str]) -> "_Split":
        images = tuple(image for image in self.images if image.image_id not in image_ids)
        return replace(self, images=images)

    def score(self, captions: Mapping[str, str], origin: "Origin") -> Scores:
        from captioner.metrics.bootstrap import Resampling
        from captioner.metrics.evaluation import evaluate_captions

        training = {image.image_id: image.captions for image in self.dataset.in_split("train")}
        return evaluate_captions(
            captions,
            {image.image_id: image.captions for image in self.images},
            training=training if training else None,
            origin=origin,
            resampling=Resampling(self.settings.bootstrap, self.settings.seed),
        ).to_json()
