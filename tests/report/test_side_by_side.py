"""Pages of `captioner compare` and `captioner probe`: made, read, and looked at in Chromium."""

import json
import shutil

import pytest
from browser import find_violations, has_overflow, open_page
from evaluations import BREAKOUT, SCRIPT
from markupsafe import escape
from selfcontained import find_policy, find_references

from captioner.cli.app import run_command_line
from captioner.report.probe_page import write_probe

WINDOWS = [(width, scheme) for width in (390, 1400) for scheme in ("light", "dark")]
WORDS = [f"word{number}" for number in range(30)] + [SCRIPT, BREAKOUT]


def encoder(name: str, area: float, warnings: tuple[str, ...] = ()) -> dict:
    areas = {word: area - 0.3 * place / len(WORDS) for place, word in enumerate(WORDS)}
    health = {"width": 1280, "num_constant": 0, "mean_cosine": 0.4, "effective_dimension": 90.0}
    return {
        "name": name,
        "area": area - 0.15,
        "deviation": 0.01,
        "words": areas,
        "health": {**health, "warnings": warnings},
    }


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    path = tmp_path_factory.mktemp("probe") / "probe.html"
    encoders = [encoder("flickr8k-lite0", 0.95), encoder(SCRIPT, 0.8, (f"nearly {BREAKOUT}",))]
    write_probe(
        path,
        {
            "num_images": 7000,
            "num_folds": 5,
            "words": dict.fromkeys(WORDS, 120),
            "encoders": encoders,
        },
    )
    return path


@pytest.fixture(scope="module")
def comparison(tmp_path_factory, evaluation):
    folder = tmp_path_factory.mktemp("comparison")
    other = folder / "<b>other"
    shutil.copytree(evaluation, other)
    lines = [json.loads(line) for line in (other / "captions.jsonl").read_text().splitlines()]
    for line in lines[::2]:
        line["caption"] = line["references"][0]
    (other / "captions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    path = folder / "comparison.html"
    names = [str(evaluation), str(other)]
    assert run_command_line(["compare", *names, "--bootstrap", "20", "--html", str(path)]) == 0
    return path


@pytest.fixture(params=["probe", "comparison"])
def page_file(request):
    return request.getfixturevalue(request.param)


def test_pages_refer_to_nothing_outside_and_run_nothing(page_file):
    html = page_file.read_text(encoding="utf-8")
    assert find_references(html) == []
    assert "script-src 'none'" in find_policy(html)
    assert "<script" not in html
    assert SCRIPT not in html
    assert BREAKOUT not in html


def test_a_comparison_shows_what_the_terminal_shows_and_the_photographs(comparison):
    html = comparison.read_text(encoding="utf-8")
    assert html.count('<li class="card">') == 24
    assert html.count("<img ") >= 22  # one photograph is damaged and one has gone
    assert str(escape('<i>&"')) in html, "image ids stand there as they are"
    assert "do not give the scores in its scores.json" in html
    assert "B \N{MINUS SIGN} A" in html
    assert "B against A, image by image: CIDEr higher on " in html
    assert html.count('class="small mono signature"') == 2


def test_the_better_caption_stands_first(comparison):
    first_card = comparison.read_text(encoding="utf-8").partition('<ul class="said">')[2]
    assert first_card.startswith('<li><b class="letter">B</b>')


def test_a_probe_shows_every_word_and_warning(probe):
    html = probe.read_text(encoding="utf-8")
    for word in WORDS:
        assert str(escape(word)) in html
    assert "Before you train on these features" in html
    assert "flickr8k-lite0 above" in html
    assert "0.800" in html


@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
def test_pages_fit_their_window_and_serve_everybody(browser, page_file, width, scheme):
    with open_page(browser, page_file.as_uri(), width=width, scheme=scheme) as page:
        for summary in page.locator("summary").all():
            summary.click()
        page.add_style_tag(content=".card { content-visibility: visible }")  # for axe to see all
        assert not has_overflow(page)
        assert find_violations(page) == []
