"""captioner report, from the command line down."""

import pytest
from evaluations import make_evaluation

from captioner.cli.app import run_command_line


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = run_command_line(["report", *map(str, arguments)])
        return code, *capsys.readouterr()

    return run


def test_a_folder_is_reported(call, evaluation, tmp_path):
    code, out, err = call(evaluation, "--max-images", 8)
    assert code == 0
    assert out.startswith("report.html: 8 of 60 images, ")
    assert "--images DIR" in err  # the image with the highest score has gone
    assert "<title>awkward: evaluation report</title>" in (tmp_path / "report.html").read_text()


def test_moved_photographs_are_looked_for_where_they_are(call, tmp_path):
    folder = make_evaluation(tmp_path / "evaluation", 8)
    (folder / "photos").rename(tmp_path / "moved")
    _, _, err = call(folder, "-o", "gone.html")
    assert "8 photographs could not be shown" in err
    code, _, err = call(folder, "-o", "found.html", "--images", "moved")
    assert code == 0
    assert "2 photographs could not be shown" in err


def test_a_name_without_evaluation_is_told_what_there_is(call):
    code, _, err = call("nothing")
    assert code == 2
    assert "There is no evaluation 'nothing'" in err


def test_a_pipeline_that_never_ran_is_told_how_to_run(call):
    code, _, err = call("quickstart")
    assert code == 2
    assert "captioner run quickstart" in err


def test_a_folder_that_is_not_there_is_named(call, evaluation):
    code, _, err = call(evaluation, "-o", "missing/report.html")
    assert code == 2
    assert err == (
        "captioner: missing/report.html cannot be written: there is no folder missing.\n"
    )


def test_an_older_evaluation_is_told_how_to_be_made_again(call, tmp_path):
    folder = make_evaluation(tmp_path / "evaluation", 8)
    (folder / "background.json").unlink()
    code, _, err = call(folder)
    assert code == 1
    assert "background.json is missing" in err
    assert "--stage evaluate" in err
