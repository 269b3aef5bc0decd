"""Runs over folders: what is written, skipped, kept, and told."""

import csv
import json
import os
import subprocess
from pathlib import Path

import pytest
from fake_model import ColourEngine, load, loaded

from captioner.captioning.existing import CaptionExistsError, CaptionText
from captioner.captioning.job import CaptionJob, LoadedEngine
from captioner.captioning.listing import Listing
from captioner.captioning.outputs import Outputs
from captioner.captioning.tables import Table, TableError

NAMES = ["a.png", "b.JPG", "c.webp", "d.png", "trips/e.png", "trips/f.jpeg"]


def run(photos: Path, outputs: Outputs, engine: ColourEngine | None = None, **settings):
    listing = Listing([str(photos)], recursive=True)
    return CaptionJob(listing, outputs, lambda: loaded(engine), **settings).run()


def read_jsonl(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def all_outputs(folder: Path) -> Outputs:
    return Outputs(sidecar_suffix=".txt", jsonl=folder / "c.jsonl", csv=folder / "c.csv")


def test_every_output_says_the_same_in_input_order(photos, tmp_path):
    summary = run(photos, all_outputs(tmp_path))
    assert (summary.num_done, summary.num_skipped, summary.num_failed) == (6, 0, 0)
    rows = read_jsonl(tmp_path / "c.jsonl")
    assert [row["path"] for row in rows] == NAMES
    assert rows[0]["caption"] == "colour 0 10 200"
    with open(tmp_path / "c.csv", newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [row["caption"] for row in table] == [row["caption"] for row in rows]
    sidecars = [photos / os.path.splitext(name)[0] for name in NAMES]
    texts = [path.with_suffix(".txt").read_text() for path in sidecars]
    assert texts == [row["caption"] + "\n" for row in rows]


def test_a_second_run_skips_everything_and_loads_no_model(photos, tmp_path):
    run(photos, all_outputs(tmp_path))
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

    def no_model():
        raise AssertionError("the model was loaded")

    job = CaptionJob(Listing([str(photos)], recursive=True), all_outputs(tmp_path), no_model)
    summary = job.run()
    assert (summary.num_done, summary.num_skipped) == (0, 6)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_nothing_but_outputs_is_left_behind(photos, tmp_path):
    before = {p.name for p in tmp_path.rglob("*")}
    run(photos, all_outputs(tmp_path))
    new = {p.name for p in tmp_path.rglob("*")} - before
    assert new == {"c.jsonl", "c.csv", "a.txt", "b.txt", "c.txt", "d.txt", "e.txt", "f.txt"}


def test_new_images_find_their_place_among_old_rows(photos, tmp_path, draw):
    run(photos, all_outputs(tmp_path))
    draw("photos/bb.png")
    engine = ColourEngine()
    summary = run(photos, all_outputs(tmp_path), engine)
    assert (summary.num_done, summary.num_skipped, engine.num_images) == (1, 6, 1)
    paths = [row["path"] for row in read_jsonl(tmp_path / "c.jsonl")]
    assert paths == ["a.png", "b.JPG", "bb.png", "c.webp", *NAMES[3:]]


def test_rows_of_other_images_are_kept(photos, tmp_path, draw):
    table = tmp_path / "c.jsonl"
    run(photos, Outputs(jsonl=table))
    draw("elsewhere/z.png")
    run(tmp_path / "elsewhere", Outputs(jsonl=table))
    assert [row["path"] for row in read_jsonl(table)] == [*NAMES, "z.png"]


@pytest.mark.parametrize(
    ("existing", "expected"),
    [
        ("skip", "mine\n"),
        ("overwrite", "<colour 0 10 200>\n"),
        ("append", "mine\n<colour 0 10 200>\n"),
        ("prepend", "<colour 0 10 200>\nmine\n"),
    ],
)
def test_earlier_sidecars(photos, existing, expected):
    (photos / "a.txt").write_text("mine\n")
    text = CaptionText(existing, prefix="<", suffix=">")
    run(photos, Outputs(sidecar_suffix=".txt", text=text))
    assert (photos / "a.txt").read_text() == expected
    assert (photos / "d.txt").read_text() == "<colour 120 10 200>\n"


def test_an_empty_sidecar_counts_as_none(photos):
    (photos / "a.txt").write_text(" \n")
    assert run(photos, Outputs(sidecar_suffix=".txt")).num_done == 6
    assert (photos / "a.txt").read_text() == "colour 0 10 200\n"


def test_fail_stops_before_any_work(photos):
    (photos / "trips" / "e.txt").write_text("mine")
    with pytest.raises(CaptionExistsError, match=r"trips/e\.png has a caption already.*e\.txt"):
        run(photos, Outputs(sidecar_suffix=".txt", text=CaptionText("fail")))
    assert sorted(p.name for p in photos.rglob("*.txt")) == ["e.txt"]


def test_namesakes_get_sidecars_of_their_own(photos, draw):
    draw("photos/a.bmp", "red")
    run(photos, Outputs(sidecar_suffix=".txt"))
    assert (photos / "a.png.txt").read_text() == "colour 0 10 200\n"
    assert (photos / "a.bmp.txt").read_text() == "colour 255 0 0\n"
    assert not (photos / "a.txt").exists()


def test_no_two_images_have_one_sidecar(tmp_path, draw):
    names = ["a.jpg", "a.png", "a.jpg.png", "a.JPG.png", "b", "b.png", "c.png", "d.png"]
    for number, name in enumerate(names):
        draw("any.png", (number, 0, 0)).rename(tmp_path / name)
    (tmp_path / "d").mkdir()
    listing = Listing([str(tmp_path), str(tmp_path / "b")])
    CaptionJob(listing, Outputs(sidecar_suffix=".txt"), loaded).run()
    texts = {path.name: path.read_text() for path in tmp_path.glob("*.txt")}
    assert len(set(texts.values())) == len(texts) == len(names)
    assert {"b.txt", "c.txt", "d.txt"} < set(texts)


def test_a_mirrored_tree_leaves_the_photographs_alone(photos, tmp_path):
    before = sorted(photos.rglob("*"))
    run(photos, Outputs(sidecar_suffix=".caption", output_dir=tmp_path / "out"))
    assert sorted(photos.rglob("*")) == before
    made = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.*"))
    assert made == [os.path.splitext(name)[0] + ".caption" for name in NAMES]


def test_bad_files_are_named_and_the_rest_is_captioned(photos, tmp_path):
    (photos / "aa.jpg").write_bytes(b"<html>")
    (photos / "b2.png").write_bytes(b"")
    os.mkfifo(photos / "pipe.jpg")
    summary = run(photos, all_outputs(tmp_path))
    assert (summary.num_done, summary.num_failed) == (6, 3)
    assert [name for name, _ in summary.failures] == ["aa.jpg", "b2.png", "pipe.jpg"]
    rows = {row["path"]: row for row in read_jsonl(tmp_path / "c.jsonl")}
    assert rows["pipe.jpg"]["error"] == "is a named pipe, not a file"
    assert rows["pipe.jpg"]["status"] == rows["aa.jpg"]["status"] == "failed"
    assert not (photos / "aa.txt").exists()


def test_a_mended_file_is_captioned_the_next_time(photos, tmp_path, draw):
    (photos / "aa.png").write_bytes(b"")
    run(photos, all_outputs(tmp_path))
    draw("photos/aa.png", "white")
    assert run(photos, all_outputs(tmp_path)).num_done == 1
    rows = read_jsonl(tmp_path / "c.jsonl")
    assert (rows[1]["path"], rows[1]["caption"]) == ("aa.png", "colour 255 255 255")


def test_unsure_captions_are_left_for_review(photos, tmp_path):
    outputs = Outputs(
        sidecar_suffix=".txt", jsonl=tmp_path / "c.jsonl", review=tmp_path / "review.jsonl"
    )
    summary = run(photos, outputs, min_confidence=0.4)
    assert (summary.num_done, summary.num_review) == (3, 3)
    assert [r["path"] for r in read_jsonl(tmp_path / "review.jsonl")] == NAMES[:3]
    assert [r["status"] for r in read_jsonl(tmp_path / "c.jsonl")] == ["review"] * 3 + ["done"] * 3
    assert sorted(p.name for p in photos.rglob("*.txt")) == ["d.txt", "e.txt", "f.txt"]
    again = run(photos, outputs, min_confidence=0.4)
    assert (again.num_done, again.num_review, again.num_skipped) == (0, 0, 6)


def test_a_lower_bar_lets_reviewed_captions_through(photos, tmp_path):
    outputs = Outputs(
        sidecar_suffix=".txt", jsonl=tmp_path / "c.jsonl", review=tmp_path / "review.jsonl"
    )
    run(photos, outputs, min_confidence=0.4)
    assert run(photos, outputs, min_confidence=0.1).num_done == 3
    assert {r["status"] for r in read_jsonl(tmp_path / "c.jsonl")} == {"done"}
    assert not (tmp_path / "review.jsonl").exists()
    assert (photos / "a.txt").exists()


def test_roots_tell_equal_names_apart(tmp_path, draw):
    draw("x/a.png", "red")
    draw("y/a.png", "lime")
    listing = Listing([str(tmp_path / "x"), str(tmp_path / "y")])
    CaptionJob(listing, Outputs(jsonl=tmp_path / "c.jsonl"), loaded).run()
    rows = read_jsonl(tmp_path / "c.jsonl")
    assert [(Path(r["root"]).name, r["caption"]) for r in rows] == [
        ("x", "colour 255 0 0"),
        ("y", "colour 0 255 0"),
    ]


def test_a_file_listed_twice_is_captioned_once(photos, tmp_path):
    names = tmp_path / "list"
    names.write_text(f"{photos}/a.png\n{photos}/trips/../a.png\n{photos}/d.png\n")
    engine = ColourEngine()
    job = CaptionJob(
        Listing(filelist=str(names)), Outputs(jsonl=tmp_path / "c.jsonl"), lambda: loaded(engine)
    )
    assert job.run().num_skipped == 1
    assert engine.num_images == 2


def test_a_foreign_table_is_not_touched(photos, tmp_path):
    table = tmp_path / "c.jsonl"
    table.write_text('{"colour": "red"}\n')
    with pytest.raises(TableError, match=r"c\.jsonl, line 1: this is no row of captions"):
        run(photos, Outputs(jsonl=table))
    assert table.read_text() == '{"colour": "red"}\n'
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    "fields",
    [
        {"caption": ["a", "b"]},
        {"confidence": "high"},
        {"confidence": None},
        {"path": 7},
        {"root": 1},
    ],
)
def test_a_row_of_the_wrong_kind_is_told(photos, tmp_path, fields):
    row = json.dumps({"path": "a.png", "status": "done", "caption": "a", **fields})
    (tmp_path / "c.jsonl").write_text(row)
    with pytest.raises(TableError, match=r"c\.jsonl, line 1: this is no row of captions"):
        run(photos, Outputs(jsonl=tmp_path / "c.jsonl"))
    assert (tmp_path / "c.jsonl").read_text() == row


def test_a_csv_with_fewer_columns_is_taken_and_one_with_others_is_not(photos, tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("root,path,caption,status\nphotos,a.png,mine,done\n")
    assert run(photos, Outputs(csv=path)).num_skipped == 1
    assert {row["path"]: row["caption"] for row in Table("csv", path).read()}["a.png"] == "mine"
    path.write_text("path,caption,price\na.png,mine,3\n")
    with pytest.raises(TableError, match=r"c\.csv, line 1: this is no row of captions"):
        run(photos, Outputs(csv=path))


def test_a_field_beyond_measure_is_told(photos, tmp_path):
    run(photos, Outputs(csv=tmp_path / "c.csv"))
    text = (tmp_path / "c.csv").read_text() + f"z.png,{'long ' * 30_000}\n"
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(TableError, match=r"c\.csv, line \d+: this is no row of captions"):
        run(photos, Outputs(csv=tmp_path / "c.csv"))


def test_a_review_row_without_confidence_is_captioned_anew(photos, tmp_path):
    (tmp_path / "r.jsonl").write_text('{"path": "photos/a.png", "status": "review"}\n')
    outputs = Outputs(sidecar_suffix=".txt", review=tmp_path / "r.jsonl")
    assert run(photos, outputs, min_confidence=0.01).num_done > 0


@pytest.mark.parametrize("name", ["jsonl", "csv", "html"])
def test_half_an_emoji_in_a_table_does_no_harm(photos, tmp_path, name):
    table = Table(name, tmp_path / "c")
    run(photos, Outputs(**{name: table.path}))
    rows = [{**row, "caption": "\ud83d half"} for row in table.read()]
    table.path.write_bytes(b"".join(table.render(rows)))
    (photos / "a.png").rename(photos / "new.png")
    assert run(photos, Outputs(**{name: table.path})).num_done == 1
    assert {row["caption"][1:6] for row in table.read() if row["path"] != "new.png"} == {" half"}


def test_a_read_only_folder_is_a_failure_of_its_images(photos):
    if os.geteuid() == 0:
        script = f"chattr +i {photos / 'trips'}"
        if subprocess.run(script, shell=True, capture_output=True).returncode:
            pytest.skip("root may write everywhere, and this file system knows no +i")
    else:
        (photos / "trips").chmod(0o555)
    try:
        summary = run(photos, Outputs(sidecar_suffix=".txt"))
    finally:
        if os.geteuid() == 0:
            subprocess.run(["chattr", "-i", photos / "trips"], check=True)
        else:
            (photos / "trips").chmod(0o755)
    assert (summary.num_done, summary.num_failed) == (4, 2)
    assert "cannot be written" in summary.failures[0][1]


def test_a_file_deleted_while_running_is_a_failure(photos):
    def lose_one(path):
        if path.name == "d.png":
            path.unlink()
        return load(path)

    model = LoadedEngine(ColourEngine(), lose_one)
    job = CaptionJob(Listing([str(photos)]), Outputs(sidecar_suffix=".txt"), lambda: model)
    summary = job.run()
    assert (summary.num_done, summary.num_failed) == (3, 1)
    assert summary.failures[0][0] == "d.png"


def test_preview_writes_nothing(photos, tmp_path):
    (photos / "a.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    job = CaptionJob(Listing([str(photos)]), Outputs(sidecar_suffix=".txt"), loaded)
    assert [what for _, what in job.preview()] == [
        "skip (captioned already)",
        "caption",
        "caption",
        "caption",
    ]
    assert sorted(tmp_path.rglob("*")) == before
