"""The server's page in Chromium: photographs dropped, captions read, copied and downloaded."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from browser import find_violations, has_overflow, open_page
from PIL import Image

SCRIPT = Path(__file__).parents[1] / "serving" / "slow_server.py"
WINDOWS = [(width, scheme) for width in (390, 1400) for scheme in ("light", "dark")]
TOKEN = "a-token-of-some-length"
DROP = """
names => {
    const transfer = new DataTransfer();
    for (const [name, content] of names) transfer.items.add(new File([content], name));
    const event = new DragEvent("drop", { dataTransfer: transfer, bubbles: true });
    document.getElementById("drop").dispatchEvent(event);
}
"""


def photograph(name: str, colour: str = "red") -> dict:
    """Returns a file as Playwright takes it."""
    content = io.BytesIO()
    Image.new("RGB", (60, 40), colour).save(content, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": content.getvalue()}


@contextmanager
def serve(*arguments: str) -> Iterator[str]:
    """Starts a server; yields its address."""
    process = subprocess.Popen(
        [sys.executable, SCRIPT, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parents[2])},
    )
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/"
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def address():
    with serve() as address:
        yield address


@pytest.fixture
def page(browser, address):
    with open_page(browser, address) as page:
        yield page


def send(page, *files: dict) -> None:
    """Chooses files, and waits for their captions."""
    before = page.locator(".card").count()
    page.set_input_files("#files", files)
    num_cards = before + len(files)
    settled = "n => document.querySelectorAll('.card .caption, .card .error').length === n"
    page.wait_for_function(settled, arg=num_cards)


def download(page, kind: str) -> str:
    page.locator("#format").select_option(kind)
    with page.expect_download() as found:
        page.get_by_role("button", name="Download").click()
    assert found.value.suggested_filename == f"captions.{kind}"
    return found.value.path().read_bytes().decode()


@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
def test_page_fits_its_window_and_serves_everybody(browser, address, width, scheme):
    with open_page(browser, address, width=width, scheme=scheme) as page:
        torn = {"name": "torn.png", "mimeType": "image/png", "buffer": b""}
        send(page, photograph("a-rather-long-name-of-a-photograph.png"), photograph("b.png"), torn)
        page.locator("summary").first.click()
        page.locator("button.word").first.click()
        assert page.locator("#status").inner_text() == "2 of 3 captioned, 1 failed"
        assert not has_overflow(page)
        assert find_violations(page) == []


def test_what_is_dropped_is_captioned_or_told(page):
    page.evaluate(DROP, [["<img src=x onerror='hacked=1'>.png", "no image"]])
    page.locator(".card .error").wait_for()
    assert page.locator(".card .error").inner_text() == "This file is no image: it holds text."
    assert page.locator(".card .name").inner_text() == "<img src=x onerror='hacked=1'>.png"
    assert page.evaluate("window.hacked") is None


def test_a_file_that_is_too_large_is_not_even_sent(page):
    page.evaluate(DROP, [["large.png", "x" * 20_000_001]])
    told = page.locator(".card .error").inner_text()
    assert told == "This file is larger than the limit of 20 MB."


def test_captions_are_downloaded_as_they_were_chosen(page):
    send(page, photograph('b"c.png', "lime"), photograph("a.png"))
    page.locator("summary").first.click()
    page.get_by_role("button", name="another colour").first.click()
    assert download(page, "txt") == 'b"c.png\tanother colour\na.png\tcolour 255 0 0\n'
    assert download(page, "csv").splitlines()[:2] == [
        '"name","caption","confidence"',
        '"b""c.png","another colour","0.1"',
    ]
    first, second = json.loads(download(page, "json"))
    assert [first["caption"], second["caption"]] == ["another colour", "colour 255 0 0"]
    assert first["alternatives"][0]["caption"] == "colour 0 255 0"


def test_choosing_a_word_shows_where_the_model_looked(page):
    send(page, photograph("a.png"))
    card = page.locator(".card")
    card.get_by_role("button", name="255", exact=True).click()
    said = "“255” comes mostly from the upper right"
    assert card.locator(".veil").get_attribute("aria-label") == said
    page.locator("summary").first.click()
    page.get_by_role("button", name="another colour").first.click()
    assert card.locator(".veil").count() == 0, "the veil was of the other caption"
    card.get_by_role("button", name="another", exact=True).focus()
    page.keyboard.press("Enter")
    assert "“another”" in card.locator(".veil").get_attribute("aria-label")


def test_what_has_no_preview_has_no_words_to_choose(page):
    content = photograph("a.png")
    tiff = io.BytesIO()  # which Chromium does not show
    Image.open(io.BytesIO(content["buffer"])).save(tiff, "TIFF")
    send(page, {"name": "a.tif", "mimeType": "image/tiff", "buffer": tiff.getvalue()})
    page.get_by_text("no preview").wait_for()
    assert page.locator(".card .caption").inner_text() == "colour 255 0 0"
    assert page.locator("button.word").count() == 0


def test_captions_are_copied(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    send(page, photograph("a.png"))
    page.get_by_role("button", name=r"Copy the caption of a.png").click()
    page.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "colour 255 0 0"


def test_clearing_begins_anew(page):
    send(page, photograph("a.png"))
    page.get_by_role("button", name="Clear").click()
    assert page.locator(".card").count() == 0
    send(page, photograph("a.png"))
    assert page.locator("#status").inner_text() == "1 of 1 captioned"


def test_a_locked_page_opens_with_the_token(browser):
    with serve(TOKEN) as address:
        page = browser.new_page()  # the refusal stands on the console, and should
        page.goto(address)
        assert find_violations(page) == []
        page.get_by_label("Token").fill("something else entirely")
        page.get_by_role("button", name="Open").click()
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Open").click()
        send(page, photograph("a.png"))
        assert page.locator(".card .caption").inner_text() == "colour 255 0 0"
        page.close()
