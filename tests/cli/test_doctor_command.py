"""captioner doctor, from the command line down: what it says, and that it leaves nothing."""

import json

import pytest

from captioner.cli.app import run_command_line


@pytest.fixture
def call(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = run_command_line(["doctor", *map(str, arguments)])
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run


def test_a_sound_machine_is_told_so_and_left_as_it_was(call, tmp_path):
    code, out, err = call("quickstart")
    assert (code, err) == (0, "")
    assert "scenes will be drawn by the first run" in out
    assert "golden image" in out
    assert out.endswith("Nothing stands in the way of: captioner run quickstart\n")
    assert list(tmp_path.iterdir()) == []


def test_problems_come_with_remedies_and_exit_1(call, tmp_path):
    chosen = ("dataset.path=nowhere", "decoder.kind=attention", "extract.grid_side=8")
    settings = [word for setting in chosen for word in ("--set", setting)]
    code, out, _ = call("flickr8k-lite0", *settings, "--json")
    content = json.loads(out)
    assert code == 1
    wrong = [f for f in content["findings"] if f["verdict"] == "problem"]
    assert content["problems"] == len(wrong) == 3
    assert {f["subject"] for f in wrong} == {"pipeline", "data set", "grid"}
    assert all(f["remedy"] for f in wrong)
    assert list(tmp_path.iterdir()) == []


def test_the_folders_of_classes_are_looked_at(call, tmp_path):
    (tmp_path / "classes").mkdir()
    text = '[pretrain]\npath = "classes"\n[dataset]\nformat = "scenes"\n'
    (tmp_path / "mine.toml").write_text(text + '[backbone]\nname = "lenet_relu"\n')
    code, out, _ = call("mine.toml", "--json")
    (wrong,) = (f for f in json.loads(out)["findings"] if f["verdict"] == "problem")
    assert (code, wrong["subject"]) == (1, "classes")
    assert "classes holds no photograph" in wrong["found"]


def test_the_command_at_the_end_is_one_that_runs(call, tmp_path):
    text = '[dataset]\nformat = "scenes"\n[backbone]\nname = "lenet_relu"\nweights = "random"\n'
    (tmp_path / "mine.toml").write_text(text)
    _, out, _ = call("mine.toml", "--set", "train.epochs=2")
    assert out.endswith("captioner run mine.toml --set train.epochs=2\n")


def test_an_unknown_pipeline_is_a_slip(call):
    code, out, err = call("flickr9k")
    assert (code, out) == (2, "")
    assert "Did you mean 'flickr8k'?" in err
