"""The report in Chromium: what a person does with it, on a screen and on a phone."""

import pytest
from browser import find_violations, has_overflow, open_page
from evaluations import AWKWARD, make_evaluation

from captioner.report.evaluation_page import write_report

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
        page.locator("button.word").first.click()
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
    assert page.locator("#status").inner_text() == "48 of 60 images"
    page.get_by_role("button", name="Show 12 more").click()
    assert page.locator(".card").count() == 60
    assert page.locator("#status").inner_text() == "60 images"
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
    assert page.locator("#status").inner_text() == "No image has these words."
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


LIT = 60  # of 255, how dark the middle of the brightest place is at most
DARKNESS = """veil => {
    const pixels = veil.getContext("2d").getImageData(0, 0, veil.width, veil.height);
    const at = (x, y) => pixels.data[4 * (Math.round(y * veil.height) * veil.width
        + Math.round(x * veil.width)) + 3];
    return [0.25, 0.75].map(y => [1, 3, 5].map(x => at(x / 6, y)));
}"""


def darkness(card):
    """Returns how dark the veil over a photograph is at the middle of each place, 0 to 255."""
    return card.locator(".veil").evaluate(DARKNESS)


def test_choosing_a_word_shows_where_the_model_looked(page):
    card = page.locator(".card").nth(7)
    word = card.get_by_role("button", name="blue")
    assert card.locator(".veil").count() == 0
    word.click()
    upper, lower = darkness(card)
    assert upper[1] < LIT, "the second word looked at the second place"
    assert min(upper[0], upper[2], *lower) > 2 * LIT
    assert word.get_attribute("aria-pressed") == "true"
    said = "“blue” comes mostly from the upper middle"
    assert card.locator(".veil").get_attribute("aria-label") == said
    assert page.get_by_role("status").filter(has_text=said).count() == 1
    photo, veil = (card.locator(name).bounding_box() for name in (".photo", ".veil"))
    assert photo == veil
    card.get_by_role("button", name="wall").click()
    assert darkness(card)[0][2] < LIT
    assert card.locator("[aria-pressed=true]").all_inner_texts() == ["wall"]
    card.get_by_role("button", name="wall").click()
    assert card.locator(".veil").count() == 0
    assert card.locator("[aria-pressed=true]").count() == 0


def test_words_are_walked_with_the_keyboard(page):
    card = page.locator(".card").nth(7)
    card.get_by_role("button", name="a", exact=True).focus()
    page.keyboard.press("Enter")
    assert darkness(card)[0][0] < LIT
    page.keyboard.press("ArrowRight")
    assert darkness(card)[0][1] < LIT
    assert page.evaluate("document.activeElement.textContent") == "blue"
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.textContent") == "wall"
    page.keyboard.press("Escape")
    assert card.locator(".veil").count() == 0
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY", "a caption is one stop"


def test_words_stay_choosable_when_they_are_found_and_sorted(page):
    page.get_by_role("searchbox", name="Words").fill("blue")
    page.get_by_role("button", name="Best").click()
    card = page.locator(".card:has(img)").first
    word = card.get_by_role("button", name="blue")
    assert "hit" in word.get_attribute("class")
    word.click()
    assert card.locator(".veil").count() == 1


def test_captions_without_a_photograph_or_words_have_nothing_to_choose(page):
    page.get_by_role("button", name="Show 12 more").click()
    assert page.locator(".card:has(.missing) button.word").count() == 0
    assert page.locator(".card", has_text="(empty caption)").locator("button.word").count() == 0


def test_a_model_that_does_not_attend_has_no_words_to_choose(browser, tmp_path):
    folder = make_evaluation(tmp_path / "blind", 8, attends=False)
    write_report(folder, tmp_path / "blind.html")
    with open_page(browser, (tmp_path / "blind.html").as_uri()) as page:
        assert page.locator("button.word").count() == 0
        assert page.get_by_text("Choose a word of the model").count() == 0


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
