"""captioner explain: which places of a photograph each word of its caption comes from."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from captioner.cli.options import artifacts_option, check_folder, parse_colour
from captioner.errors import UsageError

if TYPE_CHECKING:
    from captioner.captioning.explanation import Explanation

_KINDS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_QUALITY = 92
_BATCH_SIZE = 8  # one photograph, or the greyed copies of it
_METHODS = {
    "attention": "Bright is where the model looked for the word.",
    "occlusion": "Bright is what the word depends on: greyed, it becomes less likely.",
}


@click.command(
    epilog="""
\b
Examples:
  captioner explain beach.jpg
  captioner explain beach.jpg -o beach-words.png --model flickr8k-attention

\b
A model with attention is asked where it looked. Of any other, places are greyed one by one to
see which words become less likely.
"""
)
@click.argument("photo", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("explanation.png"),
    show_default=True,
    help="The picture to write: .png, .jpg or .webp.",
)
@click.option("--model", metavar="NAME|DIR", help="Another model; see `captioner models`.")
@click.option("--beam", type=int, metavar="N", help="Width of the search; 1 is fastest.")
@click.option(
    "--background", default="white", show_default=True, help="Laid under what is transparent."
)
@artifacts_option
def command(
    photo: Path, out: Path, model: str | None, beam: int | None, background: str, artifacts: Path
) -> None:
    """Caption PHOTO and draw, word by word, which of its places the word comes from.

    One picture: the photograph, then a copy of it for each word, bright where it comes from.
    """
    from captioner.images import open_image

    _check_out(out, photo)
    colour = parse_colour(background)
    picture = open_image(photo, background=colour)
    explanation = _explain(photo, model, artifacts, beam, colour)
    from captioner.report.attention_sheet import draw_sheet

    sheet = draw_sheet(
        picture,
        explanation.words,
        explanation.weights,
        explanation.box,
        _METHODS[explanation.method],
    )
    from captioner.files import replace_file

    with replace_file(out) as file:
        sheet.save(file, _KINDS[out.suffix.lower()], quality=_QUALITY)
    click.echo(f"{out}: {explanation.caption}")


def _check_out(out: Path, photo: Path) -> None:
    if out.suffix.lower() not in _KINDS:
        raise UsageError(
            f"{out} cannot be written: its name says no known kind of picture. "
            f"Known: {', '.join(_KINDS)}."
        )
    check_folder(out)
    if out.exists() and photo.exists() and out.samefile(photo):
        raise UsageError(f"{out} is the photograph itself. Name another file with -o.")


def _explain(
    photo: Path, name: str | None, artifacts: Path, beam: int | None, colour: tuple[int, int, int]
) -> "Explanation":
    from captioner.captioning.model_folder import find_model
    from captioner.cli.tensorflow import load_tensorflow

    model = find_model(name, artifacts)
    load_tensorflow()
    from captioner.captioning.captioner import Captioner

    captioner = Captioner(model, batch_size=_BATCH_SIZE)
    return captioner.explain(photo, beam=beam, background=colour)
