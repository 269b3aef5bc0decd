"""captioner pretrain: trains an encoder from class folders."""

from pathlib import Path

import click

from captioner.cli.exit_codes import FINISHED_WITH_FAILURES
from captioner.cli.options import artifacts_option, set_option
from captioner.cli.run import bring_up_to_date, show_plan
from captioner.config import Pipeline
from captioner.errors import ConfigError
from captioner.pipeline.plan import Selection
from captioner.pipeline.runner import RunResult


@click.command(
    epilog="""
\b
Examples:
  captioner pretrain my.toml
  captioner pretrain my.toml --set pretrain.path=PATH --set backbone.name=vgg11
  captioner pretrain my.toml --dry-run
\b
my.toml:
  [backbone]
  name = "lenet_relu"
  [pretrain]
  path = "animals"        holds cat, dog, ...; or train and dev folders that do
"""
)
@click.argument("pipeline")
@click.option("--force", is_flag=True, help="Train anew even if up to date.")
@click.option("--dry-run", is_flag=True, help="Say what would run and why, and run nothing.")
@set_option
@artifacts_option
def command(
    pipeline: str, force: bool, dry_run: bool, overrides: tuple[str, ...], artifacts: Path
) -> int:
    """Train the encoder that section [pretrain] of PIPELINE describes, as a classifier.

    An interrupted training continues where it stopped. The result is named by
    `[backbone] weights` of other pipelines, or used at once by `captioner run` where PIPELINE
    has a [dataset] as well.
    """
    loaded = _without_captions(Pipeline.load(pipeline, overrides, check_paths=True))
    selection = Selection(force=force)
    if dry_run:
        show_plan(loaded, artifacts, selection)
        return 0
    result = bring_up_to_date(loaded, artifacts, selection)
    show_classifier(result)
    return FINISHED_WITH_FAILURES if result.num_failures else 0


def show_classifier(result: RunResult) -> None:
    """Prints the scores of each class, and how to use the encoder."""
    folder = result.artifacts["pretrain"].folder
    click.echo((folder / "scores.txt").read_text(encoding="utf-8"))
    click.echo(f"weights = {str(folder / 'encoder.weights.h5')!r}")


def _without_captions(pipeline: Pipeline) -> Pipeline:
    """Returns the part of a pipeline that makes the encoder; captions need not be there yet."""
    if pipeline.settings.pretrain is None:
        raise ConfigError(
            f"{pipeline.source} has no section [pretrain], which names the class folders. "
            'Add one, such as:\n  [pretrain]\n  path = "animals"'
        )
    settings = pipeline.settings.model_copy(update={"dataset": None})
    return Pipeline(pipeline.name, settings, pipeline.source)
