"""Whole pipelines through the command line, on a few drawn photographs and a tiny decoder."""

import csv
import io
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from captioner.cli.app import run_command_line
from captioner.datasets.scenes.drawing import draw_scenes
from captioner.features.pickles import read_features_pickle

STAGES = ["build", "extract", "tokenize", "train", "evaluate"]
TINY = """
[dataset]
format = "flickr8k"
path = "photos"
[extract]
batch_size = 8
[tokenize]
min_count = 1
[decoder]
units = 16
embedding_size = 16
[train]
epochs = 2
batch_size = 40
[evaluate]
max_words = 8
bootstrap = 20
"""


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """Sixty scenes in Flickr8k's layout."""
    folder = tmp_path_factory.mktemp("drawn") / "photos"
    draw_scenes(folder, num_images=60, seed=3)
    return folder


@pytest.fixture(scope="session")
def finished(drawn, tmp_path_factory):
    """A folder where the tiny pipeline has run from end to end."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copytree(drawn, folder / "photos")
    (folder / "tiny.toml").write_text(TINY)
    result = subprocess.run(
        [sys.executable, "-m", "captioner", "run", "tiny.toml"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    (folder / "stdout.txt").write_text(result.stdout)
    (folder / "stderr.txt").write_text(result.stderr)
    return folder


@pytest.fixture
def project(finished, tmp_path, monkeypatch):
    """A copy of the finished folder, to work in."""
    folder = tmp_path / "project"
    shutil.copytree(finished, folder, symlinks=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def call(capfd):
    """Runs a command in this process and returns (exit code, stdout, stderr)."""

    def run(*arguments):
        code = run_command_line([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def stale(call):
    """Returns the stages that are not up to date, with the reason in words."""

    def find(*options):
        code, out, _ = call("status", "tiny.toml", "--json", *options)
        assert code == 0
        stages = json.loads(out)["stages"]
        return {s["stage"]: s["reasons"] for s in stages if s["verdict"] != "up to date"}

    return find


def image_paths(project):
    return sorted((project / "photos" / "Images").glob("*.jpg"))


def in_split(project, split):
    listing = project / "photos" / f"Flickr_8k.{split}Images.txt"
    return [project / "photos" / "Images" / name for name in listing.read_text().split()]


def add_images(project, number, split="train"):
    token, listing = (
        project / "photos" / name for name in ("Flickr8k.token.txt", f"Flickr_8k.{split}Images.txt")
    )
    for index in range(number):
        name = f"added_{index}.jpg"
        Image.new("RGB", (50, 40), (40 * index, 90, 10)).save(project / "photos" / "Images" / name)
        with open(token, "a") as captions, open(listing, "a") as images:
            captions.writelines(f"{name}#{n}\ta plain wall number {n}\n" for n in range(5))
            images.write(f"{name}\n")


TIMED = {"history.csv", "background.json", "report.html"}


def digests(project):
    """The digests of what a pipeline made, but for what tells time."""
    found = {}
    for stage in ("extract", "tokenize", "train", "evaluate"):
        manifest = json.loads((project / "artifacts/tiny" / stage / "manifest.json").read_text())
        outputs = {name: output["sha256"] for name, output in manifest["outputs"].items()}
        found[stage] = {k: v for k, v in outputs.items() if k not in TIMED}
    return found


def test_the_first_run_leaves_everything_that_the_design_promises(finished):
    for name in (
        "build/backbone.json",
        "extract/features.pkl",
        "extract/failures.jsonl",
        "tokenize/vocabulary.json",
        "tokenize/tokens.npz",
        "tokenize/descriptions.txt",
        "train/decoder.json",
        "train/decoder.weights.h5",
        "train/history.csv",
        "evaluate/captions.jsonl",
        "evaluate/scores.json",
        "evaluate/report.html",
    ):
        assert (finished / "artifacts/tiny" / name).stat().st_size >= 0
    assert not list((finished / "artifacts/tiny/train").glob("*checkpoint*"))


def test_the_first_run_tells_scores_on_stdout_and_progress_on_stderr(finished):
    out, err = ((finished / name).read_text() for name in ("stdout.txt", "stderr.txt"))
    assert out.startswith("scores x 100")
    assert "protocol:coco|nrefs:5|" in out
    assert "nearest neighbour" in out
    for stage in STAGES:
        assert f"{stage:<9} done in" in err
    assert "oneDNN" not in err


def test_features_pickle_is_plain(finished):
    with open(finished / "artifacts/tiny/extract/features.pkl", "rb") as file:
        features = pickle.load(file)
    assert len(features) == 60
    assert {(v.shape, v.dtype.name) for v in features.values()} == {((1280,), "float32")}
    assert not any(name.endswith(".jpg") for name in features)


def test_a_second_run_executes_nothing(project, call):
    code, out, err = call("run", "tiny.toml")
    assert code == 0
    assert out.startswith("scores x 100")
    assert "done in" not in err
    assert [line.split()[0] for line in err.splitlines() if line.endswith("up to date")] == STAGES


@pytest.mark.parametrize(
    ("override", "reason", "stages"),
    [
        ("train.epochs=3", "train.epochs changed from 2 to 3", STAGES[3:]),
        ("evaluate.beam=2", "evaluate.beam changed from 3 to 2", STAGES[4:]),
        ("decoder.units=8", "decoder.units changed from 16 to 8", STAGES[3:]),
        ("tokenize.min_count=2", "tokenize.min_count changed from 1 to 2", STAGES[2:]),
        ("backbone.weights=random", "backbone.weights changed", ["build", "extract", *STAGES[3:]]),
        ("extract.batch_size=5", None, []),
    ],
)
def test_a_changed_setting_reaches_exactly_the_stages_it_must(
    project, stale, override, reason, stages
):
    found = stale("--set", override)
    assert list(found) == stages
    assert all(any(reason in words for words in reasons) for reasons in found.values())


def test_added_removed_and_edited_photographs(project, call, stale):
    add_images(project, 3)
    assert list(stale()) == STAGES[1:]
    assert "3 images added" in stale()["extract"]
    in_split(project, "train")[0].unlink()
    Image.new("RGB", (30, 30), (200, 0, 0)).save(in_split(project, "train")[1])
    assert stale()["extract"] == ["3 images added", "1 image removed", "1 image changed"]
    code, _, err = call("run", "tiny.toml", "--stage", "extract")
    assert code == 0
    assert "62 images: 58 reused, 4 computed" in err
    assert "skipped: 6 x no such image (listed by tokenize in skipped.jsonl)" in err


def test_a_test_photograph_edited_in_place_does_not_move_training(project, stale):
    path = in_split(project, "test")[0]
    status = path.stat()
    time.sleep(0.02)
    Image.new("RGB", (30, 30), (200, 0, 0)).save(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert list(stale()) == ["extract", "evaluate"]


def test_going_back_is_free(project, call):
    assert call("run", "tiny.toml", "--set", "evaluate.beam=2")[0] == 0
    code, _, err = call("run", "tiny.toml")
    assert code == 0
    assert "done in" not in err


def test_dry_run_runs_nothing(project, call):
    code, out, _ = call("run", "tiny.toml", "--set", "train.epochs=3", "--dry-run")
    assert code == 0
    assert "train     would run (stale, train.epochs changed from 2 to 3)" in out
    assert "extract   would keep (up to date)" in out


def test_status_and_dry_run_before_the_first_run(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    code, out, err = call("status")
    assert (code, out.count("not yet run")) == (0, 5)
    assert "not been drawn yet" in err
    assert call("run", "--dry-run")[0] == 0
    assert list(tmp_path.iterdir()) == []


def test_clean_removes_what_no_pipeline_points_to(project, call, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert call("run", "tiny.toml", "--set", "evaluate.beam=2")[0] == 0
    assert call("clean")[0] == 2  # nobody there to confirm
    code, out, _ = call("clean", "--yes")
    assert code == 0
    assert "Removed 1," in out
    assert len(list((project / "artifacts/evaluate").iterdir())) == 1
    assert "Nothing to remove" in call("clean")[1]
    kept = next((project / "artifacts/evaluate").iterdir())
    kept.rename(kept.with_name(f".retired-{kept.name}"))  # a replacement that was cut short
    assert "Nothing to remove" in call("clean", "--yes")[1]
    assert kept.is_dir()


def test_a_corrupt_photograph_is_listed_and_does_not_stop_the_run(project, call):
    bad = in_split(project, "train")[0]
    bad.write_bytes(bad.read_bytes()[:300])
    in_split(project, "dev")[0].write_bytes(b"")
    in_split(project, "test")[0].write_text("<html>404</html>")
    code, out, err = call("run", "tiny.toml")
    assert code == 3
    assert "3 failed" in err
    assert out.startswith("scores x 100")
    lines = (project / "artifacts/tiny/extract/failures.jsonl").read_text().splitlines()
    causes = [json.loads(line)["cause"] for line in lines]
    assert len(causes) == 3
    assert any("empty" in cause for cause in causes)
    assert any("HTML" in cause for cause in causes)
    assert call("run", "tiny.toml")[0] == 3  # the result still lacks them


def test_all_photographs_failing_stops_the_run(project, call):
    for path in image_paths(project):
        path.write_bytes(b"rubbish")
    code, _, err = call("run", "tiny.toml")
    assert code == 1
    assert "Resume with: captioner" in err
    assert "Traceback" not in err


def test_features_made_elsewhere_are_trained_on(project, call):
    features = read_features_pickle(project / "artifacts/tiny/extract/features.pkl")
    course = {f"{image_id}": features.read("vector", [image_id]) for image_id in features.image_ids}
    assert next(iter(course.values())).shape == (1, 1280)
    with open("course.pkl", "wb") as file:
        pickle.dump(course, file)
    code, out, err = call("run", "tiny.toml", "--set", "train.features=course.pkl")
    assert code == 0, err
    assert out.startswith("scores x 100")
    assert "extract   " not in err


class Hostile:
    def __reduce__(self):
        return os.system, ("touch hostile-was-here",)


def test_a_hostile_pickle_is_refused_and_not_run(project, call):
    with open("hostile.pkl", "wb") as file:
        pickle.dump({"a": Hostile()}, file)
    code, _, err = call("run", "tiny.toml", "--set", "train.features=hostile.pkl")
    assert code == 1
    assert "system" in err
    assert "Traceback" not in err
    assert not (project / "hostile-was-here").exists()


def test_features_of_other_images_are_refused(project, call):
    with open("other.pkl", "wb") as file:
        pickle.dump({"elsewhere": np.ones(8, "float32")}, file)
    code, _, err = call("run", "tiny.toml", "--set", "train.features=other.pkl")
    assert code == 1
    assert "None of the data set's 60 images is among the 1 with features" in err


def test_an_empty_split_names_those_that_are_not(project, call):
    (project / "photos/Flickr_8k.testImages.txt").unlink()
    code, _, err = call("run", "tiny.toml")
    assert code == 1
    assert "no image in split 'test'" in err
    assert "--set evaluate.split=dev" in err


def test_an_image_in_two_splits_is_an_error(project, call):
    with open(project / "photos/Flickr_8k.devImages.txt", "a") as file:
        file.write(in_split(project, "train")[0].name + "\n")
    code, _, err = call("run", "tiny.toml")
    assert code == 1
    assert in_split(project, "train")[0].stem in err


def test_what_people_say_is_packed_with_a_model(project, call):
    code, out, err = call("export", "tiny", "--to", "packed", "--beam", 3, "--expectation")
    assert code == 0, err
    assert "packed/expectation.npz" in {str(path) for path in Path().glob("packed/*")}
    photo = next(Path("photos").rglob("*.jpg"))
    code, out, err = call("caption", photo, "--model", "packed")
    assert code == 0, err
    assert out.strip()
    assert call("export", "artifacts/tiny", "--to", "by-path", "--expectation")[0] == 0
    Path("artifacts/tiny/tokenize/vocabulary.json").write_text("[]")
    code, _, err = call("export", "tiny", "--to", "stale", "--expectation")
    assert (code, Path("stale").exists()) == (2, False)
    assert "Bring it up to date first: captioner run tiny" in err


def test_captions_made_by_anything_are_scored(project, call):
    lines = (project / "artifacts/tiny/evaluate/captions.jsonl").read_text()
    (project / "mine.jsonl").write_text(lines)
    code, out, _ = call("evaluate", "mine.jsonl", "--pipeline", "tiny.toml", "--json")
    assert code == 0
    ours = json.loads((project / "artifacts/tiny/evaluate/scores.json").read_text())
    assert json.loads(out)["model"]["coco"]["bleu_4"] == ours["model"]["coco"]["bleu_4"]
    captions = [json.loads(line)["references"][0] for line in lines.splitlines()]
    (project / "mine.txt").write_text("\n".join(captions) + "\n")
    code, out, _ = call(
        "evaluate", "mine.txt", "--format", "flickr8k", "--data", "photos", "--out", "scores.json"
    )
    assert code == 0
    assert out.startswith("scores x 100")
    assert json.loads((project / "scores.json").read_text())["model"]["coco"]["bleu_1"] > 0.999


def test_a_model_is_scored_as_it_captions(project, call):
    assert call("run", "tiny.toml", "--set", "evaluate.max_words=30")[0] == 0  # as models have it
    stored = json.loads((project / "artifacts/tiny/evaluate/scores.json").read_text())
    code, out, err = call("evaluate", "--model", "tiny", "--pipeline", "tiny.toml", "--json")
    assert code == 0, err
    scores = json.loads(out)["model"]["coco"]
    assert scores["cider"] == pytest.approx(stored["model"]["coco"]["cider"])
    torn = next(
        path
        for path in Path("photos").rglob("*.jpg")
        if path.stem in (project / "artifacts/tiny/evaluate/captions.jsonl").read_text()
    )
    torn.write_bytes(b"no photograph")
    asked = ("evaluate", "--model", "shipped", "--pipeline", "tiny.toml", "--beam", 2, "--json")
    code, out, err = call(*asked)
    assert code == 3, err
    assert f"Left out, as they cannot be captioned: 1\n  {torn.stem}: " in err
    signature = json.loads(out)["model"]["coco"]["signature"]
    assert signature["images"] == stored["model"]["coco"]["signature"]["images"] - 1
    assert (
        "|beam:2|norm:1.0|rules:2grams-once+no-stutter+no-dangling+expectation|"
        in (signature["text"])
    )


def test_what_is_to_be_scored_is_said_once(project, call):
    code, _, err = call("evaluate", "mine.txt", "--model", "tiny", "--pipeline", "tiny.toml")
    assert (code, "Give one of the two" in err) == (2, True)
    code, _, err = call("evaluate", "--beam", 2, "--pipeline", "tiny.toml")
    assert (code, "--set evaluate.beam=2" in err) == (2, True)


def test_too_few_captions_are_an_error(project, call):
    (project / "mine.txt").write_text("a dog\n")
    code, _, err = call("evaluate", "mine.txt", "--pipeline", "tiny.toml")
    assert code == 1
    assert "1 lines for" in err


@pytest.mark.parametrize("kind", ["merge"])
def test_the_course_s_decoder_with_the_course_s_cleaning(project, call, kind):
    code, _, err = call(
        "run", "tiny.toml", "--set", f"decoder.kind={kind}", "--set", "tokenize.scheme=tutorial"
    )
    assert code == 0, err


def run_until_killed(folder, seconds):
    process = subprocess.Popen(
        [sys.executable, "-m", "captioner", "run", "tiny.toml"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_in_the_same_bytes(finished, drawn, tmp_path):
    shutil.copytree(drawn, tmp_path / "photos")
    (tmp_path / "tiny.toml").write_text(TINY)
    for seconds in (7, 9, 11, 13):
        run_until_killed(tmp_path, seconds)
    run_until_killed(tmp_path, 600)
    assert digests(tmp_path) == digests(finished)
    leftovers = [p for p in Path(tmp_path / "artifacts").rglob(".staging-*")]
    assert leftovers == []


def test_interrupting_says_how_to_resume(drawn, tmp_path):
    shutil.copytree(drawn, tmp_path / "photos")
    (tmp_path / "tiny.toml").write_text(TINY)
    process = subprocess.Popen(
        [sys.executable, "-m", "captioner", "run", "tiny.toml", "--set", "train.epochs=500"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        # a test run started in the background ignores interrupts, and its children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    lines = iter(process.stderr.readline, "")
    next(line for line in lines if line.startswith("build     not yet run"))
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait(60) == 130
    assert "captioner: interrupted" in rest
    assert "Resume with: captioner run tiny.toml --set train.epochs=500" in rest
    assert "Traceback" not in rest


def test_a_second_run_at_the_same_time_is_told_who_holds_the_folder(project, call):
    from captioner.pipeline.lock import hold_lock

    with hold_lock(project / "artifacts"):
        code, _, err = call("run", "tiny.toml", "--set", "train.epochs=3")
    assert code == 1
    assert f"Another run is using artifacts: process {os.getpid()}" in err


def test_attention_rewards_and_an_ensemble_from_photographs_to_scores(project, call):
    """The grid is extracted because the decoder reads it; the second phase follows the first."""
    chosen = ["decoder.kind=attention", "decoder.attention_units=16", "train.reward_epochs=1"]
    chosen += ["train.members=2", "extract.grid_side=5", "train.mirrored=true"]
    options = [word for setting in chosen for word in ("--set", setting)]
    code, out, err = call("run", "tiny.toml", *options)
    assert code == 0, err
    artifacts = project / "artifacts" / "tiny"
    described = json.loads((artifacts / "train" / "decoder.json").read_text())
    assert (described["feature_kind"], described["feature_shape"]) == ("grid", [5, 5, 1280])
    for folder in (artifacts / "train", artifacts / "train" / "members" / "1"):
        with open(folder / "history.csv", newline="") as file:
            phases = [row["phase"] for row in csv.DictReader(file)]
        assert phases == ["cross_entropy", "cross_entropy", "self_critical"]
        assert not (folder / "checkpoint.npz").exists()
    assert (artifacts / "extract" / "features.pkl").exists()
    assert (artifacts / "extract" / "grid_mirrored-00000.npy").exists()
    assert len((artifacts / "evaluate" / "captions.jsonl").read_text().splitlines()) > 3
    report = (artifacts / "evaluate" / "report.html").read_text(encoding="utf-8")
    assert ' data-rows="5" data-columns="5" data-fit="squash" data-shape="1.0">' in report
    assert ' data-looks="' in report
    code, out, err = call("caption", image_paths(project)[0], "--model", artifacts / "train")
    assert code == 0, err
    assert out.strip()
