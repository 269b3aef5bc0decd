"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from captioner.errors import UsageError

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

pipeline_argument: Decorator = click.argument("pipeline", default="quickstart")
set_option: Decorator = click.option(
    "--set",
    "overrides",
    metavar="SECTION.KEY=VALUE",
    multiple=True,
    help="Override one setting of the pipeline file; can be given several times.",
)
artifacts_option: Decorator = click.option(
    "--artifacts",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("artifacts"),
    show_default=True,
    envvar="CAPTIONER_ARTIFACTS",
    help="Where results are kept.",
)

html_option: Decorator = click.option(
    "--html",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write it as a page to look at, one HTML file.",
)


def check_folder(path: Path) -> None:
    """Makes sure, before the work is done, that there is a folder for the file it ends in.

    Raises:
        UsageError: there is none.
    """
    if not path.absolute().parent.is_dir():
        raise UsageError(f"{path} cannot be written: there is no folder {path.parent}.")


def parse_colour(text: str) -> tuple[int, int, int]:
    """Returns the colour that `--background` names, as red, green and blue from 0 to 255.

    Raises:
        UsageError: it is no colour.
    """
    from PIL import ImageColor

    try:
        red, green, blue, *_ = ImageColor.getrgb(text)
    except ValueError:
        raise UsageError(
            f"--background takes a colour such as white, #ffeedd or rgb(255,238,221). "
            f"Received: {text!r}"
        ) from None
    return red, green, blue
