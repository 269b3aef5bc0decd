"""captioner export: packs a trained model into a folder of its own."""

import dataclasses
from pathlib import Path

import click

from captioner.cli.options import artifacts_option


@click.command(
    epilog="""
\b
Examples:
  captioner export flickr8k-lite0 --to my-model
  captioner caption photos -r --ext .txt --model my-model
"""
)
@click.argument("model")
@click.option(
    "--to",
    "folder",
    required=True,
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the model goes.",
)
@click.option("--beam", type=click.IntRange(1), metavar="N", help="Width of the search to record.")
@click.option(
    "--length-exponent",
    type=click.FloatRange(0),
    metavar="X",
    help="Length normalisation to record.",
)
@artifacts_option
def command(
    model: str,
    folder: Path,
    beam: int | None,
    length_exponent: float | None,
    artifacts: Path,
) -> None:
    """Pack MODEL, a pipeline's name or a folder, at half precision.

    The folder holds all it takes to caption photographs but the encoder's own weights.
    """
    from captioner.captioning.model_folder import find_model
    from captioner.cli.tensorflow import load_tensorflow

    found = find_model(model, artifacts)
    search = found.search()
    if beam is not None:
        search = dataclasses.replace(search, num_beams=beam)
    if length_exponent is not None:
        search = dataclasses.replace(search, length_exponent=length_exponent)
    load_tensorflow()
    from captioner.captioning.export import export_model
    from captioner.captioning.model_folder import ModelFolder
    from captioner.cli.clean import format_size

    packed = ModelFolder(export_model(found, folder, search), str(folder))
    click.echo(
        f"{folder}: {format_size(packed.size)}. Next: captioner caption PATH --model {folder}"
    )
