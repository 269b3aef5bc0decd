"""captioner layers: a network layer by layer."""

import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from captioner.cli.tensorflow import load_tensorflow
from captioner.errors import UsageError

if TYPE_CHECKING:
    from captioner.backbones.layer_table import LayerRow, LayerTable

Size = tuple[int, int]
_WIDTH = 300  # more than any table, so that a narrow terminal wraps lines and cuts no number
_COLUMNS = ("layer", "kernel", "stride", "padding", "output", "parameters", "multiply-adds", "sees")
_NUM_WORDS = 5  # the first columns hold words, the others numbers


@click.command(
    epilog="""
\b
Examples:
  captioner layers vgg16
  captioner layers alexnet_bn --input 300x400    images of another size
  captioner layers resnet50 --json
"""
)
@click.argument("name")
@click.option(
    "--input", "size", metavar="HxW", help="Height and width of the images; the published size."
)
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object.")
def command(name: str, size: str | None, as_json: bool) -> None:
    """Show each layer of the network NAME: kernel, output, parameters, arithmetic and view.

    NAME is an encoder of `captioner models` or any network of keras.applications. Multiply-adds
    are those of convolutions and dense layers for one image; "sees" is the receptive field, the
    pixels of the image that one place depends on, beyond the edge too.
    """
    from captioner.backbones.registry import find_spec

    spec, input_size = find_spec(name), _parse_size(size)
    load_tensorflow()
    from captioner.backbones.layer_table import tabulate_layers

    table = tabulate_layers(spec, input_size)
    if as_json:
        totals = {"num_multiply_adds": table.num_multiply_adds}
        click.echo(json.dumps({**asdict(table), **totals}, indent=2))
    else:
        _print(table, f"{spec.title}, {spec.paper}")


def _parse_size(text: str | None) -> Size | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", text.strip())
    height, width = (int(match[1]), int(match[2])) if match is not None else (0, 0)
    if min(height, width) < 1:
        raise UsageError(
            f"--input {text}: expected height and width in pixels, as in --input 224x224."
        )
    return height, width


def _print(table: "LayerTable", title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for number, column in enumerate(_COLUMNS):
        shown.add_column(column, justify="left" if number < _NUM_WORDS else "right", no_wrap=True)
    for row in table.rows:
        shown.add_row(*_cells(row))
    shown.add_section()
    total = [f"{table.num_parameters:,}", f"{table.num_multiply_adds:,}", ""]
    shown.add_row("total", *[""] * (_NUM_WORDS - 1), *total)
    Console(width=_WIDTH).print(shown)
    frozen = table.num_parameters - table.num_trainable
    click.echo(f"{table.num_trainable:,} parameters are trained, {frozen:,} are not.")


def _cells(row: "LayerRow") -> tuple[str, ...]:
    return (
        row.name,
        _times(row.kernel),
        _times(row.stride),
        _describe_padding(row.padding),
        _times(row.output_shape),
        f"{row.num_parameters:,}" if row.num_parameters else "",
        f"{row.num_multiply_adds:,}" if row.num_multiply_adds else "",
        "all" if row.receptive_field is None else _times(row.receptive_field),
    )


def _times(sides: tuple[int, ...] | None) -> str:
    return "" if sides is None else "x".join(map(str, sides))


def _describe_padding(padding: tuple[Size, Size] | None) -> str:
    """Shows one number where all four sides agree, else before+after, per axis if need be."""
    if padding is None:
        return ""
    if len({*padding[0], *padding[1]}) == 1:
        return str(padding[0][0])
    axes = [f"{before}+{after}" for before, after in padding]
    return axes[0] if axes[0] == axes[1] else " x ".join(axes)
