"""captioner pretrain from the command line: results, resuming, and what users get wrong."""

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from captioner.backbones.trained import read_note
from captioner.classifiers.training import _TrainingRun
from captioner.cli.app import run_command_line
from captioner.config import Pipeline
from captioner.datasets.scenes.composition import KINDS
from captioner.datasets.scenes.single_objects import draw_objects

COLOURS = {"blue": (20, 40, 220), "red": (220, 30, 20)}
TINY = """
[backbone]
name = "lenet_relu3"
[pretrain]
path = "colours"
epochs = 2
batch_size = 8
rotation = 0
shear = 0
shift = 0
zoom = 0
dev_fraction = 0.25
"""
WITH_CAPTIONS = f"""{TINY}
[dataset]
format = "sidecar"
path = "captioned"
split_fractions = [0.6, 0.2, 0.2]
[tokenize]
min_count = 1
[decoder]
units = 8
embedding_size = 8
[train]
epochs = 1
[evaluate]
split = "dev"
max_words = 6
bootstrap = 10
"""


def draw_colours(folder: Path) -> None:
    noise = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for number in range(8):
            pixels = np.clip(noise.normal(colour, 25, (30, 40, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder where the tiny pipeline has trained its encoder."""
    folder = tmp_path_factory.mktemp("finished")
    draw_colours(folder / "colours")
    (folder / "tiny.toml").write_text(TINY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run_command_line(["pretrain", "tiny.toml"]) == 0
    return folder


@pytest.fixture
def project(finished, tmp_path, monkeypatch):
    """A copy of the finished folder, to work in."""
    folder = tmp_path / "project"
    shutil.copytree(finished, folder, symlinks=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def call(capfd, monkeypatch):
    """Runs a command in this process and returns (exit code, stdout, stderr)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["captioner", *arguments])
        code = run_command_line(list(arguments))
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run


def test_it_leaves_an_encoder_and_its_scores(project):
    folder = project / "artifacts" / "tiny" / "pretrain"
    assert read_note(folder / "encoder.weights.h5").class_names == ("blue", "red")
    scores = json.loads((folder / "scores.json").read_text())
    assert scores["num_images"] == 4
    assert np.sum(scores["confusion"]["counts"]) == 4
    assert (folder / "scores.txt").read_text().startswith("accuracy ")
    assert len((folder / "history.csv").read_text().splitlines()) == 3
    assert (folder / "failures.jsonl").read_text() == ""
    assert not list(folder.glob("*checkpoint*"))


def test_a_second_run_trains_nothing_and_shows_the_scores_again(project, call, monkeypatch):
    monkeypatch.setattr(_TrainingRun, "train_epoch", lambda run: pytest.fail("it trained"))
    code, out, _ = call("pretrain", "tiny.toml")
    assert code == 0
    assert out.startswith("accuracy ")
    assert out.rstrip().endswith(".weights.h5'")


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("pretrain.epochs=3", "pretrain.epochs changed from 2 to 3"),
        ("pretrain.zoom=0.1", "pretrain.zoom changed from 0.0 to 0.1"),
        ("backbone.name=lenet_relu", "backbone.name changed"),
        ("pretrain.input_size=[32,32]", "pretrain.resize changed"),
        ("pretrain.split_seed=1", "labelled images added"),
        ("pretrain.workers=2", None),
    ],
)
def test_status_explains(project, call, override, reason):
    code, out, _ = call("status", "tiny.toml", "--set", override)
    assert code == 0
    assert out.startswith("pretrain: up to date" if reason is None else "pretrain: stale")
    assert reason is None or reason in out


def test_status_explains_images_that_came_and_went(project, call):
    Image.new("RGB", (9, 9)).save(project / "colours" / "red" / "new.png")
    (project / "colours" / "blue" / "0.png").write_bytes(b"edited")
    _, out, _ = call("status", "tiny.toml")
    assert "1 labelled image added" in out
    assert "1 labelled image changed" in out


def test_a_damaged_image_is_counted_and_listed(project, call):
    (project / "colours" / "red" / "broken.jpg").write_bytes(b"no picture at all")
    code, _, err = call("pretrain", "tiny.toml", "--set", "pretrain.epochs=1")
    assert code == 3
    assert "1 image could not be used, listed in failures.jsonl" in err
    (line,) = (project / "artifacts/tiny/pretrain/failures.jsonl").read_text().splitlines()
    assert "broken.jpg" in json.loads(line)["path"]


