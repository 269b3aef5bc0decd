"""captioner doctor: what would fail, said before it fails."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from captioner.cli.options import artifacts_option, pipeline_argument, set_option
from captioner.config import Pipeline

if TYPE_CHECKING:
    from captioner.doctor.finding import Finding

FOUND_PROBLEMS = 1
_COLOURS = {"ok": "green", "note": "yellow", "problem": "red"}


@click.command(
    epilog="""
\b
Examples:
  captioner doctor
  captioner doctor flickr8k --set dataset.path=flickr8k
  captioner doctor my.toml --json
"""
)
@pipeline_argument
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
@set_option
@artifacts_option
def command(pipeline: str, as_json: bool, overrides: tuple[str, ...], artifacts: Path) -> int:
    """Check all that PIPELINE needs, and say what would fail before it fails.

    The installation, the encoder's weights, its pre-processing (a golden image), the data set,
    disk and memory. Nothing is changed and nothing downloaded; where weights are missing, doctor
    asks whether the host that offers them answers. Exits with 1 if there are problems.
    """
    from captioner.cli.tensorflow import load_tensorflow
    from captioner.doctor.checkup import check_up, find_path_faults

    loaded = Pipeline.load(pipeline, overrides)
    findings = []
    faults = find_path_faults(pipeline, overrides)
    for finding in check_up(loaded, artifacts, faults, load_tensorflow):
        findings.append(finding)
        if not as_json:
            _show(finding)
    problems = sum(finding.verdict == "problem" for finding in findings)
    if as_json:
        listed = [finding.to_json() for finding in findings]
        content = {"pipeline": loaded.name, "problems": problems, "findings": listed}
        click.echo(json.dumps(content, indent=2, ensure_ascii=False))
    else:
        click.echo(_summarise(findings, loaded))
    return FOUND_PROBLEMS if problems else 0


def _show(finding: "Finding") -> None:
    verdict = click.style(f"{finding.verdict:<8}", fg=_COLOURS[finding.verdict])
    click.echo(f"{verdict}{finding.subject:<14}{finding.found}")
    if finding.remedy:
        click.echo(f"{'':22}-> {finding.remedy}")


def _summarise(findings: Sequence["Finding"], pipeline: Pipeline) -> str:
    problems = sum(finding.verdict == "problem" for finding in findings)
    if problems:
        count = f"{problems} problem{'' if problems == 1 else 's'}"
        return f"{count}: mend them before {pipeline.name} is run."
    return f"Nothing stands in the way of: {pipeline.command()}"
