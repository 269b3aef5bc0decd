"""`captioner apply`: corrected captions come back into sidecars and images, and nowhere else."""

import base64
import json
import os
from pathlib import Path

import pytest
from PIL import Image

from captioner.captioning import outputs as outputs_module
from captioner.captioning.descriptions import read_description, write_description
from captioner.cli.app import run_command_line


@pytest.fixture
def apply(capfdbinary, monkeypatch, tmp_path, photos):
    """Applies corrections in the folder of `photos`; returns (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(corrections: object, *arguments: object) -> tuple[int, str, str]:
        Path("c.json").write_text(
            json.dumps(corrections) if not isinstance(corrections, str) else corrections
        )
        code = run_command_line(["apply", "c.json", *map(str, arguments)])
        captured = capfdbinary.readouterr()
        return code, os.fsdecode(captured.out), os.fsdecode(captured.err)

    return run


def file_of(*corrections: dict) -> dict:
    return {"kind": "captioner corrections", "version": 1, "corrections": list(corrections)}


def correction(path: str, caption: str = "a brown dog", **others: object) -> dict:
    return {"folder": "photos", "path": path, "caption": caption, **others}


def test_sidecars_are_rewritten_and_told(apply, photos):
    (photos / "a.txt").write_text("a cat\n")
    (photos / "d.txt").write_text("a brown dog\n")
    corrections = file_of(*map(correction, ("a.png", "d.png", "trips/e.png")))
    code, out, err = apply(corrections)
    assert (code, out.splitlines()) == (
        0,
        [
            "wrote photos/a.txt: a cat -> a brown dog",
            "wrote photos/trips/e.txt: (none) -> a brown dog",
        ],
    )
    assert err == "corrected 2, unchanged 1, failed 0\n"
    assert (photos / "a.txt").read_text() == "a brown dog\n"
    assert apply(corrections)[::2] == (0, "corrected 0, unchanged 3, failed 0\n")


def test_a_dry_run_writes_nothing(apply, photos):
    code, out, err = apply(file_of(correction("a.png")), "--dry-run", "--write-metadata")
    assert (code, err) == (0, "would correct 1, unchanged 0, failed 0\n")
    assert out == "would write the description in a.png: (none) -> a brown dog\n"
    assert read_description(photos / "a.png") is None
    assert not list(photos.glob("*.txt"))


def test_images_themselves_are_rewritten(apply, photos):
    write_description(photos / "a.png", "a cat")
    code, out, _ = apply(file_of(correction("a.png", "un ch\u00eane")), "--write-metadata")
    assert (code, out) == (0, "wrote the description in a.png: a cat -> un ch\u00eane\n")
    assert read_description(photos / "a.png") == "un ch\u00eane"
    assert not list(photos.glob("*.txt")), "sidecars are written only when they are asked for"
    assert apply(file_of(correction("b.JPG")), "--write-metadata", "--ext", "cap")[0] == 0
    assert (photos / "b.cap").read_text() == "a brown dog\n"


def test_the_root_can_be_another_folder_and_the_sidecars_elsewhere(apply, photos, tmp_path):
    moved = photos.rename(tmp_path / "moved")
    code, _, err = apply(file_of(correction("a.png")), "--root", "moved", "--output-dir", "out")
    assert code == 0, err
    assert Path("out/a.txt").read_text() == "a brown dog\n"
    assert not list(moved.glob("*.txt"))


def test_several_roots_lie_within_the_one_that_is_named(apply, photos):
    (photos.parent / "sub").mkdir()
    photos.rename(photos.parent / "sub" / "photos")
    code, out, _ = apply(file_of(correction("a.png", root="photos")), "--root", "sub")
    assert (code, out.split(":")[0]) == (0, "wrote sub/photos/a.txt")


@pytest.mark.parametrize(
    "outside",
    [
        {"path": "../../out.png"},
        {"path": "/etc/passwd"},
        {"folder": "/", "path": "out.png"},
        {"folder": "..", "path": "out.png"},
        {"path": "link/out.png"},
        {"path": ".."},
        {"path": "x", "path_base64": base64.b64encode(b"../../out.png").decode()},
    ],
)
def test_one_path_outside_refuses_the_whole_file(apply, photos, tmp_path_factory, outside):
    (photos / "link").symlink_to(tmp_path_factory.mktemp("elsewhere"))
    code, out, err = apply(file_of(correction("a.png"), {**correction("a.png"), **outside}))
    assert (code, out) == (2, "")
    assert "1 of 2 corrections lie outside of" in err
    assert "--root" in err
    assert not list(photos.rglob("*.txt"))


def test_a_link_to_an_image_elsewhere_has_a_sidecar_but_is_not_written_through(
    apply, photos, tmp_path_factory
):
    target = tmp_path_factory.mktemp("elsewhere") / "x.png"
    Image.new("RGB", (4, 4)).save(target)
    (photos / "linked.png").symlink_to(target)
    assert apply(file_of(correction("linked.png")), "--write-metadata")[0] == 2
    assert read_description(target) is None
    assert apply(file_of(correction("linked.png")))[0] == 0
    assert (photos / "linked.txt").exists()


def test_what_cannot_be_written_is_told_and_the_rest_is_done(apply, photos):
    Image.new("RGB", (4, 4)).save(photos / "z.gif")
    corrections = file_of(*map(correction, ("gone.png", "z.gif", "a.png")))
    code, out, err = apply(corrections, "--write-metadata")
    assert (code, out.count("wrote")) == (3, 1)
    assert "failed: photos/gone.png: does not exist" in err
    assert "failed: photos/z.gif: descriptions can be written into JPEG, PNG and WebP" in err
    assert "corrected 1, unchanged 0, failed 2\n" in err
    assert err.endswith("name their folder with --root.\n")


def test_a_failed_write_leaves_the_earlier_caption(apply, photos, monkeypatch):
    (photos / "a.txt").write_text("a cat\n")

    def fail(path, content, **_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(outputs_module, "replace_content", fail)
    code, _, err = apply(file_of(correction("a.png")))
    assert code == 3
    assert "a.txt: Permission denied" in err
    assert (photos / "a.txt").read_text() == "a cat\n"


def test_names_that_are_not_text_are_found_by_their_bytes(apply, photos):
    with open(os.path.join(os.fsencode(photos), b"caf\xe9.png"), "wb") as file:
        Image.new("RGB", (4, 4)).save(file, "PNG")
    exact = base64.b64encode(b"caf\xe9.png").decode()
    code, out, _ = apply(file_of(correction("caf\ufffd.png", path_base64=exact)))
    assert code == 0
    assert os.fsencode(out).startswith(b"wrote photos/caf\xe9.txt: (none)")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no json", "holds no corrections: Expecting value"),
        ("[1]", "holds no corrections: Input should be"),
        ({**file_of(), "kind": "something"}, "kind: Input should be 'captioner corrections'"),
        ({**file_of(), "version": 2}, "version: Input should be 1"),
        (file_of({"path": "a.png"}), "corrections.0.caption: Field required"),
        (file_of(correction("a.png", "  ")), "corrections.0.caption: String should have at least"),
        (file_of(correction("a.png", "a\0b")), "corrections.0.caption: String should match"),
        (file_of(correction("")), "corrections.0.path: String should have at least 1"),
        (file_of(correction("a.png", path_base64="AA==")), "a path cannot hold NUL"),
        (file_of(correction("a.png", path_base64="!")), "Only base64 data is allowed"),
        (file_of(correction("a.png"), correction("a.png", "b")), "it corrects a.png twice"),
    ],
)
def test_a_file_that_holds_no_corrections_is_a_slip(apply, content, message):
    code, out, err = apply(content)
    assert (code, out) == (2, "")
    assert message in err
    assert "--format html" in err


def test_other_slips(apply):
    assert "There is no folder 'nowhere'" in apply(file_of(), "--root", "nowhere")[2]
    assert "Sidecars cannot end in .jpg" in apply(file_of(), "--ext", "jpg")[2]
    assert run_command_line(["apply", "gone.json"]) == 2
