"""The contact sheet in Chromium: reviewing, correcting, saving, on a screen and on a phone."""

import json

import pytest
from browser import find_violations, has_overflow, open_page
from PIL import Image
from selfcontained import find_policy, find_references

from captioner.captioning.sheets import render_sheet
from captioner.report.thumbnail import make_thumbnail

WINDOWS = [(width, scheme) for width in (390, 1400) for scheme in ("light", "dark")]
NUM_ROWS = 130
AWKWARD = {
    0: ("<script>hacked = 1</script>.jpg", "<img src=x onerror='hacked = 1'>"),
    1: ("quote\"s 'and' & more.jpg", "a dog says \"hello\" & 'bye'"),
    2: ("\N{HEBREW LETTER SHIN}\N{HEBREW LETTER LAMED}.jpg", "\N{HEBREW LETTER SHIN} a dog"),
}


def row_of(number: int) -> dict:
    thumbnail = make_thumbnail(Image.new("RGB", (80, 60), (number, 90, 200)))
    path, caption = AWKWARD.get(number, (f"trips/{number:03}.jpg", f"a dog on hill {number}"))
    return {
        "folder": "photos",
        "path": path,
        "status": "done",
        "caption": caption,
        "confidence": 0.2 + 0.6 * ((7 * number) % NUM_ROWS) / NUM_ROWS,
        "alternatives": [{"caption": f"a cat on hill {number}", "confidence": 0.1}],
        "link": f"photos/{number}.jpg",
        "thumbnail": [thumbnail.uri, thumbnail.width, thumbnail.height],
    }


@pytest.fixture(scope="module")
def sheet(tmp_path_factory):
    """A sheet of three pages, its last file a bad one."""
    failed = {"folder": "photos", "path": "torn.jpg", "status": "failed", "error": "is empty"}
    rows = [*map(row_of, range(NUM_ROWS - 1)), failed]
    path = tmp_path_factory.mktemp("sheet") / "captions.html"
    path.write_bytes(b"".join(render_sheet(rows)))
    return path


@pytest.fixture
def page(browser, sheet):
    with open_page(browser, sheet.as_uri()) as page:
        yield page
        page.evaluate("localStorage.clear()")


def correct(page, text, number=0):
    page.locator("textarea").nth(number).fill(text)


def save(page) -> list[dict]:
    with page.expect_download() as download:
        page.get_by_role("button", name="Save corrections").click()
    assert download.value.suggested_filename == "corrections.json"
    content = json.loads(download.value.path().read_text())
    assert (content["kind"], content["version"]) == ("captioner corrections", 1)
    return content["corrections"]


@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
def test_page_fits_its_window_and_serves_everybody(browser, sheet, width, scheme):
    with open_page(browser, sheet.as_uri(), width=width, scheme=scheme) as page:
        correct(page, "a brown dog")
        page.locator("summary").first.click()
        page.get_by_label("Find").fill(".jpg")
        page.get_by_label("Order").select_option("unsure")
        assert not has_overflow(page)
        page.get_by_label("Find").fill("00")  # fewer cards, for axe's sake
        assert find_violations(page) == []


def test_the_page_stands_alone(sheet):
    html = sheet.read_text()
    assert find_references(html) == []
    assert "connect-src 'none'" in find_policy(html)


def test_awkward_texts_are_read_as_they_were_written(page):
    for number, (path, caption) in AWKWARD.items():
        assert page.locator("textarea").nth(number).input_value() == caption
        assert page.locator(".card .name").nth(number).inner_text() == path
    assert page.evaluate("window.hacked") is None


def test_corrections_are_saved_with_what_they_replace(page):
    assert page.get_by_role("button", name="Save corrections").is_disabled()
    correct(page, "  a brown\ndog ", 3)
    correct(page, "a white dog", 5)
    page.locator("textarea").nth(7).fill("a black dog")
    page.get_by_role("button", name="Restore the caption of trips/007.jpg").click()
    assert save(page) == [
        {"folder": "photos", "path": f"trips/00{number}.jpg", "before": before, "caption": caption}
        for number, before, caption in (
            (3, "a dog on hill 3", "a brown dog"),
            (5, "a dog on hill 5", "a white dog"),
        )
    ]


def test_an_emptied_caption_is_no_correction_and_comes_back(page):
    correct(page, " ", 3)
    page.get_by_label("Find").focus()
    assert page.locator("textarea").nth(3).input_value() == "a dog on hill 3"
    assert page.get_by_role("button", name="Save corrections").is_disabled()


def test_another_caption_can_be_taken_over(page):
    card = page.locator(".card").nth(4)
    card.locator("summary").click()
    card.get_by_role("button", name="a cat on hill 4").click()
    assert [made["caption"] for made in save(page)] == ["a cat on hill 4"]


def test_unsure_captions_stand_out_and_come_first(page):
    page.get_by_label("Order").select_option("unsure")
    cards = page.locator(".card")
    assert "unsure" in cards.first.get_attribute("class")
    assert cards.first.locator(".badge").inner_text() == "unsure"
    page.get_by_label("Show").select_option("unsure")
    assert page.get_by_role("status").last.inner_text().startswith("13 of 130")
    page.get_by_label("Unsure below").fill("50")
    assert page.get_by_role("status").last.inner_text().startswith("65 of 130")


def test_pages_keep_what_was_corrected(page):
    assert page.locator(".card").count() == 60
    correct(page, "a brown dog", 3)
    page.get_by_role("button", name="Next").click()
    correct(page, "a lake", 0)
    page.get_by_role("button", name="Next").click()
    assert page.locator("#page-number").inner_text() == "page 3 of 3"
    assert page.locator(".card").count() == 10
    assert "This file is empty." in page.locator(".card").last.inner_text()
    page.get_by_label("Show").select_option("corrected")
    assert page.locator(".card .name").all_inner_texts() == ["trips/003.jpg", "trips/060.jpg"]
    assert len(save(page)) == 2


def test_photographs_are_found_by_words_and_names(page):
    page.get_by_label("Find").fill("HILL 77")
    assert page.locator(".card .name").all_inner_texts() == ["trips/077.jpg"]
    page.get_by_label("Find").fill("nothing like it")
    assert page.get_by_text("No photograph is like that.").is_visible()


def test_a_draft_that_comes_late_is_shown_and_not_lost(page, sheet):
    """A browser may bring what one visit stored only when the next has begun."""
    with page.expect_popup() as opened:
        page.evaluate("() => { open(location.href); }")
    other = opened.value
    correct(other, "a brown dog", 3)
    other.close(run_before_unload=True)
    page.locator("#restored", has_text="here again: 1").wait_for()
    assert page.locator("textarea").nth(3).input_value() == "a brown dog"
    page.reload()
    page.locator("#restored", has_text="here again: 1").wait_for()


def test_what_was_not_saved_is_there_after_a_visit_elsewhere(page, sheet):
    correct(page, "a brown dog", 3)
    page.goto("about:blank")
    page.goto(sheet.as_uri())
    page.locator("#restored", has_text="here again: 1").wait_for()
    assert page.locator("textarea").nth(3).input_value() == "a brown dog"
    page.get_by_role("button", name="Discard them").click()
    assert page.locator("textarea").nth(3).input_value() == "a dog on hill 3"
