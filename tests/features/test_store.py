"""The feature store: round trips, whatever the batches; damage; torn writes."""

import json
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from feature_fakes import read_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

from captioner.errors import FeatureError
from captioner.features.journal import Failure
from captioner.features.store import FeatureStore, FeatureWriter

SHAPES = {"vector": (5,), "grid": (2, 3, 4)}
ROWS_PER_SHARD = 7
INDEX_KEYS = ["version", "shapes", "dtypes", "encoder", "rows_per_shard", "image_ids", "digests"]
NUM_ROWS = 30


def make_rows(num_rows: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    rows = {kind: rng.normal(size=(num_rows, *shape)) for kind, shape in SHAPES.items()}
    return {"vector": rows["vector"].astype("f4"), "grid": rows["grid"].astype("f2").astype("f4")}


ROWS = make_rows(NUM_ROWS)
IMAGE_IDS = tuple(f"folder/image {row} é" for row in range(NUM_ROWS))
DIGESTS = tuple(f"{row:064x}" for row in range(NUM_ROWS))


def open_writer(folder: Path, **options) -> FeatureWriter:
    return FeatureWriter(folder, SHAPES, **{"rows_per_shard": ROWS_PER_SHARD, **options})


def append_rows(writer: FeatureWriter, first: int, last: int) -> None:
    arrays = {kind: rows[first:last] for kind, rows in ROWS.items()}
    writer.append(IMAGE_IDS[first:last], DIGESTS[first:last], arrays)


def write_store(folder: Path, num_rows: int = NUM_ROWS) -> FeatureStore:
    writer = open_writer(folder)
    append_rows(writer, 0, num_rows)
    return writer.seal()


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return write_store(tmp_path / "store")


def test_rows_come_back_in_any_order(store):
    chosen = [29, 0, 7, 6, 13, 14, 0]
    for kind in SHAPES:
        values = store.read(kind, [IMAGE_IDS[row] for row in chosen])
        assert values.dtype == np.float32
        assert np.array_equal(values, ROWS[kind][chosen])
    assert store.read("grid", []).shape == (0, 2, 3, 4)
    assert (store.image_ids, store.digests, store.shapes) == (IMAGE_IDS, DIGESTS, SHAPES)


def test_rows_come_in_their_order(store):
    for kind in SHAPES:
        values = np.concatenate(list(store.read_in_order(kind)))
        assert values.dtype == np.float32
        assert np.array_equal(values, ROWS[kind])


def test_the_index_is_json_with_a_line_for_each_value(store):
    text = (store.folder / "index.json").read_text()
    index = json.loads(text)
    assert list(index) == INDEX_KEYS
    assert text == json.dumps(index, indent=0) + "\n"


@pytest.mark.parametrize("num_rows", [1, 6, 7, 8, 14, 30])
def test_shards_are_ordinary_npy_files(tmp_path, num_rows):
    write_store(tmp_path / "store", num_rows)
    for kind, dtype in [("vector", "f4"), ("grid", "f2")]:
        shards = [np.load(path) for path in sorted((tmp_path / "store").glob(f"{kind}-*.npy"))]
        assert [len(shard) for shard in shards[:-1]] == [7] * (len(shards) - 1)
        assert np.array_equal(np.concatenate(shards), ROWS[kind][:num_rows])
        assert {shard.dtype for shard in shards} == {np.dtype(dtype)}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 16),
            st.sampled_from(["none", "reopen", "tear", "rewind"]),
            st.integers(1, 60),
        ),
        max_size=8,
    )
)
def test_batches_and_interruptions_do_not_change_a_byte(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("stores")
    writer = open_writer(folder / "store")
    for num_rows, event, size in steps:
        append_rows(writer, writer.num_rows, min(NUM_ROWS, writer.num_rows + num_rows))
        if event == "tear":
            tear(folder / "store", size)
        if event == "rewind":
            writer.rewind(size % 4)
        if event != "none":
            writer = open_writer(folder / "store")
    append_rows(writer, writer.num_rows, NUM_ROWS)
    writer.seal()
    write_store(folder / "expected")
    assert read_bytes(folder / "store") == read_bytes(folder / "expected")


def tear(folder: Path, num_bytes: int) -> None:
    """Cuts the end off the journal, as a kill in the middle of writing a line does."""
    journal = folder / "journal.jsonl"
    content = journal.read_bytes()
    header = content.index(b"\n") + 1
    journal.write_bytes(content[: max(header, len(content) - num_bytes)])


def test_a_journal_torn_anywhere_loses_the_last_batch_alone(tmp_path):
    writer = open_writer(tmp_path / "store")
    append_rows(writer, 0, 5)
    before = (tmp_path / "store" / "journal.jsonl").read_bytes()
    append_rows(writer, 5, 8)
    content = (tmp_path / "store" / "journal.jsonl").read_bytes()
    for length in range(len(before), len(content)):
        (tmp_path / "store" / "journal.jsonl").write_bytes(content[:length])
        assert open_writer(tmp_path / "store").num_rows == 5
    (tmp_path / "store" / "journal.jsonl").write_bytes(content[:-20] + bytes(20))
    assert open_writer(tmp_path / "store").num_rows == 5


def test_batches_whose_rows_are_gone_are_forgotten(tmp_path):
    writer = open_writer(tmp_path / "store")
    for first in range(0, 20, 5):
        append_rows(writer, first, first + 5)
    grid = tmp_path / "store" / "grid-00001.npy"
    grid.write_bytes(grid.read_bytes()[:-1])  # its last row, row 13, is cut
    writer = open_writer(tmp_path / "store")
    assert writer.num_rows == 10
    append_rows(writer, 10, NUM_ROWS)
    writer.seal()
    write_store(tmp_path / "expected")
    assert read_bytes(tmp_path / "store") == read_bytes(tmp_path / "expected")


def test_failures_survive_a_reopening_once(tmp_path):
    writer = open_writer(tmp_path / "store")
    bad = Failure("naïve \udcff", "/photos/naïve \udcff.jpg", "truncated", DIGESTS[0])
    arrays = {kind: rows[:2] for kind, rows in ROWS.items()}
    writer.append(IMAGE_IDS[:2], DIGESTS[:2], arrays, [bad])
    writer = open_writer(tmp_path / "store")
    assert next(writer.batches()).failures == (bad,)
    writer.seal()
    (line,) = (tmp_path / "store" / "failures.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "image_id": "naïve \udcff",
        "path": "/photos/naïve \udcff.jpg",
        "cause": "truncated",
    }


def test_missing_images_are_named_and_counted(store):
    missing = [f"missing_{number}" for number in range(8)]
    message = (
        "store has no features of 8 of the images asked for: missing_0, missing_1, missing_2, "
        "missing_3, missing_4 and 3 more. It holds 30 images"
    )
    with pytest.raises(FeatureError, match=message):
        store.read("vector", [*missing, IMAGE_IDS[0]])


def test_a_missing_kind_names_the_setting(tmp_path):
    writer = FeatureWriter(tmp_path / "store", {"vector": (5,)})
    writer.append(IMAGE_IDS, DIGESTS, {"vector": ROWS["vector"]})
    with pytest.raises(FeatureError, match=r"has no grid, only vector\. Set extract\.outputs"):
        writer.seal().read("grid", IMAGE_IDS[:1])


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def change_index(path: Path, **changes) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("vector-00002.npy", cut, "vector-00002.npy is damaged: 331 bytes instead of 332"),
        ("grid-00001.npy", Path.unlink, "grid-00001.npy is damaged: .*No such file"),
        (
            "grid-00000.npy",
            lambda path: path.write_bytes(path.read_bytes().replace(b"<f2", b"<i2")),
            "its header contradicts the index",
        ),
        ("index.json", cut, None),
        ("index.json", lambda path: path.write_text('{"version": 1'), "index.json is damaged"),
        ("index.json", lambda path: path.write_text("[]"), "index.json is damaged: TypeError"),
        ("index.json", lambda path: change_index(path, version=9), "version 9 instead of 1"),
        ("index.json", lambda path: change_index(path, digests=[]), "a digest"),
        ("index.json", lambda path: change_index(path, image_ids=["a"] * 30), "id of its own"),
        ("index.json", lambda path: change_index(path, image_ids=7), "lists of strings"),
        ("index.json", lambda path: change_index(path, dtypes={"vector": "O"}), "needs a dtype"),
        ("index.json", lambda path: change_index(path, rows_per_shard=0), "1 row or more"),
        ("index.json", Path.unlink, r"holds no feature store \(index.json is missing\)"),
    ],
)
def test_damage_is_named(store, name, damage, message):
    damage(store.folder / name)
    if message is None:  # only the last line feed is gone
        assert FeatureStore.open(store.folder).image_ids == IMAGE_IDS
        return
    with pytest.raises(FeatureError, match=message):
        FeatureStore.open(store.folder)


