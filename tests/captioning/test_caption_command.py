"""`captioner caption` and `captioner models` as a person meets them."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fake_model import ColourEngine, loaded
from PIL import Image
from random_model import make_model

from captioner.captioning.descriptions import read_description
from captioner.cli import caption as caption_module
from captioner.cli.app import run_command_line

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def call(capfdbinary, monkeypatch, model, tmp_path):
    """Runs a command with a fake engine; returns (exit code, stdout, stderr)."""

    def load_fake(model, batch_size, asked, background):
        return loaded(ColourEngine(n_best=asked["n_best"]))

    monkeypatch.setattr(caption_module, "_load_engine", load_fake)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        words = [str(argument) for argument in arguments]
        if words[0] == "caption" and "--model" not in words:
            words += ["--model", str(model)]
        code = run_command_line(words)
        captured = capfdbinary.readouterr()
        return code, os.fsdecode(captured.out), os.fsdecode(captured.err)

    return run


def test_one_caption_alone_cannot_be_diverse(call, photos):
    code, out, err = call("caption", photos / "a.png", "--diverse")
    assert (code, out) == (2, "")
    assert "diverse captions with n_best=1. Ask for more, as with `--n-best 3 --diverse`" in err


def test_one_image_gives_its_caption_alone(call, photos):
    assert call("caption", photos / "a.png") == (0, "colour 0 10 200\n", "")


def test_more_captions_of_one_image(call, photos):
    code, out, _ = call("caption", photos / "a.png", "--n-best", 2, "--prefix", "> ")
    assert (code, out.splitlines()) == (0, ["> colour 0 10 200", "> another colour"])


def test_several_images_have_their_path_in_front(call, photos):
    code, out, err = call("caption", "photos", "-r")
    lines = dict(line.split("\t") for line in out.splitlines())
    assert code == 0
    assert next(iter(lines)) == "photos/a.png"
    assert lines["photos/trips/e.png"] == "colour 160 10 200"
    assert "done 6, skipped 0, failed 0" in err


def test_hard_names_stay_one_line_each(call, tmp_path):
    for name in (b"a\nb.png", b"caf\xe9.png"):
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:
            Image.new("RGB", (4, 4)).save(file, "PNG")
    _, out, _ = call("caption", ".")
    assert [os.fsencode(line.split("\t")[0]) for line in out.splitlines()] == [
        b"a\\nb.png",
        b"caf\xe9.png",
    ]


def test_all_outputs_at_once(call, photos):
    code, out, _ = call(
        "caption", "photos", "-r", "--ext", "caption", "--jsonl", "new/c.jsonl", "--csv", "c.csv",
        "--write-metadata", "--suffix", "!",
    )  # fmt: skip
    assert (code, out) == (0, "")
    rows = [json.loads(line) for line in Path("new/c.jsonl").read_text().splitlines()]
    assert [row["path"] for row in rows][-1] == "trips/f.jpeg"
    table = list(csv.DictReader(io.StringIO(Path("c.csv").read_text())))
    assert {row["caption"][-1] for row in table} == {"!"}
    assert (photos / "c.caption").read_text() == rows[2]["caption"] + "\n"
    assert read_description(photos / "c.webp") == rows[2]["caption"]


def test_a_format_names_its_file_after_itself(call, photos):
    code, out, _ = call("caption", "photos", "--format", "html", "--format", "csv", "--csv", "c")
    assert (code, out) == (0, "")
    assert "colour 0 10 200" in Path("captions.html").read_text()
    assert Path("c").exists()
    assert not Path("captions.csv").exists()


def test_failures_have_exit_code_3_and_names(call, photos):
    (photos / "bad.jpg").write_bytes(b"<html>")
    code, _, err = call("caption", "photos", "--jsonl", "c.jsonl")
    assert code == 3
    assert "1 failed:\n  bad.jpg: is no image: it holds an HTML page" in err
    assert "done 4, skipped 0, failed 1" in err
    code, out, err = call("caption", "photos/bad.jpg")
    assert (code, out) == (3, "")
    assert "HTML page" in err


def test_what_cannot_hold_a_description_is_a_failure(call, photos):
    Image.new("RGB", (4, 4), "red").save(photos / "z.gif")
    code, _, err = call("caption", "photos", "--write-metadata", "--jsonl", "c.jsonl")
    assert code == 3
    assert "z.gif: descriptions can be written into JPEG, PNG and WebP files" in err
    row = json.loads(Path("c.jsonl").read_text().splitlines()[-1])
    assert (row["caption"], row["status"]) == ("colour 255 0 0", "failed")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "There is nothing to caption"),
        (["nowhere.jpg"], "'nowhere.jpg': no such file or folder"),
        (["photos", "--ext", ".jpg"], "Sidecars cannot end in .jpg"),
        (["photos", "--background", "blurple"], "'blurple'"),
        (["photos", "--beam", "0"], "num_beams=0, expected 1 or more"),
        (["photos", "--jsonl", "c", "--csv", "./c"], "Two tables cannot be the same file"),
        (["photos", "--html", "c", "--csv", "c"], "Two tables cannot be the same file"),
        (["photos", "--format", "htm"], "'htm' is not one of"),
        (["photos", "--review", "r"], "give that as well"),
        (["photos", "--existing", "delete"], "'delete' is not one of"),
        (["photos", "--min-confidence", "2"], "2.0 is not in the range"),
        (["photos", "--prefix", "caf\udce9", "--jsonl", "c"], "the prefix 'caf\ufffd' cannot be"),
        (["photos", "--suffix", "\udce9", "--separator", "\udce9"], "\ufffd' and the separator"),
        (["photos/[z-a].png"], "photos/[z-a].png is no pattern of file names: bad character range"),
        (["--filelist", "wide.txt"], "has a NUL inside a line. Save it as UTF-8, or add --null"),
    ],
)
def test_slips_have_exit_code_2(call, photos, arguments, message):
    Path("wide.txt").write_text("photos/a.png", encoding="utf-16")
    code, out, err = call("caption", *arguments)
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.parametrize("option", ["--jsonl", "--csv", "--output-dir"])
def test_a_folder_that_cannot_be_made_is_told_before_any_work(call, photos, option):
    Path("file").write_text("in the way")
    code, out, err = call("caption", "photos", "--html", "c.html", option, "file/sub/c")
    assert (code, out) == (1, "")
    assert "cannot be made: Not a directory. Name another place" in err
    assert not Path("c.html").exists()


def test_the_folders_of_all_tables_are_made(call, photos):
    assert call("caption", "photos", "--jsonl", "a/c.jsonl", "--csv", "b/b/c.csv")[0] == 0
    assert Path("b/b/c.csv").exists()


def test_a_dry_run_fails_where_the_run_would(call, photos):
    (photos / "b.txt").write_text("mine")
    for more in ([], ["--dry-run"]):
        code, _, err = call("caption", "photos", "--ext", "txt", "--existing", "fail", *more)
        assert code == 1
        assert "b.JPG has a caption already, in photos/b.txt" in err


def test_an_unknown_model_is_a_slip(call, photos):
    code, _, err = call("caption", "photos", "--model", "nothing-here")
    assert code == 2
    assert "There is no trained model at 'nothing-here'" in err


def test_unsure_captions(call, photos):
    code, out, err = call("caption", "photos", "--min-confidence", "0.4")
    assert [line.split("\t")[0] for line in out.splitlines()] == ["photos/d.png"]
    assert err.count("for review: photos/") == 3
    code, _, err = call("caption", "photos", "--ext", "txt", "--min-confidence", 0.4)
    assert code == 0
    assert "done 1, for review 3" in err
    rows = [json.loads(line) for line in Path("review.jsonl").read_text().splitlines()]
    assert [row["path"] for row in rows] == ["a.png", "b.JPG", "c.webp"]


def test_a_dry_run_says_what_would_happen(call, photos):
    (photos / "a.txt").write_text("mine")
    os.mkfifo(photos / "pipe.png")
    code, out, _ = call("caption", "photos", "--ext", "txt", "--dry-run")
    assert code == 0
    assert out.splitlines()[0] == "would skip (captioned already)\tphotos/a.png"
    assert out.splitlines()[-1] == "would fail (is a named pipe, not a file)\tphotos/pipe.png"
    assert sorted(p.name for p in photos.glob("*.txt")) == ["a.txt"]


def test_patterns_and_lists(call, photos, monkeypatch):
    _, out, _ = call("caption", "photos/**/[a-c]*")
    assert out.count("\t") == 3
    Path("list").write_text("photos/a.png\nphotos/gone.png\n")
    code, out, err = call("caption", "--filelist", "list")
    assert (code, out) == (3, "photos/a.png\tcolour 0 10 200\n")
    assert "photos/gone.png: does not exist" in err
    stdin = io.TextIOWrapper(io.BytesIO(b"photos/a.png\0photos/d.png\0"))
    monkeypatch.setattr(sys, "stdin", stdin)
    code, out, _ = call("caption", "--filelist", "-", "-0")
    assert (code, out.count("\t")) == (0, 2)


def test_interrupts_say_how_to_go_on(call, photos, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(caption_module, "_load_engine", interrupt)
    code, _, err = call("caption", "photos", "--ext", "txt")
    assert code == 130
    assert "Give the same command again to continue." in err


def test_models_are_listed_without_tensorflow(call, model):
    code, out, _ = call("models", "--json", "--artifacts", "nowhere")
    encoders = {m["name"]: m for m in json.loads(out) if m["kind"] == "encoder"}
    assert code == 0
    assert encoders["efficientnet_lite0"]["is_here"]
    assert encoders["vgg16"]["num_parameters"] == 138_357_544
    script = (
        "import sys; from captioner.cli.app import run_command_line as run; run(['models']);"
        "run(['caption', '--dry-run', '.']); print(*(m for m in sys.modules if m == 'tensorflow'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert "efficientnet_lite0" in done.stdout
    assert not done.stdout.endswith("tensorflow\n")


def test_trained_models_are_listed(call, tmp_path):
    make_model(tmp_path / "art" / "train" / ("0" * 16))
    (tmp_path / "art" / "mine").mkdir()
    (tmp_path / "art" / "mine" / "pipeline.json").write_text(json.dumps({"train": "0" * 64}))
    _, out, _ = call("models", "--artifacts", "art")
    line = next(line for line in out.splitlines() if line.strip().startswith("mine"))
    assert "needs efficientnet_lite0" in line
    assert "here" in line


@pytest.mark.slow
def test_the_whole_way_with_a_real_encoder(photos, model, tmp_path):
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "captioner", "caption", *map(str, arguments)]
        words += ["--model", str(model), "--batch-size", "4"]
        return subprocess.run(words, cwd=PROJECT, capture_output=True, text=True)

    (photos / "bad.jpg").write_bytes(b"")
    table = tmp_path / "c.jsonl"
    first = run(photos, "-r", "--ext", ".txt", "--jsonl", table)
    assert first.returncode == 3, first.stderr
    assert "done 6, skipped 0, failed 1" in first.stderr
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    assert len([row for row in rows if row.get("caption")]) == 6
    content = table.read_bytes()
    second = run(photos, "-r", "--ext", ".txt", "--jsonl", table)
    assert "done 0, skipped 6, failed 1" in second.stderr
    assert table.read_bytes() == content
