"""Contact sheets: a table like the others, in a page that stands alone."""

import json
import os
from pathlib import Path

import pytest
from fake_model import ColourEngine, loaded
from PIL import Image

from captioner.captioning.job import CaptionJob
from captioner.captioning.listing import Listing
from captioner.captioning.outputs import Outputs
from captioner.captioning.sheets import read_sheet, render_sheet
from captioner.captioning.tables import Table, TableError


def make_sheet(folder: Path, sheet: Path, engine: ColourEngine | None = None, **outputs) -> list:
    """Captions a folder into a sheet; returns the sheet's rows."""
    listing = Listing([str(folder)], recursive=True)
    CaptionJob(listing, Outputs(html=sheet, **outputs), lambda: loaded(engine)).run()
    return [row for _, row in read_sheet(sheet)]


def test_rows_carry_what_a_reviewer_needs(photos, tmp_path):
    (photos / "torn.png").write_bytes(b"torn")
    rows = make_sheet(photos, tmp_path / "sheets" / "s.html", ColourEngine(n_best=2))
    by_path = {row["path"]: row for row in rows}
    row = by_path["trips/e.png"]
    assert (row["caption"], row["status"]) == ("colour 160 10 200", "done")
    assert len(row["alternatives"]) == 1
    assert (row["folder"], row["link"]) == (str(photos), "../photos/trips/e.png")
    assert row["thumbnail"][0].startswith("data:image/jpeg;base64,")
    assert row["thumbnail"][1:] == [12, 8]
    assert by_path["torn.png"]["error"].startswith("is no image")
    assert "thumbnail" not in by_path["torn.png"]


def test_other_tables_carry_no_thumbnails(photos, tmp_path):
    make_sheet(photos, tmp_path / "s.html", jsonl=tmp_path / "c.jsonl")
    row = json.loads((tmp_path / "c.jsonl").read_text().splitlines()[0])
    assert set(row) == {"root", "path", "status", "caption", "log_prob", "confidence"}


def test_a_second_run_captions_only_what_is_new(photos, tmp_path):
    sheet = tmp_path / "s.html"
    make_sheet(photos, sheet)
    content = sheet.read_bytes()
    engine = ColourEngine()
    make_sheet(photos, sheet, engine)
    assert (engine.num_images, sheet.read_bytes()) == (0, content)
    Image.new("RGB", (4, 4)).save(photos / "new.png")
    assert len(make_sheet(photos, sheet, engine)) == 7
    assert engine.num_images == 1


HOSTILE = {
    "path": "</script><script>alert(1)</script>",
    "caption": "<!-- <script> \u2028 \N{HEBREW LETTER ALEF} \" ' & \n@rows@",
    "status": "done",
}


def test_no_text_ends_the_element_that_holds_it(tmp_path):
    sheet = tmp_path / "s.html"
    content = b"".join(render_sheet([HOSTILE]))
    assert content.count(b"</script>") == content.count(b"<script") == 3, "rows and two scripts"
    sheet.write_bytes(content)
    assert list(Table("html", sheet).read()) == [HOSTILE]


def test_a_link_is_a_path_and_nothing_else(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in (b"javascript:alert(1).png", b"a b%#?.png", b"caf\xe9.png"):
        with open(os.path.join(os.fsencode(folder), name), "wb") as file:
            Image.new("RGB", (4, 4)).save(file, "PNG")
    links = [row["link"] for row in make_sheet(folder, folder / "s.html")]
    assert links == ["a%20b%25%23%3F.png", "caf%E9.png", "javascript%3Aalert%281%29.png"]


@pytest.mark.parametrize("cut", [10, -200])
def test_another_page_is_not_taken_for_a_sheet(tmp_path, cut):
    sheet = tmp_path / "s.html"
    sheet.write_bytes(b"".join(render_sheet([HOSTILE])))
    text = sheet.read_text()
    end = text.index("</script>")
    sheet.write_text(text[:cut] if cut > 0 else text[:end])
    with pytest.raises(TableError, match=r"s\.html, line \d+: this is no row of captions"):
        list(Table("html", sheet).read())
