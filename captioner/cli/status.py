"""captioner status: which stages are up to date and, if not, why."""

import json
from pathlib import Path
from typing import Any

import click

from captioner.cli.options import artifacts_option, pipeline_argument, set_option
from captioner.config import Pipeline
from captioner.pipeline.plan import StageState


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
    from captioner.stages.chain import open_runner

    loaded = Pipeline.load(pipeline, overrides, check_paths=True)
    states = open_runner(loaded, artifacts, draw=False).examine()
    if as_json:
        stages = [_as_json(state) for state in states]
        click.echo(json.dumps({"pipeline": loaded.name, "stages": stages}, indent=2))
        return
    for state in states:
        click.echo(f"{state.stage.name}: {state}{_summary(state)}")


def _summary(state: StageState) -> str:
    return f" ({state.artifact.manifest['summary']})" if state.artifact else ""


def _as_json(state: StageState) -> dict[str, Any]:
    return {
        "stage": state.stage.name,
        "verdict": state.verdict.value,
        "reasons": list(state.reasons),
        "fingerprint": state.stage.fingerprint(),
        "folder": str(state.artifact.folder) if state.artifact else None,
        "summary": state.artifact.manifest["summary"] if state.artifact else None,
    }
