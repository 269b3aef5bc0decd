"""Headless Chromium for tests, and what axe-core says of a page."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
AXE = PROJECT / "node_modules" / "axe-core" / "axe.min.js"
# without these Chromium asks its maker's hosts at every start, or needs a display or a sandbox
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextlib.contextmanager
def start_browser() -> Iterator[Any]:
    """Starts the system's Chromium; skips the test, saying why, where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra test)")
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    executable = os.environ.get("CHROMIUM") or next(filter(None, found), None)
    if executable is None:
        pytest.skip("needs Chromium (Debian: apt-get install chromium), or its path in CHROMIUM")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def open_page(browser: Any, url: str, *, width: int = 1400, scheme: str = "light") -> Iterator[Any]:
    """Opens a page in a window of its own; any message on its console is a failure."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    try:
        page.goto(url)
        yield page
        assert messages == []
    finally:
        page.close()


def find_violations(page: Any) -> list[str]:
    """Returns what axe-core finds wrong with a page, a line each."""
    page.evaluate(_read_axe())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        f"{rule['id']} ({rule['help']}): {node['html'][:200]}"
        for rule in found
        for node in rule["nodes"]
    ]


def has_overflow(page: Any) -> bool:
    """Whether a page is wider than its window."""
    return page.evaluate(
        "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )


def _read_axe() -> str:
    if not AXE.is_file():
        _fetch_axe()
    return AXE.read_text(encoding="utf-8")


def _fetch_axe() -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs axe-core: npm install --no-save axe-core")
    options = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
    AXE.parent.mkdir(parents=True, exist_ok=True)
    # tests run in several processes: each fetches its own, and the file is there at once or not
    with tempfile.TemporaryDirectory(dir=AXE.parents[1]) as folder:
        try:
            subprocess.run(
                [npm, "install", *options, "--prefix", folder, "axe-core@4"],
                check=True,
                capture_output=True,
                timeout=120,
            )
        except (subprocess.SubprocessError, OSError) as error:
            pytest.skip(f"needs axe-core, and npm could not fetch it: {error}")
        os.replace(Path(folder, "node_modules", "axe-core", AXE.name), AXE)
