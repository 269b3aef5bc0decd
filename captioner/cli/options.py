"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

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
