"""One folder of everything that breaks batch captioners; each file has its right outcome."""

import json
import os
import re

import pytest
from awkward import files, make_files
from fake_model import ColourEngine, loaded

from captioner.captioning.file_names import name_from_fields
from captioner.captioning.job import CaptionJob
from captioner.captioning.listing import Listing
from captioner.captioning.outputs import Outputs

TOLERANCE = 3  # of 255: lossy formats are not exact


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Outcomes as expected, rows as written, and the summary."""
    folder = tmp_path_factory.mktemp("awkward")
    expected = make_files(folder)
    table = tmp_path_factory.mktemp("out") / "c.jsonl"
    outputs = Outputs(sidecar_suffix=".txt", jsonl=table)
    summary = CaptionJob(Listing([str(folder)]), outputs, loaded).run()
    rows = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
    return expected, {name_from_fields(row): row for row in rows}, summary, folder


def test_there_are_enough_of_them():
    assert len(files()) >= 60


def test_every_file_is_accounted_for(run):
    expected, rows, summary, _ = run
    assert rows.keys() == expected.keys()
    assert list(rows) == sorted(rows, key=os.fsencode)
    num_failed = sum(isinstance(outcome, str) for outcome in expected.values())
    assert (summary.num_failed, summary.num_done) == (num_failed, len(expected) - num_failed)


@pytest.mark.parametrize("name", [os.fsdecode(name) for name in files()])
def test_outcome(run, name):
    expected, rows, _, folder = run
    outcome, row = expected[name], rows[name]
    namesake = sum(os.path.splitext(name)[0] == os.path.splitext(n)[0] for n in expected) > 1
    stem = name if namesake else os.path.splitext(name)[0]
    sidecar = folder / f"{stem}.txt"
    if isinstance(outcome, str):
        assert outcome in row["error"]
        assert str(folder) not in row["error"]
        assert not sidecar.exists()
        return
    found = re.fullmatch(r"colour (\d+) (\d+) (\d+)", row.get("caption", str(row)))
    assert found, row
    assert max(abs(int(v) - w) for v, w in zip(found.groups(), outcome, strict=True)) <= TOLERANCE
    assert sidecar.read_text() == row["caption"] + "\n"


def test_the_next_run_tries_only_the_bad_ones_again(run):
    _, _, first, folder = run
    engine = ColourEngine()
    job = CaptionJob(Listing([str(folder)]), Outputs(sidecar_suffix=".txt"), lambda: loaded(engine))
    second = job.run()
    assert (second.num_done, second.num_skipped) == (0, first.num_done)
    assert second.failures == first.failures
    assert engine.num_images == 0
