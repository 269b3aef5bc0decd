import json
import re
import shutil
from collections import defaultdict
from dataclasses import asdict, replace

import pytest
from evaluations import (
    AWKWARD,
    BACKGROUND,
    BREAKOUT,
    SCRIPT,
    make_evaluation,
    make_images,
    make_looks,
)
from markupsafe import Markup, escape
from matplotlib.figure import Figure
from selfcontained import find_policy, find_references

from captioner.errors import ArtifactError
from captioner.report import evaluation_page
from captioner.report.charts import Chart, chart_losses, chart_scores
from captioner.report.evaluation import read_evaluation, write_evaluation
from captioner.report.evaluation_page import write_report
from captioner.report.gallery import make_cards
from captioner.report.page import render


@pytest.fixture(scope="module")
def html(report):
    return report.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def scores(evaluation):
    return json.loads((evaluation / "scores.json").read_text(encoding="utf-8"))


def test_what_is_written_is_read_back(tmp_path, scores):
    images = make_images(tmp_path, 8)
    looks = make_looks(images)
    write_evaluation(tmp_path, images, scores, BACKGROUND, looks)
    evaluation = read_evaluation(tmp_path)
    assert list(evaluation.images) == images
    assert evaluation.scores == scores
    assert evaluation.looks == looks
    told = {"photographs": str(tmp_path / "photos"), "ground": asdict(looks.ground)}
    assert evaluation.background == {**BACKGROUND, **told}


def test_texts_that_utf8_has_no_place_for_are_kept_and_shown(tmp_path, scores):
    """A file name that is not UTF-8, as Linux may have them, and half of an emoji."""
    image = make_images(tmp_path, 8)[5]
    odd = replace(image, path=image.path.with_name("caf\udce9.jpg"), references=("a \ud83d wall",))
    scores = {**scores, "constant_caption": "\ud83d"}
    write_evaluation(tmp_path, [odd], scores, BACKGROUND)
    evaluation = read_evaluation(tmp_path)
    assert evaluation.images == (odd,)
    assert evaluation.scores == scores


def test_a_page_with_such_texts_is_written(tmp_path, evaluation):
    folder = tmp_path / "copy"
    shutil.copytree(evaluation, folder)
    whole = read_evaluation(folder)
    odd = replace(whole.images[6], references=("a \ud83d wall",))
    write_evaluation(folder, [odd, *whole.images[7:]], whole.scores, BACKGROUND)
    write_report(folder, tmp_path / "report.html")
    assert "a \\ud83d wall" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_photographs_are_found_where_they_have_moved(tmp_path, scores):
    write_evaluation(tmp_path, make_images(tmp_path, 8), scores, BACKGROUND)
    (tmp_path / "photos").rename(tmp_path / "moved")
    assert not read_evaluation(tmp_path).images[0].path.exists()
    assert read_evaluation(tmp_path, tmp_path / "moved").images[0].path.exists()


@pytest.mark.parametrize("name", ["captions.jsonl", "scores.json", "background.json", "looks.npz"])
def test_a_missing_file_is_named_with_the_command_that_makes_it(tmp_path, evaluation, name):
    folder = tmp_path / "copy"
    shutil.copytree(evaluation, folder)
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match=rf"{name} is missing.*captioner run") as caught:
        write_report(folder, tmp_path / "report.html")
    assert str(folder) in str(caught.value)
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("line", ["{", "[]", '{"image_id": "1"}'])
def test_a_damaged_file_is_no_traceback(tmp_path, evaluation, line):
    folder = tmp_path / "copy"
    shutil.copytree(evaluation, folder)
    (folder / "captions.jsonl").write_text(line + "\n")
    with pytest.raises(ArtifactError, match=r"damaged or not an evaluation"):
        write_report(folder, tmp_path / "report.html")


NO_CHART = Chart(Markup(""), "", "")
DAMAGE = [None, "x", float("inf"), [], {}, True, -1, "\ud83d"]


@pytest.mark.parametrize("name", ["scores.json", "background.json", "captions.jsonl"])
def test_any_damaged_value_is_told_or_shown(tmp_path, evaluation, monkeypatch, name):
    """Each value in turn becomes something else; what is let pass must make a page."""
    monkeypatch.setattr(evaluation_page, "draw_charts", lambda *_: defaultdict(lambda: NO_CHART))
    folder = tmp_path / "copy"
    shutil.copytree(evaluation, folder)
    first, _, rest = (folder / name).read_text(encoding="utf-8").partition("\n")
    is_table = name.endswith("l")
    content = json.loads(first if is_table else f"{first}{rest}")
    num_refused = num_shown = 0
    for damaged in _damage(content):
        text = json.dumps(damaged)
        (folder / name).write_text(f"{text}\n{rest}" if is_table else text, encoding="utf-8")
        try:
            read = read_evaluation(folder)
        except ArtifactError:
            num_refused += 1
        else:
            evaluation_page.render_report(read, make_cards(read.images[:1], 1, None))
            num_shown += 1
    assert num_refused > 10
    assert num_shown > 5


def _damage(content):
    for value in DAMAGE:
        yield value
    for key in list(content) if isinstance(content, dict) else range(min(1, len(content))):
        kept = content[key]
        if isinstance(kept, dict | list):
            for inner in _damage(kept):
                content[key] = inner
                yield content
        else:
            for value in DAMAGE:
                content[key] = value
                yield content
        content[key] = kept


