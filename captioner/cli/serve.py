"""captioner serve: a page and a JSON API that caption photographs on this machine."""

import math
import secrets
import socket
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from captioner.cli.options import artifacts_option, parse_colour
from captioner.errors import UsageError

if TYPE_CHECKING:
    from captioner.serving.gate import Rules
    from captioner.serving.photographs import ServedModel

# A full batch takes as long as a single photograph, so a large one would make that one wait.
_BATCH_SIZE = 8
_MIN_TOKEN = 16
_ANY_ADDRESS = {"0.0.0.0", "::"}


@click.command(
    epilog="""
\b
Examples:
  captioner serve                              the page at http://127.0.0.1:8000/
  captioner serve --port 0 --n-best 5          at any free port, five captions each
  captioner serve --host 0.0.0.0               for others as well, who need the printed token
  curl -F images=@beach.jpg http://127.0.0.1:8000/api/captions

\b
Photographs stay in memory and are forgotten with the answer. Ctrl-C, or SIGTERM, ends the server
when the requests in flight are answered.
"""
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Where to listen; others than this machine need a token.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="0 takes any that is free.",
)
@click.option(
    "--token",
    envvar="CAPTIONER_TOKEN",
    metavar="TEXT",
    help="What requests must carry.  [default: made and printed where others can connect]",
)
@click.option(
    "--allow-host",
    "host_names",
    metavar="NAME",
    multiple=True,
    help="Another name that the server goes by; can be given several times.",
)
@click.option("--model", metavar="NAME|DIR", help="Another model; see `captioner models`.")
@click.option("--beam", type=int, metavar="N", help="Width of the search; 1 is fastest.")
@click.option(
    "--n-best",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Captions for each photograph.",
)
@click.option(
    "--background", default="white", show_default=True, help="Laid under what is transparent."
)
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    default=_BATCH_SIZE,
    show_default=True,
    help="Photographs captioned together.",
)
@click.option(
    "--max-size",
    type=click.FloatRange(0, min_open=True),
    default=20.0,
    show_default=True,
    metavar="MB",
    help="Of one photograph.",
)
@click.option(
    "--max-files",
    type=click.IntRange(1),
    default=32,
    show_default=True,
    help="Photographs in one request.",
)
@artifacts_option
def command(
    host: str,
    port: int,
    token: str | None,
    host_names: tuple[str, ...],
    model: str | None,
    beam: int | None,
    n_best: int,
    background: str,
    batch_size: int,
    max_size: float,
    max_files: int,
    artifacts: Path,
) -> int:
    """Caption photographs on a web page of your own machine, or through its JSON API.

    Only this machine can connect unless --host says otherwise.
    """
    from captioner.serving.app import create_app
    from captioner.serving.limits import MEGABYTE, Limits
    from captioner.serving.server import bind, run_server

    max_bytes = max_size * MEGABYTE
    if not math.isfinite(max_bytes):
        raise UsageError(f"--max-size is a number of megabytes. Received: {max_size}")
    limits = Limits.for_photographs(max(1, round(max_bytes)), max_files)
    colour = parse_colour(background)
    listener = bind(host, port)
    rules = _choose_rules(listener, host, token, host_names)
    served = _load_model(model, artifacts, batch_size, beam, n_best, colour)
    app = create_app(served, limits, rules)
    run_server(app, listener, lambda: _announce(listener, host, rules.token))
    return 0


def _choose_rules(
    listener: socket.socket, host: str, token: str | None, host_names: tuple[str, ...]
) -> "Rules":
    from captioner.serving.gate import Rules
    from captioner.serving.server import is_local

    if token is not None and len(token) < _MIN_TOKEN:
        raise UsageError(
            f"A token has {_MIN_TOKEN} characters or more, so that it cannot be guessed. "
            f"Received: {len(token)}. Leave --token out to have one made."
        )
    if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
        raise UsageError(
            "A token has letters, digits and signs of ASCII and no blanks, since a header carries "
            "it. Leave --token out to have one made."
        )
    names = {host.lower(), *(name.lower() for name in host_names)}
    if is_local(listener):
        return Rules(frozenset(names), token=token)
    names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    made = secrets.token_urlsafe(24) if token is None else token
    return Rules(frozenset(names), takes_addresses=True, token=made)


def _load_model(
    name: str | None,
    artifacts: Path,
    batch_size: int,
    beam: int | None,
    n_best: int,
    background: tuple[int, int, int],
) -> "ServedModel":
    import numpy as np

    from captioner.captioning.model_folder import find_model
    from captioner.cli.tensorflow import load_tensorflow

    model = find_model(name, artifacts)
    load_tensorflow()
    from captioner.captioning.captioner import Captioner
    from captioner.serving.photographs import ServedModel

    captioner = Captioner(model, batch_size=batch_size)
    engine = captioner.engine(beam=beam, n_best=n_best)
    read = captioner.loader(background)
    blank = np.zeros((64, 64, 3), np.uint8)
    features = engine.encode(read(blank)[None])  # compiles, so that no visitor waits for it
    captions = engine.search(features)
    if engine.ground is not None:
        engine.look(features, captions)
    return ServedModel(model.name, engine, read, n_best, engine.ground)


def _announce(listener: socket.socket, host: str, token: str | None) -> None:
    port = listener.getsockname()[1]
    name = socket.gethostname() if host in _ANY_ADDRESS else host
    place = f"[{name}]" if ":" in name else name
    secret = "" if token is None else f"?token={quote(token, safe='')}"
    click.echo(f"Captioning photographs at http://{place}:{port}/{secret}")
    click.echo("Ctrl-C ends it.", err=True)
