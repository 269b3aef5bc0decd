"""Pages that stand alone: one HTML file with its style, scripts and pictures inside.

Every text that a template shows is escaped. The page's own policy (CSP) lets it load nothing and
run no script but those written here, whose digests it names; so even a text that escaped from its
place could not act.
"""

import base64
import functools
import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from captioner import __version__
from captioner.report.wording import FILTERS

STYLE = "style.css"


def render(
    template: str, *, scripts: Sequence[str] = (), is_served: bool = False, **values: Any
) -> str:
    """Returns a whole page.

    Args:
        template: a file in `captioner/report/templates`, made on `base.html`.
        scripts: files in `captioner/report/scripts`, run in this order at the page's end.
        is_served: the page comes from a server and may talk to that server, and to no other;
            it may also show pictures that the browser holds (`blob:`).
        values: what the template shows. Texts are escaped; only `Markup` is taken as HTML.

    Raises:
        jinja2.UndefinedError: the template shows something that was not given.

    Example:

        html = render("report.html", scripts=["report.js"], title="flickr8k")
    """
    sources = [_read(f"scripts/{name}") for name in scripts]
    return (
        _environment()
        .get_template(template)
        .render(
            **values,
            style=Markup(_read(STYLE)),
            scripts=[Markup(source) for source in sources],
            policy=write_policy(sources, is_served=is_served),
            version=__version__,
        )
    )


def write_policy(sources: Sequence[str], *, is_served: bool = False) -> str:
    """Returns the content security policy of a page with these scripts."""
    digests = " ".join(f"'sha256-{_digest(source)}'" for source in sources)
    rules = {
        "default-src": "'none'",
        "script-src": digests if digests else "'none'",
        "style-src": "'unsafe-inline'",  # charts carry their style in attributes
        "img-src": "data: blob: 'self'" if is_served else "data:",
        "connect-src": "'self'" if is_served else "'none'",
        "base-uri": "'none'",
        "form-action": "'self'" if is_served else "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("captioner.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    return environment


@functools.cache
def _read(name: str) -> str:
    """Returns one of the files beside this module. Scripts are digested as they will stand."""
    return (resources.files("captioner.report") / name).read_text(encoding="utf-8")


def _digest(source: str) -> str:
    return base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
