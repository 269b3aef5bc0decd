"""captioner export: packs a trained model into a folder of its own."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from captioner.cli.options import artifacts_option

if TYPE_CHECKING:
    from captioner.captioning.model_folder import ModelFolder


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
@click.option(
    "--max-words",
    type=click.IntRange(1),
    metavar="N",
    help="Longest caption to record; a search that need not look for longer ones is faster.",
)
@click.option(
    "--no-repeat-ngram",
    type=click.IntRange(0),
    metavar="N",
    help="Let no N words in a row stand in a caption twice; 0 lets them.",
)
@click.option("--no-stutter", is_flag=True, help="Let no word stand directly behind itself.")
@click.option("--no-dangling", is_flag=True, help='Let no caption end in "a", "with" and the like.')
@click.option(
    "--expectation",
    is_flag=True,
    help="Pack along what people can be expected to say of an image, learnt from the training "
    "captions of the pipeline MODEL: the captions that a beam finds are then ranked by it.",
)
@artifacts_option
def command(
    model: str,
    folder: Path,
    beam: int | None,
    length_exponent: float | None,
    max_words: int | None,
    no_repeat_ngram: int | None,
    no_stutter: bool,
    no_dangling: bool,
    expectation: bool,
    artifacts: Path,
) -> None:
    """Pack MODEL, a pipeline's name or a folder, at half precision.

    The folder holds all it takes to caption photographs but the encoder's own weights.
    """
    from captioner.captioning.model_folder import check_destination, find_model
    from captioner.cli.tensorflow import load_tensorflow

    check_destination(folder)
    found = find_model(model, artifacts)
    wishes: dict[str, Any] = {
        "num_beams": beam,
        "length_exponent": length_exponent,
        "max_length": max_words,
        "no_repeat_ngram": no_repeat_ngram,
        "no_stutter": True if no_stutter else None,
        "never_last": _dangling_ids(found) if no_dangling else None,
    }
    changes = {key: value for key, value in wishes.items() if value is not None}
    search = dataclasses.replace(found.search(), **changes)
    load_tensorflow()
    from captioner.captioning.export import export_model
    from captioner.captioning.model_folder import ModelFolder
    from captioner.cli.clean import format_size
    from captioner.pipeline.current import find_current
    from captioner.stages.expectation import learn_expectation

    homes = [home for home in (Path(model), artifacts / model) if find_current(home, "train")]
    expected = learn_expectation(homes[0] if homes else artifacts / model) if expectation else None
    packed = ModelFolder(export_model(found, folder, search, expected), str(folder))
    click.echo(
        f"{folder}: {format_size(packed.size)}. Next: captioner caption PATH --model {folder}"
    )


def _dangling_ids(model: "ModelFolder") -> tuple[int, ...]:
    from captioner.captioning.model_folder import VOCABULARY
    from captioner.text.dangling import find_dangling_ids
    from captioner.text.vocabulary import Vocabulary

    return find_dangling_ids(Vocabulary.load(model.path / VOCABULARY))