def test_unfinished_stores_are_not_opened(tmp_path):
    append_rows(open_writer(tmp_path / "store"), 0, 5)
    with pytest.raises(FeatureError, match="unfinished feature store"):
        FeatureStore.open(tmp_path / "store")


@pytest.mark.parametrize("options", [{"encoder": "other"}, {"rows_per_shard": 8}])
def test_an_unfinished_store_of_another_kind_is_not_continued(tmp_path, options):
    append_rows(open_writer(tmp_path / "store"), 0, 5)
    with pytest.raises(FeatureError, match="unfinished feature store of another encoder"):
        open_writer(tmp_path / "store", **options)


def test_a_finished_store_is_not_written_to(store):
    with pytest.raises(FeatureError, match="holds a finished feature store"):
        open_writer(store.folder)


def test_a_store_needs_rows_and_different_images(tmp_path):
    with pytest.raises(FeatureError, match="nothing to finish"):
        open_writer(tmp_path / "empty").seal()
    writer = open_writer(tmp_path / "doubled")
    append_rows(writer, 0, 2)
    append_rows(writer, 1, 3)
    with pytest.raises(FeatureError, match="an image has two rows"):
        writer.seal()


def test_wrong_shapes_are_refused_before_anything_is_written(tmp_path):
    writer = open_writer(tmp_path / "store")
    with pytest.raises(FeatureError, match=r"vector: expected an array of \(2, 5\)"):
        writer.append(["a", "b"], ["", ""], {"vector": np.ones((2, 4)), "grid": ROWS["grid"][:2]})
    assert not list((tmp_path / "store").glob("*.npy"))


