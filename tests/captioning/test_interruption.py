"""Kills, full disks and second runs: nothing is lost, nothing is done twice."""

import contextlib
import errno
import io
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_model import ColourEngine, loaded
from PIL import Image

from captioner.captioning import outputs as outputs_module
from captioner.captioning.existing import CaptionText
from captioner.captioning.job import CaptionJob
from captioner.captioning.journal import Journal, JournalError
from captioner.captioning.listing import Listing
from captioner.captioning.outputs import DiskFullError, Outputs
from captioner.errors import LockedError

SCRIPT = Path(__file__).with_name("killable_run.py")
PROJECT = SCRIPT.parents[2]
NUM_IMAGES = 160


def draw_folder(folder: Path) -> Path:
    for number in range(NUM_IMAGES):
        path = folder / f"{number % 7}" / f"{number:03d}.{('jpg', 'png', 'webp')[number % 3]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (10, 10), (number, 255 - number, 99)).save(path)
        path.with_suffix(".txt").write_text("mine")
    (folder / "3" / "torn.jpg").write_bytes(b"torn")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def start(folder: Path, tables: Path, *max_searches: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, SCRIPT, folder, tables, *max_searches],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )


def check_whole(table: Path) -> None:
    if table.exists():
        content = table.read_bytes()
        assert content.endswith(b"\n")
        for line in content.splitlines():
            json.loads(line)


def test_ten_kills_end_in_what_an_uninterrupted_run_makes(tmp_path):
    whole = draw_folder(tmp_path / "whole" / "photos")
    torn = Path(shutil.copytree(whole, tmp_path / "torn" / "photos"))
    process = start(whole, whole.parent)
    assert process.wait(timeout=60) == 0, process.stderr.read()

    output = run_through_kills(torn, torn.parent, 10)
    num_resumed = int(output.split()[-1])
    assert 0 < num_resumed < NUM_IMAGES
    assert contents(torn.parent) == contents(whole.parent)


def run_through_kills(folder: Path, tables: Path, num_kills: int) -> str:
    """Kills runs again and again, lets one finish, and returns what that one printed.

    Each of them waits after one search of 8 images, or they would all be done on a machine that
    is slow to kill.
    """
    chance = random.Random(1)
    for _ in range(num_kills):
        process = start(folder, tables, "1")
        assert process.stdout.readline() == "captioning\n", process.stderr.read()
        time.sleep(chance.uniform(0, 0.3))
        process.kill()
        process.communicate()
        check_whole(tables / "c.jsonl")
    process = start(folder, tables)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return output


def test_an_interrupt_publishes_what_is_done_and_the_next_run_goes_on(photos, tmp_path):
    class Interrupted(ColourEngine):
        def search(self, features):
            if self.num_images > 4:
                raise KeyboardInterrupt
            return super().search(features)

    outputs = Outputs(jsonl=tmp_path / "c.jsonl", sidecar_suffix=".txt")
    listing = Listing([str(photos)], recursive=True)
    with pytest.raises(KeyboardInterrupt):
        CaptionJob(listing, outputs, lambda: loaded(Interrupted(2))).run()
    num_rows = len((tmp_path / "c.jsonl").read_text().splitlines())
    engine = ColourEngine()
    summary = CaptionJob(listing, outputs, lambda: loaded(engine)).run()
    assert (summary.num_done, summary.num_resumed, summary.num_skipped) == (6, num_rows, 0)
    assert engine.num_images == 6 - num_rows > 0