def test_a_damaged_file_of_looks_is_no_traceback(tmp_path, evaluation):
    folder = tmp_path / "copy"
    shutil.copytree(evaluation, folder)
    for content in (b"", b"PK no archive", (folder / "looks.npz").read_bytes()[:-40]):
        (folder / "looks.npz").write_bytes(content)
        with pytest.raises(ArtifactError, match=r"damaged or not an evaluation"):
            write_report(folder, tmp_path / "report.html")


def test_looks_of_other_images_are_refused(tmp_path, evaluation):
    folder = tmp_path / "copy"
    shutil.copytree(evaluation, folder)
    lines = (folder / "captions.jsonl").read_text().splitlines(keepends=True)
    (folder / "captions.jsonl").write_text("".join(lines[:-1]))
    with pytest.raises(ArtifactError, match=r"looks.npz is of 60 images and captions.jsonl of 59"):
        write_report(folder, tmp_path / "report.html")


def test_a_model_that_does_not_attend_has_a_report_without_looks(tmp_path):
    folder = make_evaluation(tmp_path / "blind", 8, attends=False)
    write_report(folder, tmp_path / "report.html")
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "looks-hint" not in html.partition("<script>")[0]
    assert "data-looks" not in html.partition("<script>")[0]
    assert not (folder / "looks.npz").exists()


def test_the_page_refers_to_nothing_outside_and_forbids_it(html):
    assert find_references(html) == []
    policy = find_policy(html)
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]


def test_references_outside_would_be_found():
    page = '<a href="http://a">b</a><style>@import "c"; d { e: url(//f) }</style><img onload="g">'
    assert find_references(page) == ["href=http://a", '@import "c"', "//f", "onload=g"]


def test_awkward_texts_stand_in_the_page_as_text(html):
    assert SCRIPT not in html
    assert BREAKOUT not in html
    for text in AWKWARD:
        assert all(escape(word) in html for word in text.split())
    assert html.count("<script>") == 3


def test_scores_stand_beside_signature_intervals_and_baselines(html, evaluation):
    scores = json.loads((evaluation / "scores.json").read_text())
    signature = scores["model"]["coco"]["signature"]["text"]
    text = re.sub(r"<[^>]*>", "", html)
    assert signature in text
    for system in [scores["model"]["coco"], *scores["baselines"].values()]:
        low, high = system["intervals"]["cider"]
        assert f"{100 * system['cider']:.1f}" in text
        assert f"{100 * low:.1f}\N{EN DASH}{100 * high:.1f}" in text
    for warning in scores["warnings"]:
        assert warning in text


def test_every_image_has_its_card_with_alternative_text_and_score(html):
    assert html.count('<li class="card"') == 60
    assert html.count("<img ") == html.count(' loading="lazy" decoding="async">') == 58
    assert html.count("This photograph is no longer where it was.") == 1
    assert 'alt="A red wall number 9."' in html
    assert "2 of the photographs could not be shown" in html


def test_timings_versions_and_command_are_told(html):
    for text in ("1 min 02 s", "1,000 MB", "3.11.7", "2026-01-02 03:04", "captioner run awkward"):
        assert text in html


def test_the_same_evaluation_gives_the_same_page(tmp_path, evaluation, html):
    write_report(evaluation, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == html


def test_fewer_images_are_said_to_be_fewer(tmp_path, evaluation):
    written = write_report(evaluation, tmp_path / "few.html", max_images=10)
    assert (written.num_images, written.num_scored) == (10, 60)
    html = (tmp_path / "few.html").read_text(encoding="utf-8")
    assert "10 of the 60 images, taken evenly from the best to the worst" in html


def test_a_pipeline_without_history_has_a_report_as_well(tmp_path, evaluation):
    folder = tmp_path / "copy"
    shutil.copytree(evaluation, folder)
    background = json.loads((folder / "background.json").read_text())
    bare = {**background, "history": [], "command": None, "vocabulary": None}
    (folder / "background.json").write_text(json.dumps(bare))
    write_report(folder, tmp_path / "bare.html", max_images=1)
    html = (tmp_path / "bare.html").read_text(encoding="utf-8")
    assert 'id="training"' not in html
    assert "makes it again" not in html


def test_rewards_are_not_drawn_as_a_loss(evaluation):
    history = json.loads((evaluation / "background.json").read_text())["history"]
    chart = chart_losses(history)
    assert "After epoch 2 rewards take the place of a training loss." in chart.text
    assert "rewards" not in chart_losses(history[:2]).text
    axes = Figure().subplots()
    chart_losses.__wrapped__(axes, history)
    train, dev = ([*line.get_ydata()] for line in axes.lines[:2])
    assert (train, dev) == ([4.0, 3.0], [3.5, 3.1, 3.2])


def test_charts_take_their_colours_from_the_page_and_have_words(evaluation):
    chart = chart_scores(json.loads((evaluation / "scores.json").read_text()))
    assert chart.svg.startswith('<svg viewBox="')
    assert f'role="img" aria-label="{chart.title}. {chart.text}"' in chart.svg
    assert "var(--series-1)" in chart.svg
    assert not re.search(r"#[0-9a-f]{6}\b", chart.svg)
    assert "BLEU-4" in chart.svg


def test_a_page_that_shows_what_it_was_not_given_is_refused():
    with pytest.raises(Exception, match="is undefined"):
        render("report.html")
