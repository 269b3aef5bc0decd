"""A server whose model names colours, and photographs of one colour to send to it."""

import functools
import io

from fake_model import RULE, ColourEngine
from PIL import Image
from starlette.testclient import TestClient

from captioner.images import load_image
from captioner.serving.app import create_app
from captioner.serving.gate import Rules
from captioner.serving.limits import Limits
from captioner.serving.photographs import ServedModel

LOCAL = "http://127.0.0.1:8000"


def photograph(colour: object = "red", kind: str = "PNG", side: int = 8) -> bytes:
    """Returns the content of an image file of one colour."""
    content = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(content, kind)  # type: ignore[arg-type]
    return content.getvalue()


def serve(
    engine: ColourEngine | None = None,
    *,
    limits: Limits | None = None,
    rules: Rules | None = None,
    n_best: int = 3,
) -> TestClient:
    """Returns a client of a server of its own; use it as a context manager."""
    model = ServedModel(
        "colours",
        ColourEngine(4, n_best) if engine is None else engine,
        functools.partial(load_image, rule=RULE),
        n_best,
        getattr(engine, "ground", None),
    )
    app = create_app(
        model,
        Limits() if limits is None else limits,
        Rules() if rules is None else rules,
    )
    return TestClient(app, base_url=LOCAL)