def test_a_full_disk_stops_the_run_and_can_be_resumed(photos, tmp_path, monkeypatch):
    replace_content = outputs_module.replace_content

    def full(path, content, **options):
        if path.name == "e.txt":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        replace_content(path, content, **options)

    outputs = Outputs(jsonl=tmp_path / "c.jsonl", sidecar_suffix=".txt")
    listing = Listing([str(photos)], recursive=True)
    with monkeypatch.context() as patch:
        patch.setattr(outputs_module, "replace_content", full)
        with pytest.raises(DiskFullError, match=r"e\.png.*No space left.*continues where it"):
            CaptionJob(listing, outputs, lambda: loaded(ColourEngine(2))).run()
    engine = ColourEngine()
    summary = CaptionJob(listing, outputs, lambda: loaded(engine)).run()
    assert (summary.num_done, summary.num_failed) == (6, 0)
    assert engine.num_images == 0, "what was recorded before the disk was full is captioned twice"
    assert len(list(photos.rglob("*.txt"))) == 6


def test_other_names_from_standard_input_do_not_count_as_this_run(
    photos, tmp_path, monkeypatch, draw
):
    class Interrupted(ColourEngine):
        def search(self, features):
            if self.num_images > 4:
                raise KeyboardInterrupt
            return super().search(features)

    def feed(*names):
        text = "\n".join(str(photos / name) for name in names).encode()
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
        return Listing(filelist="-")

    (photos / "a.png").write_bytes(b"damaged")
    names = ("a.png", "b.JPG", "c.webp", "d.png", "trips/e.png", "trips/f.jpeg")
    outputs = Outputs(sidecar_suffix=".txt")
    with pytest.raises(KeyboardInterrupt):
        CaptionJob(feed(*names), outputs, lambda: loaded(Interrupted(2))).run()
    draw("other.png")
    summary = CaptionJob(feed(tmp_path / "other.png"), outputs, loaded).run()
    assert (summary.num_done, summary.num_failed, summary.num_resumed) == (1, 0, 0)
    assert summary.failures == ()


def test_another_request_takes_over_what_an_interrupted_one_did(photos, tmp_path):
    class Interrupted(ColourEngine):
        has_searched = False

        def search(self, features):
            if self.has_searched:
                raise KeyboardInterrupt
            self.has_searched = True
            return super().search(features)

    listing = Listing([str(photos)], recursive=True)
    outputs = Outputs(jsonl=tmp_path / "c.jsonl")
    with pytest.raises(KeyboardInterrupt):
        CaptionJob(listing, outputs, lambda: loaded(Interrupted(1)), identity="beam 3").run()
    done = (tmp_path / "c.jsonl").read_text()
    summary = CaptionJob(listing, outputs, loaded, identity="beam 5").run()
    assert summary.num_skipped == len(done.splitlines()) > 0
    assert (tmp_path / "c.jsonl").read_text().startswith(done)


def test_two_runs_at_once_are_refused(photos, tmp_path):
    journal = Journal(tmp_path / ".c.jsonl.journal")
    journal.set_facts({"identity": "another run's"})
    job = CaptionJob(Listing([str(photos)]), Outputs(jsonl=tmp_path / "c.jsonl"), loaded)
    with pytest.raises(LockedError, match="Another run is captioning"):
        job.run()
    journal.close(remove=True)
    assert job.run().num_done == 4


def test_a_journal_of_another_version_is_told(tmp_path):
    path = tmp_path / ".c.jsonl.journal"
    Journal(path).close()
    Journal(path).close()  # one's own is taken up
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA user_version = 1")
    with pytest.raises(JournalError, match=r"another version of captioner began. .* remove the"):
        Journal(path)


def test_a_journal_that_is_none_is_told(photos, tmp_path):
    (tmp_path / ".c.jsonl.journal").write_text("something else" * 100)
    job = CaptionJob(Listing([str(photos)]), Outputs(jsonl=tmp_path / "c.jsonl"), loaded)
    with pytest.raises(Exception, match=r"\.c\.jsonl\.journal, is damaged.* remove the file"):
        job.run()


def test_without_a_place_for_a_journal_the_run_still_works(photos, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", os.devnull)
    outputs = Outputs(sidecar_suffix=".txt", text=CaptionText("append"))
    assert CaptionJob(Listing([str(photos)]), outputs, loaded).run().num_done == 4
