"""Extraction: order, reuse, failures, bounded memory."""

import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from feature_fakes import (
    SIDE,
    FakeEncoder,
    draw_images,
    extract,
    list_sources,
    load_tiny,
    read_bytes,
)

from captioner.errors import FeatureError
from captioner.features.extraction import BATCHES_TAKEN
from captioner.features.sources import BATCHES_AHEAD, ImageSource
from captioner.features.store import FeatureStore
from captioner.features.summary import ExtractionSummary


@pytest.fixture
def images(tmp_path: Path) -> Path:
    draw_images(tmp_path / "images", 10)
    return tmp_path / "images"


def test_rows_hold_what_the_encoder_gave_in_the_order_asked_for(images, tmp_path):
    sources = list_sources(images)[::-1]
    summary = extract(sources, tmp_path / "store")
    store = FeatureStore.open(tmp_path / "store")
    assert store.image_ids == tuple(source.image_id for source in sources)
    assert store.digests == tuple(source.digest for source in sources)
    pixels = np.stack([load_tiny(source.path.read_bytes()) for source in sources])
    expected = FakeEncoder().encode(pixels)
    assert np.array_equal(store.read("vector", store.image_ids), expected["vector"])
    assert np.allclose(store.read("grid", store.image_ids), expected["grid"], rtol=1e-3)
    assert (summary.num_images, summary.num_computed, summary.num_failed) == (10, 10, 0)


@pytest.mark.parametrize(("batch_size", "workers"), [(1, 1), (3, 4), (10, 2), (64, 3)])
def test_batch_size_and_threads_do_not_change_a_byte(images, tmp_path, batch_size, workers):
    sources = list_sources(images)
    extract(sources, tmp_path / "expected")
    extract(sources, tmp_path / "store", batch_size=batch_size, workers=workers)
    assert read_bytes(tmp_path / "store") == read_bytes(tmp_path / "expected")


def test_added_edited_renamed_and_removed_images(images, tmp_path):
    extract(list_sources(images), tmp_path / "old")
    (images / "image_005.png").unlink()  # removed
    (images / "image_000.png").rename(images / "renamed.png")
    draw_images(tmp_path / "more", 4, seed=1)
    for number in range(3):  # added between and behind the others
        (tmp_path / "more" / f"image_{number:03}.png").rename(images / f"image_002{number}.png")
    (tmp_path / "more" / "image_003.png").rename(images / "image_008.png")  # edited in place
    sources, encoder = list_sources(images), FakeEncoder()
    summary = extract(sources, tmp_path / "new", encoder, earlier=[tmp_path / "old"])
    assert (summary.num_computed, summary.num_reused, summary.notes) == (4, 8, ())
    assert encoder.batch_sizes == [4]
    extract(sources, tmp_path / "expected")
    assert read_bytes(tmp_path / "new") == read_bytes(tmp_path / "expected")


def test_rows_come_from_several_earlier_stores(images, tmp_path):
    sources, encoder = list_sources(images), FakeEncoder()
    extract(sources[::2], tmp_path / "even")
    extract(sources[1::2], tmp_path / "odd")
    earlier = [tmp_path / "even", tmp_path / "odd"]
    assert extract(sources, tmp_path / "store", encoder, earlier=earlier).num_reused == 10
    assert encoder.batch_sizes == []
    extract(sources, tmp_path / "expected")
    assert read_bytes(tmp_path / "store") == read_bytes(tmp_path / "expected")


def test_rows_of_another_encoder_are_not_reused(images, tmp_path):
    sources = list_sources(images)
    extract(sources, tmp_path / "old", encoder_name="vgg16")
    summary = extract(sources, tmp_path / "new", encoder_name="lite0", earlier=[tmp_path / "old"])
    assert (summary.num_reused, summary.num_computed) == (0, 10)
    assert "old is of another encoder" in summary.notes[0]


def test_a_damaged_earlier_store_is_a_miss_that_is_said_aloud(images, tmp_path):
    sources = list_sources(images)
    extract(sources, tmp_path / "old")
    (tmp_path / "old" / "grid-00000.npy").write_bytes(b"")
    summary = extract(sources, tmp_path / "new", earlier=[tmp_path / "old"])
    assert summary.num_computed == 10
    assert "grid-00000.npy is damaged" in summary.notes[0]


def test_bad_files_are_listed_and_do_not_stop_the_run(images, tmp_path):
    (images / "image_001.png").write_bytes(b"")
    (images / "image_002.png").write_bytes((images / "image_003.png").read_bytes()[:60])
    sources = list_sources(images)
    (images / "image_004.png").unlink()
    (images / "image_006.png").write_bytes((images / "image_003.png").read_bytes())
    summary = extract(sources, tmp_path / "store")
    lines = (tmp_path / "store" / "failures.jsonl").read_text().splitlines()
    failures = {entry["image_id"]: entry for entry in map(json.loads, lines)}
    assert {image_id: entry["cause"] for image_id, entry in failures.items()} == {
        "image_001": "not an image",
        "image_002": "not an image",
        "image_004": "cannot be read: No such file or directory",
        "image_006": "changed after it was listed; extract again",
    }
    assert failures["image_004"]["path"] == str(images / "image_004.png")
    assert (summary.num_failed, summary.num_computed) == (4, 6)
    store = FeatureStore.open(tmp_path / "store")
    assert not failures.keys() & set(store.image_ids)


def test_failures_are_tried_again_with_the_earlier_store(images, tmp_path):
    good = (images / "image_001.png").read_bytes()
    (images / "image_001.png").write_bytes(b"")
    extract(list_sources(images), tmp_path / "old")
    (images / "image_001.png").write_bytes(good)
    summary = extract(list_sources(images), tmp_path / "new", earlier=[tmp_path / "old"])
    assert (summary.num_computed, summary.num_reused, summary.num_failed) == (1, 9, 0)


