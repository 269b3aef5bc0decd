"""captioner run: brings a pipeline up to date."""

import json
import shlex
import sys
from pathlib import Path

import click

from captioner.cli.exit_codes import FINISHED_WITH_FAILURES
from captioner.cli.options import artifacts_option, pipeline_argument, set_option
from captioner.config import Pipeline
from captioner.errors import CaptionerError, DatasetMissingError, UsageError
from captioner.pipeline.plan import PlannedStage, Selection
from captioner.pipeline.runner import RunResult
from captioner.settings import STAGE_NAMES

_stage_choice = click.Choice(STAGE_NAMES)


@click.command(
    epilog="""
\b
Examples:
  captioner run                                    the built-in default, quickstart
  captioner run flickr8k --stage extract           features only, and what they need
  captioner run flickr8k --from train              with the cached features
  captioner run my.toml --set train.epochs=3 --dry-run
"""
)
@pipeline_argument
@click.option("--stage", type=_stage_choice, help="Bring this stage and what it needs up to date.")
@click.option("--from", "first", type=_stage_choice, help="Start here, from cached artifacts.")
@click.option("--until", type=_stage_choice, help="Stop after this stage.")
@click.option("--force", is_flag=True, help="Run the selected stages even if up to date.")
@click.option("--dry-run", is_flag=True, help="Say what would run and why, and run nothing.")
@set_option
@artifacts_option
def command(
    pipeline: str,
    stage: str | None,
    first: str | None,
    until: str | None,
    force: bool,
    dry_run: bool,
    overrides: tuple[str, ...],
    artifacts: Path,
) -> int:
    """Run PIPELINE, a TOML file or the name of one that ships with captioner.

    Stages whose settings and inputs have not changed are not run again; an interrupted stage
    continues where it stopped.
    """
    selection = Selection(stage, first, until, force)
    loaded = Pipeline.load(pipeline, overrides, check_paths=True)
    if dry_run:
        show_plan(loaded, artifacts, selection)
        return 0
    result = bring_up_to_date(loaded, artifacts, selection)
    _show_scores(result)
    return FINISHED_WITH_FAILURES if result.num_failures else 0


def bring_up_to_date(pipeline: Pipeline, artifacts: Path, selection: Selection) -> RunResult:
    """Runs what is selected; what stops it is raised with the command that resumes."""
    from captioner.cli.tensorflow import load_tensorflow
    from captioner.stages.chain import open_runner

    runner = open_runner(pipeline, artifacts)
    plan = runner.plan(selection)
    try:
        if any(step.will_run for step in plan):
            load_tensorflow()
        return runner.run(selection)
    except UsageError:
        raise
    except (CaptionerError, KeyboardInterrupt) as error:
        error.add_note(f"Resume with: {_resume_command()}")
        raise


def _show_scores(result: RunResult) -> None:
    if "evaluate" in result.artifacts:
        from captioner.report.evaluation import REPORT, SCORES
        from captioner.report.score_table import print_scores

        folder = result.artifacts["evaluate"].folder
        print_scores(json.loads((folder / SCORES).read_text(encoding="utf-8")))
        click.echo(f"The report, with pictures: {folder / REPORT}", err=True)


def show_plan(pipeline: Pipeline, artifacts: Path, selection: Selection) -> None:
    """Says what a run would do and why."""
    from captioner.stages.chain import open_runner

    try:
        plan = open_runner(pipeline, artifacts, draw=False).plan(selection)
    except DatasetMissingError as error:
        click.echo(f"Everything would run. {error}")
        return
    for step in plan:
        click.echo(_plan_line(step))


def _plan_line(step: PlannedStage) -> str:
    verb = "would run" if step.will_run else "would keep"
    reason = "forced" if step.is_forced else str(step.state)
    return f"{step.state.stage.name:<9} {verb} ({reason})"


def _resume_command() -> str:
    """Returns the command line as it was given, without --force, which would start over."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--force"]
    return shlex.join(["captioner", *arguments])
