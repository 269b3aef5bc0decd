"""A finished evaluation, its report, and a browser to open it in."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import start_browser
from evaluations import make_evaluation

from captioner.report.evaluation_page import write_report


@pytest.fixture(scope="session")
def evaluation(tmp_path_factory) -> Path:
    """The folder of a small evaluation with awkward texts."""
    return make_evaluation(tmp_path_factory.mktemp("evaluation"))


@pytest.fixture(scope="session")
def report(evaluation) -> Path:
    """Its report."""
    path = evaluation / "report.html"
    write_report(evaluation, path)
    return path


@pytest.fixture(scope="session")
def short_report(evaluation) -> Path:
    """The same with few images, for tests that look at each element of the page."""
    path = evaluation / "short.html"
    write_report(evaluation, path, max_images=8)
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; for one module only, since its event loop would be in the way of others."""
    with start_browser() as browser:
        yield browser
