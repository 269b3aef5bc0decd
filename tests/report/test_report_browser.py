"""The report in Chromium: what a person does with it, on a screen and on a phone."""

import pytest
from browser import find_violations, has_overflow, open_page
from evaluations import AWKWARD

WINDOWS = [(width, scheme) for width in (390, 1400) for scheme in ("light", "dark")]


@pytest.fixture
def page(browser, report):
    with open_page(browser, report.as_uri()) as page:
        yield page


def ciders(page):
    return [float(text) for text in page.locator(".frame b").all_text_contents()]


def captions(page):
    return page.locator(".card .caption").all_text_contents()


@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
def test_page_fits_its_window_and_serves_everybody(browser, short_report, width, scheme):
    with open_page(browser, short_report.as_uri(), width=width, scheme=scheme) as page:
        for summary in page.locator("summary").all()[:4]:
            summary.click()
        page.add_style_tag(content=".card { content-visibility: visible }")  # for axe to see all
        assert not has_overflow(page)
        assert find_violations(page) == []


def test_awkward_texts_are_read_as_they_were_written(page):
    assert page.evaluate("window.hacked") is None
    assert captions(page)[:4] == AWKWARD[:4]
    assert captions(page)[4] == "(empty caption)"


def test_images_are_ordered_by_score(page):
    page.get_by_role("button", name="Best").click()
    assert ciders(page) == sorted(ciders(page), reverse=True)
    page.get_by_role("button", name="Worst").click()
    assert ciders(page) == sorted(ciders(page))
    assert ciders(page)[0] == 0
    assert page.locator("[aria-pressed=true]").all_inner_texts() == ["Worst"]


def test_random_order_shows_the_same_images_otherwise(page):
    page.get_by_role("button", name="Show 12 more").click()
    before = captions(page)
    page.get_by_role("button", name="Random").click()
    page.get_by_role("button", name="Show 12 more").click()
    assert captions(page) != before
    assert sorted(captions(page)) == sorted(before)


def test_few_cards_are_shown_until_more_are_asked_for(page):
    assert page.locator(".card").count() == 48
    assert page.get_by_role("status").inner_text() == "48 of 60 images"
    page.get_by_role("button", name="Show 12 more").click()
    assert page.locator(".card").count() == 60
    assert page.get_by_role("status").inner_text() == "60 images"
    assert page.locator("#more").is_hidden()


def test_images_are_found_by_the_words_of_their_captions(page):
    field = page.get_by_role("searchbox", name="Words")
    field.fill("GRE wal")
    found = captions(page)
    assert len(found) > 10
    assert set(found) == {"a green wall"}
    assert page.locator(".card").first.locator(".hit").all_text_contents() == ["green", "wall"]
    field.fill("nothing")
    assert captions(page) == []
    assert page.get_by_role("status").inner_text() == "No image has these words."
    page.get_by_label("in the captions of").select_option("people")
    assert len(captions(page)) == 48
    field.fill("החוף")
    assert captions(page) == [AWKWARD[2]]


def test_choosing_a_word_shows_its_images(page):
    page.locator("[data-scope=people] .chip", has_text="nothing").click()
    assert page.get_by_role("searchbox", name="Words").input_value() == "nothing"
    assert page.get_by_label("in the captions of").input_value() == "people"
    assert page.locator(".card").count() == 48


def test_other_captions_are_shown_on_demand(page):
    card = page.locator(".card").first
    assert not card.locator(".others").is_visible()
    card.get_by_text("2 more by the model").click()
    assert card.locator(".others").is_visible()
    assert "the red" in card.locator(".others").inner_text()


def test_the_keyboard_reaches_every_control(page):
    page.get_by_role("searchbox", name="Words").focus()
    page.keyboard.type("blue")
    assert set(captions(page)) == {"a blue wall"}
    page.get_by_role("button", name="Worst").focus()
    page.keyboard.press("Space")
    assert page.locator("[aria-pressed=true]").all_inner_texts() == ["Worst"]


def test_paper_shows_no_controls(page):
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("#tools").is_hidden()
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)"


def test_without_scripts_all_images_are_there(browser, report):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    assert page.locator(".card").count() == 60
    assert page.locator("#tools").is_hidden()
    context.close()