def test_a_store_can_be_moved(store, tmp_path):
    shutil.move(store.folder, tmp_path / "elsewhere")
    moved = FeatureStore.open(tmp_path / "elsewhere")
    assert np.array_equal(moved.read("vector", IMAGE_IDS), ROWS["vector"])


def test_what_is_written_does_not_stay_in_memory(tmp_path):
    writer = FeatureWriter(tmp_path / "store", {"vector": (1,)})
    append_many(writer, 0)
    tracemalloc.start()
    for batch in range(1, 11):
        append_many(writer, batch)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 10_000, "more than a byte for each of 10,000 images"


def append_many(writer: FeatureWriter, batch: int) -> None:
    image_ids = [f"{batch}/{number}" for number in range(1000)]
    writer.append(image_ids, ["0" * 64] * 1000, {"vector": np.ones((1000, 1), np.float32)})


def test_a_hundred_thousand_rows_open_without_reading_them(tmp_path):
    num_rows = 100_000
    writer = FeatureWriter(tmp_path / "store", {"vector": (2,)})
    image_ids = [f"{row}_693b08cb0e" for row in range(num_rows)]
    vectors = np.arange(num_rows * 2, dtype=np.float32).reshape(-1, 2)
    writer.append(image_ids, ["0" * 64] * num_rows, {"vector": vectors})
    store = writer.seal()
    assert np.array_equal(store.read("vector", image_ids[::-1]), vectors[::-1])
