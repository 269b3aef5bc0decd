"""A client of a server on this machine."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "captioning")]

from small_server import serve  # noqa: E402 - found through the path above


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """A client of a server on this machine."""
    with serve() as client:
        yield client


@pytest.fixture
def send(client) -> Callable[..., object]:
    """Sends contents as photographs; returns the response."""

    def post(*contents: bytes, **options: object) -> object:
        files = [("images", (f"{i}.png", content)) for i, content in enumerate(contents)]
        return client.post("/api/captions", files=files, **options)

    return post