def test_all_images_failing_is_an_error_and_can_be_mended(images, tmp_path):
    contents = {path: path.read_bytes() for path in images.iterdir()}
    for path in contents:
        path.write_bytes(b"no image")
    first = r"None of the 10 images could be used\..*image_000.png: not an image"
    with pytest.raises(FeatureError, match=first):
        extract(list_sources(images), tmp_path / "store")
    with pytest.raises(FeatureError, match="holds an unfinished feature store"):
        FeatureStore.open(tmp_path / "store")
    for path, content in contents.items():
        path.write_bytes(content)
    assert extract(list_sources(images), tmp_path / "store").num_computed == 10


def test_a_finished_store_is_left_alone(images, tmp_path):
    (images / "image_001.png").write_bytes(b"")
    sources, encoder = list_sources(images), FakeEncoder()
    extract(sources, tmp_path / "store")
    summary = extract(sources, tmp_path / "store", encoder)
    assert (summary.num_resumed, summary.num_failed, encoder.batch_sizes) == (9, 1, [])
    with pytest.raises(FeatureError, match="finished features of other images"):
        extract(sources[:5], tmp_path / "store")


def test_few_images_are_in_memory_at_a_time(tmp_path):
    draw_images(tmp_path / "images", 80)
    decoded, most, lock = 0, 0, threading.Lock()

    class Counting(FakeEncoder):
        def encode(self, images_BHWC):
            nonlocal decoded, most
            time.sleep(0.005)  # threads decode as much as they may
            with lock:
                most = max(most, decoded)
                decoded -= len(images_BHWC)
            return super().encode(images_BHWC)

    def load(content: bytes) -> np.ndarray:
        nonlocal decoded
        with lock:
            decoded += 1
        return load_tiny(content)

    extract(list_sources(tmp_path / "images"), tmp_path / "store", Counting(), load=load, workers=4)
    assert 4 < most <= 4 * (BATCHES_AHEAD + BATCHES_TAKEN)


def test_decoding_overlaps_the_encoder(images, tmp_path):
    during_encode: list[bool] = []
    next_image_read = threading.Event()

    class Waiting(FakeEncoder):
        def encode(self, images_BHWC):
            if not during_encode:
                during_encode.append(next_image_read.wait(timeout=10))
            return super().encode(images_BHWC)

    sources = list_sources(images)
    last = sources[2].path.read_bytes()

    def load(content: bytes) -> np.ndarray:
        if content == last:
            next_image_read.set()
        return load_tiny(content)

    extract(sources, tmp_path / "store", Waiting(), load=load, batch_size=1, workers=1)
    assert during_encode[0]


def test_two_batches_are_in_the_encoder_at_once(images, tmp_path):
    both = threading.Barrier(2, timeout=10)

    class Meeting(FakeEncoder):
        def encode(self, images_BHWC):
            both.wait()  # broken, and raised, where no second batch comes
            return super().encode(images_BHWC)

    sources = list_sources(images)
    assert extract(sources, tmp_path / "store", Meeting(), batch_size=5).num_computed == 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: {"vector": e["vector"]}, r"a grid of shape \(4, 2, 2, 3\).*Received: nothing"),
        (lambda e: {**e, "vector": e["vector"][:, :5]}, r"Received: \(4, 5\)"),
        (lambda e: {**e, "vector": e["vector"] * np.nan}, r"NaN.*\(float32\) for image_000"),
        (lambda e: {**e, "grid": e["grid"] * 1e9}, r"more than 65504.*store the grid as float32"),
    ],
)
def test_an_encoder_that_does_not_keep_its_word(images, tmp_path, change, message):
    class Broken(FakeEncoder):
        def encode(self, images_BHWC):
            return change(super().encode(images_BHWC))

    with pytest.raises(FeatureError, match=message):
        extract(list_sources(images), tmp_path / "store", Broken())


def test_requests_that_make_no_sense(images, tmp_path):
    sources = list_sources(images)
    with pytest.raises(FeatureError, match="There are no images"):
        extract([], tmp_path / "store")
    with pytest.raises(FeatureError, match="Received: batch_size=0"):
        extract(sources, tmp_path / "store", batch_size=0)
    with pytest.raises(FeatureError, match="workers=0"):
        extract(sources, tmp_path / "store", workers=0)
    twin = ImageSource("image_003", sources[0].path, sources[0].digest)
    with pytest.raises(FeatureError, match="more than once: image_003"):
        extract([*sources, twin], tmp_path / "store")


def test_the_summary_is_one_readable_line():
    summary = ExtractionSummary(
        8091, num_computed=90, num_reused=8000, num_failed=1, images_per_second=123.4
    )
    assert str(summary) == "8,091 images: 8,000 reused, 90 computed, 1 failed (123/s)"
    kept = ExtractionSummary(1, num_resumed=1)
    assert str(kept) == "1 image: 1 kept from an interrupted run"


def test_images_pass_through_the_loader_of_the_application(images, tmp_path):
    pytest.importorskip("captioner.images")
    from captioner.images import ResizeRule, load_image

    (images / "image_001.png").write_bytes(b"no image")
    encoder = FakeEncoder()
    encoder.spec.rule = ResizeRule(SIDE, SIDE)
    assert extract(list_sources(images), tmp_path / "store", encoder, load=None).num_failed == 1
    pixels = load_image(images / "image_002.png", encoder.spec.rule)
    vector = FeatureStore.open(tmp_path / "store").read("vector", ["image_002"])
    assert np.array_equal(vector, encoder.encode(pixels[None])["vector"])
