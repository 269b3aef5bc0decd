"""Shared fixtures: where the research data lies, when it is there at all."""

from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]


def _shared(name: str) -> Path:
    for folder in (PROJECT / name, PROJECT.parent / "shared" / name):
        if folder.is_dir():
            return folder
    pytest.skip(f"needs {name}/ in the project folder or beside it in shared/")


@pytest.fixture(scope="session")
def flickr8k_folder() -> Path:
    """The Flickr8k photographs, captions and split lists, as published."""
    return _shared("flickr8k")


@pytest.fixture(scope="session")
def photos_folder() -> Path:
    """A folder of photographs at original size."""
    return _shared("photos")
