"""captioner status: which stages are up to date and, if not, why."""

import json
from pathlib import Path
from typing import Any

import click

from captioner.cli.options import artifacts_option, pipeline_argument, set_option
from captioner.config import Pipeline
from captioner.errors import DatasetMissingError
from captioner.pipeline.plan import StageState, Verdict


@click.command(
    epilog="""
\b
Examples:
  captioner status
  captioner status flickr8k --set train.epochs=30
  captioner status flickr8k --json
"""
)
@pipeline_argument
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of lines.")
@set_option
@artifacts_option
def command(pipeline: str, as_json: bool, overrides: tuple[str, ...], artifacts: Path) -> None:
    """Say for every stage of PIPELINE whether it is up to date and, if not, why."""
    loaded = Pipeline.load(pipeline, overrides, check_paths=True)
    try:
        stages = _examine(loaded, artifacts)
    except DatasetMissingError as error:  # nothing can have run yet
        click.echo(error, err=True)
        names = loaded.settings.stage_names
        stages = [{"stage": name, "verdict": Verdict.MISSING.value} for name in names]
    if as_json:
        click.echo(json.dumps({"pipeline": loaded.name, "stages": stages}, indent=2))
        return
    for stage in stages:
        click.echo(_line(stage))


def _examine(pipeline: Pipeline, artifacts: Path) -> list[dict[str, Any]]:
    from captioner.stages.chain import open_runner

    return [_as_json(state) for state in open_runner(pipeline, artifacts, draw=False).examine()]


def _as_json(state: StageState) -> dict[str, Any]:
    return {
        "stage": state.stage.name,
        "verdict": state.verdict.value,
        "reasons": list(state.reasons),
        "fingerprint": state.stage.fingerprint(),
        "folder": str(state.artifact.folder) if state.artifact else None,
        "summary": state.artifact.manifest["summary"] if state.artifact else None,
    }


def _line(stage: dict[str, Any]) -> str:
    reasons = "; ".join(stage.get("reasons", ()))
    summary = stage.get("summary")
    return (
        f"{stage['stage']}: {stage['verdict']}"
        f"{', ' + reasons if reasons else ''}{f' ({summary})' if summary else ''}"
    )
