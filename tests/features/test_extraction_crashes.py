"""Extraction that dies: whatever the moment, the next run ends in the same bytes."""

import errno
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from feature_fakes import (
    FakeEncoder,
    draw_images,
    extract,
    extract_and_pickle,
    list_sources,
    load_tiny,
    read_bytes,
)

from captioner.errors import FeatureError
from captioner.features import shards

PROGRAM = [sys.executable, str(Path(__file__).with_name("feature_fakes.py"))]
PROJECT = Path(__file__).parents[2]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    draw_images(folder, 60)
    (folder / "image_007.png").write_bytes(b"no image")
    return folder


class Interrupted(FakeEncoder):
    """Is interrupted at an image, whichever of the threads gets it."""

    def __init__(self, last: Path) -> None:
        super().__init__()
        self._last_HWC = load_tiny(last.read_bytes())

    def encode(self, images_BHWC: np.ndarray) -> dict[str, np.ndarray]:
        if (images_BHWC == self._last_HWC).all(axis=(1, 2, 3)).any():
            raise KeyboardInterrupt
        return super().encode(images_BHWC)


def start(*arguments: object) -> subprocess.Popen:
    return subprocess.Popen(
        [*PROGRAM, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )


def test_ten_kills_at_random_moments_leave_no_trace(images, tmp_path):
    extract_and_pickle(images, tmp_path / "expected")
    rng = random.Random(8)
    num_killed = 0
    for _ in range(10):
        process = start(images, tmp_path / "store", "--seconds", "0.05")
        with process:
            process.stdout.readline()
            try:
                process.wait(rng.uniform(0.01, 0.15))
            except subprocess.TimeoutExpired:
                process.kill()
                num_killed += 1
    extract_and_pickle(images, tmp_path / "store")
    assert num_killed > 5
    assert read_bytes(tmp_path / "store") == read_bytes(tmp_path / "expected")


def test_a_death_at_any_sync_rename_or_removal_leaves_no_trace(images, tmp_path):
    for path in sorted(images.iterdir())[10:]:
        path.unlink()
    with start(images, tmp_path / "store", "--die-everywhere") as process:
        output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert int(output) > 20


def test_a_resumed_run_computes_only_what_is_missing(images, tmp_path):
    sources = list_sources(images)
    with pytest.raises(KeyboardInterrupt):
        extract(sources, tmp_path / "store", Interrupted(images / "image_020.png"))
    encoder = FakeEncoder()
    summary = extract(sources, tmp_path / "store", encoder)
    assert (summary.num_resumed, summary.num_computed, summary.num_failed) == (19, 40, 1)
    assert encoder.batch_sizes == [4] * 10
    extract(sources, tmp_path / "expected")
    assert read_bytes(tmp_path / "store") == read_bytes(tmp_path / "expected")


def test_an_image_edited_between_two_runs_is_computed_again(images, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        extract(list_sources(images), tmp_path / "store", Interrupted(images / "image_020.png"))
    (images / "image_009.png").write_bytes((images / "image_050.png").read_bytes())
    sources = list_sources(images)
    assert extract(sources, tmp_path / "store").num_resumed == 7
    extract(sources, tmp_path / "expected")
    assert read_bytes(tmp_path / "store") == read_bytes(tmp_path / "expected")


def test_a_full_disk_is_an_error_that_can_be_resumed(images, tmp_path, monkeypatch):
    extract(list_sources(images), tmp_path / "expected")
    num_syncs = 0

    def fill_up(descriptor):
        nonlocal num_syncs
        num_syncs += 1
        if num_syncs > 12:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(shards.os, "fsync", fill_up)
        with pytest.raises(FeatureError, match=r"store cannot be written: No space left on device"):
            extract(list_sources(images), tmp_path / "store")
    assert extract(list_sources(images), tmp_path / "store").num_resumed > 0
    assert read_bytes(tmp_path / "store") == read_bytes(tmp_path / "expected")


@pytest.mark.parametrize("max_file_bytes", [300, 1500, 2600])
def test_a_refused_write_in_the_middle_of_a_file_can_be_resumed(images, tmp_path, max_file_bytes):
    extract_and_pickle(images, tmp_path / "expected")
    with start(images, tmp_path / "store", "--max-file-bytes", max_file_bytes) as process:
        _, errors = process.communicate()
    assert process.returncode == 1
    assert "cannot be written: File too large" in errors
    assert "Traceback" not in errors
    extract_and_pickle(images, tmp_path / "store")
    assert read_bytes(tmp_path / "store") == read_bytes(tmp_path / "expected")


def test_a_folder_that_cannot_be_made_is_named(images, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FeatureError, match="file/store cannot be written"):
        extract(list_sources(images), tmp_path / "file" / "store")
