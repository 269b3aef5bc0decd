"""Folders that hold images of the same names: nothing of one is taken for the other's."""

import json
import os
from pathlib import Path

import pytest
from fake_model import ColourEngine, loaded

from captioner.captioning.corrections import apply_corrections, locate, read_corrections
from captioner.captioning.existing import CaptionText
from captioner.captioning.job import CaptionJob
from captioner.captioning.listing import Listing
from captioner.captioning.outputs import Outputs
from captioner.captioning.tables import Table

RED, LIME = "colour 255 0 0", "colour 0 255 0"


@pytest.fixture(autouse=True)
def folders(draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    draw("red/x.png", "red")
    draw("lime/x.png", "lime")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def caption(*paths: str, engine: ColourEngine | None = None, **outputs):
    return CaptionJob(Listing(paths), Outputs(**outputs), lambda: loaded(engine)).run()


def captions_in(table: Table) -> list[tuple[str, str]]:
    return [(os.fsdecode(table.image_key(row)), row["caption"]) for row in table.read()]


@pytest.mark.parametrize(
    "paths",
    [("red", "lime"), ("red/x.png", "lime"), ("./red", "lime/"), ("red/*.png", "lime/*.png")],
)
def test_each_folder_has_its_own_in_an_output_folder(folders, paths):
    summary = caption(*paths, sidecar_suffix=".txt", output_dir=folders / "out")
    assert summary.num_done == 2
    assert (folders / "out/red/x.txt").read_text() == f"{RED}\n"
    assert (folders / "out/lime/x.txt").read_text() == f"{LIME}\n"


def test_a_folder_from_above_stays_within_the_output_folder(folders, monkeypatch):
    (folders / "here").mkdir()
    monkeypatch.chdir(folders / "here")
    caption("../red", str(folders / "lime"), sidecar_suffix=".txt", output_dir=Path("out"))
    inside = Path("out", *folders.parts[1:])
    assert [p.read_text() for p in (inside / "red/x.txt", inside / "lime/x.txt")] == [
        f"{RED}\n",
        f"{LIME}\n",
    ]


@pytest.mark.parametrize("name", ["jsonl", "csv", "html"])
def test_one_table_takes_one_folder_after_the_other(folders, name):
    table = Table(name, folders / f"t.{name}")
    for number, folder in enumerate(["red", "lime"]):
        summary = caption(folder, **{name: table.path})
        assert (summary.num_done, summary.num_skipped) == (1, 0), number
    assert captions_in(table) == [
        (str(folders / "red/x.png"), RED),
        (str(folders / "lime/x.png"), LIME),
    ]
    again = caption("red", "./lime", **{name: table.path})
    assert (again.num_done, again.num_skipped) == (0, 2)


@pytest.mark.parametrize("name", ["jsonl", "csv"])
def test_a_table_knows_its_images_from_any_folder_and_wherever_it_moves(folders, name, monkeypatch):
    caption("red", **{name: folders / "t"})
    moved = folders.rename(folders.with_name(f"{folders.name}-moved"))
    monkeypatch.chdir(moved / "red")
    assert caption(".", **{name: Path("../t")}).num_skipped == 1
    monkeypatch.chdir(moved / "lime")
    assert caption("x.png", **{name: Path("../t")}).num_done == 1
    assert captions_in(Table(name, moved / "t")) == [
        (str(moved / "red/x.png"), RED),
        (str(moved / "lime/x.png"), LIME),
    ]


def test_a_row_says_where_its_path_begins_unless_that_is_beside_the_table(folders):
    caption("red", jsonl=folders / "red/t.jsonl", csv=folders / "t.csv")
    assert "root" not in json.loads((folders / "red/t.jsonl").read_text())
    [row] = Table("csv", folders / "t.csv").read()
    assert (row["root"], row["path"]) == ("red", "x.png")


@pytest.mark.parametrize("name", ["jsonl", "csv", "html"])
def test_folders_whose_names_are_not_text_are_kept_apart(folders, name):
    twins = [os.fsdecode(b"caf\xe9"), os.fsdecode(b"caf\xe8")]
    try:
        Path("red").rename(twins[0])
        Path("lime").rename(twins[1])
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    table = Table(name, folders / "t")
    for _ in range(2):
        for twin in twins:
            last = caption(twin, **{name: table.path})
    assert (last.num_done, last.num_skipped) == (0, 1)
    assert [text for _, text in captions_in(table)] == [RED, LIME]


def test_corrections_of_several_folders_go_where_their_captions_went(folders):
    outputs = Outputs(sidecar_suffix=".txt", output_dir=folders / "out", html=folders / "t.html")
    CaptionJob(Listing(["red", "lime"]), outputs, loaded).run()
    rows = list(Table("html", folders / "t.html").read())
    corrections = [
        {key: row[key] for key in ("folder", "root", "path")} | {"caption": f"{row['root']} is it"}
        for row in rows
    ]
    value = {"kind": "captioner corrections", "version": 1, "corrections": corrections}
    (folders / "c.json").write_text(json.dumps(value))
    outputs = Outputs(
        sidecar_suffix=".txt", output_dir=folders / "out", text=CaptionText("overwrite")
    )
    located = locate(read_corrections(folders / "c.json"), folders, follows_links=False)
    assert [applied.error for applied in apply_corrections(located, outputs)] == [None, None]
    assert (folders / "out/red/x.txt").read_text() == "red is it\n"
    assert (folders / "out/lime/x.txt").read_text() == "lime is it\n"