def test_a_failure_names_the_command_that_resumes_and_resuming_works(project, call, monkeypatch):
    train_epoch, epochs = _TrainingRun.train_epoch, []

    def fail_in_the_second(run):
        epochs.append(len(run.history) + 1)
        if epochs == [1, 2]:
            raise OSError(28, "No space left on device")
        train_epoch(run)

    monkeypatch.setattr(_TrainingRun, "train_epoch", fail_in_the_second)
    arguments = ("pretrain", "tiny.toml", "--set", "pretrain.seed=5")
    code, _, err = call(*arguments)
    assert code == 1
    assert "No space left" in err
    assert "Resume with: captioner pretrain tiny.toml --set pretrain.seed=5" in err
    _, out, _ = call("status", *arguments[1:])
    assert out.startswith("pretrain: interrupted, will continue where it stopped")
    assert call(*arguments)[0] == 0
    assert epochs == [1, 2, 2]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: shutil.rmtree(f / "red"), "holds one class only, 'blue'"),
        (lambda f: (f / "green").mkdir(), "no photographs of 'green'"),
        (lambda f: [shutil.rmtree(f / c) for c in COLOURS], "it has no folders"),
        (
            lambda f: [p.write_bytes(b"x") for p in (f / "red").glob("*.png")],
            "8 of 16 images cannot be used, and 'red' has no image left to learn from",
        ),
    ],
)
def test_folders_that_cannot_be_learnt_from_are_told_in_words(project, call, spoil, message):
    spoil(project / "colours")
    code, _, err = call("pretrain", "tiny.toml")
    assert code == 1
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("pretrain.path=nowhere", "[pretrain] path = 'nowhere': no such file or folder"),
        ("pretrain.rotation=400", "[pretrain] rotation = 400: expected at most 180"),
        ("pretrain.epoch=4", "epoch = 4: unknown key. Known: .* Did you mean 'epochs'"),
        ("pretrain.freeze_below=fd1", "has no layer of that name"),
        ("backbone.weights=random", "the weights to begin with are [pretrain] weights"),
        ("backbone.input_size=[64, 64]", "set [pretrain] input_size"),
        ("pretrain.input_size=[4, 4]", "cannot take images of 4 x 4 pixels"),
        ("pretrain.weights=imagenet", "has no ImageNet weights"),
    ],
)
def test_slips_are_told_in_words(project, call, override, message):
    code, _, err = call("pretrain", "tiny.toml", "--set", override)
    assert code in (1, 2)
    pattern = message if ".*" in message else re.escape(message)
    assert re.search(pattern, err), err
    assert "Traceback" not in err


def test_a_pipeline_without_the_section_says_what_to_add(call):
    code, _, err = call("pretrain", "quickstart")
    assert code == 2
    assert "has no section [pretrain]" in err


def test_trained_weights_need_the_section_that_makes_them(call):
    code, _, err = call("run", "quickstart", "--set", "backbone.weights=pretrained", "--dry-run")
    assert code == 2
    assert "there is no section [pretrain] to make them" in err


def test_dry_run_writes_nothing(project, call):
    code, out, _ = call("pretrain", "tiny.toml", "--dry-run", "--set", "pretrain.epochs=1")
    assert code == 0
    assert out.startswith("pretrain  would run (stale, pretrain.epochs changed")


def test_run_trains_the_encoder_and_captions_with_it(project, call):
    """One file, one command: class folders to captions; the encoder trained before is reused."""
    (project / "captioned").mkdir()
    for name in COLOURS:
        for path in (project / "colours" / name).glob("*.png"):
            target = project / "captioned" / f"{name}{path.name}"
            shutil.copyfile(path, target)
            target.with_suffix(".txt").write_text(f"a {name} wall\na wall in {name}\n")
    (project / "tiny.toml").write_text(WITH_CAPTIONS)
    code, out, err = call("run", "tiny.toml")
    assert code == 0, err
    assert out.startswith("scores x 100")
    assert "pretrain  up to date" in err
    backbone = json.loads((project / "artifacts/tiny/train/backbone.json").read_text())
    assert backbone["weights"]["source"].endswith("encoder.weights.h5")
    assert backbone["outputs"]["vector"]["shape"] == [84]
    _, out, _ = call("status", "tiny.toml", "--set", "pretrain.epochs=1")
    stale = [line.partition(":")[0] for line in out.splitlines() if "stale" in line]
    assert stale == ["pretrain", "build", "extract", "train", "evaluate"]


def test_stages_of_a_pipeline_are_those_it_has(project):
    (project / "both.toml").write_text(WITH_CAPTIONS)
    tiny, both = (Pipeline.load(name).settings for name in ("tiny.toml", "both.toml"))
    assert tiny.stage_names == ("pretrain",)
    assert both.stage_names[:2] == ("pretrain", "build")
    assert both.backbone.weights == "pretrained"


def test_objects_are_drawn_evenly_and_the_same_each_time(tmp_path):
    for name in ("one", "two"):
        draw_objects(tmp_path / name, num_images=256, seed=4)
    files = sorted(path.relative_to(tmp_path / "one") for path in tmp_path.glob("one/*/*/*.jpg"))
    assert len(files) == 256
    assert {path.parts[1] for path in files} == set(KINDS)
    counts = [len(list((tmp_path / "one" / "dev" / kind).iterdir())) for kind in KINDS]
    assert counts == [2] * len(KINDS)
    same = files[:: len(files) // 8]
    assert all(
        (tmp_path / "one" / f).read_bytes() == (tmp_path / "two" / f).read_bytes() for f in same
    )


def test_models_lists_the_encoder_with_the_path_of_its_weights(project, call):
    code, out, _ = call("models", "--json")
    assert code == 0
    (found,) = [model for model in json.loads(out) if model["kind"] == "pretrained"]
    assert (found["name"], found["needs"]) == ("tiny", "lenet_relu3")
    assert Path(found["path"]).is_file()
    assert "Encoders trained here:\n  tiny  weights of lenet_relu3" in call("models")[1]
