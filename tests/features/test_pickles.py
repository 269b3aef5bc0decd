"""features.pkl: what we write, what others wrote, and what must not be loaded."""

import contextlib
import importlib
import io
import os
import pickle
import pickletools
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from captioner.errors import FeatureError, UnsafePickleError
from captioner.features.pickles import (
    PickledFeatures,
    read_features_pickle,
    write_features_pickle,
)

GOLDEN = Path(__file__).parent / "golden"


def make_features(num_images: int = 5, width: int = 7) -> PickledFeatures:
    vectors = np.random.default_rng(1).normal(size=(num_images, width)).astype(np.float32)
    return PickledFeatures("memory", [f"image_{n}" for n in range(num_images)], vectors)


def write_bytes(folder: Path, content: bytes) -> Path:
    (folder / "features.pkl").write_bytes(content)
    return folder / "features.pkl"


# What we write


def test_pickle_load_gives_a_plain_dict_of_float32_vectors(tmp_path):
    features = make_features(600)
    write_features_pickle(tmp_path / "features.pkl", features)
    loaded = pickle.loads((tmp_path / "features.pkl").read_bytes())
    assert type(loaded) is dict
    assert list(loaded) == list(features.image_ids)
    for image_id, vector in loaded.items():
        assert (type(vector), vector.dtype, vector.shape) == (np.ndarray, np.float32, (7,))
        assert np.array_equal(vector, features.read("vector", [image_id])[0])


def test_loaded_arrays_are_ordinary_ones(tmp_path):
    write_features_pickle(tmp_path / "features.pkl", make_features(2))
    first, second = pickle.loads((tmp_path / "features.pkl").read_bytes()).values()
    before = second.copy()
    first += 1
    assert first.flags.owndata
    assert np.array_equal(second, before)


def test_the_written_pickle_is_well_formed_and_names_what_every_numpy_has(tmp_path):
    write_features_pickle(tmp_path / "features.pkl", make_features())
    listing = io.StringIO()
    pickletools.dis((tmp_path / "features.pkl").read_bytes(), out=listing)
    assert "highest protocol among opcodes = 4" in listing.getvalue()
    assert "numpy.core.multiarray" in listing.getvalue()
    assert "numpy._core" not in listing.getvalue()


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.text(min_size=1), min_size=1, max_size=5, unique=True),
    hnp.arrays(np.float32, st.just((5, 3)), elements=st.floats(-1e9, 1e9, width=32)),
)
def test_round_trip(tmp_path_factory, image_ids, vectors):
    image_ids = [f"{image_id}_" for image_id in image_ids]  # no image suffix
    path = tmp_path_factory.mktemp("pickles") / "features.pkl"
    write_features_pickle(path, PickledFeatures("memory", image_ids, vectors[: len(image_ids)]))
    features = read_features_pickle(path)
    assert features.image_ids == tuple(image_ids)
    assert np.array_equal(features.read("vector", image_ids), vectors[: len(image_ids)])
    assert {k: v.tolist() for k, v in pickle.loads(path.read_bytes()).items()} == dict(
        zip(image_ids, vectors.tolist(), strict=False)
    )


def test_memory_does_not_grow_with_the_number_of_images(tmp_path):
    features = make_features(4000, 1024)
    tracemalloc.start()
    write_features_pickle(tmp_path / "features.pkl", features)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (tmp_path / "features.pkl").stat().st_size > 16_000_000
    assert peak < 4_000_000


def test_a_killed_writer_leaves_nothing_behind(tmp_path):
    (tmp_path / ".features.pkl.abc.tmp").touch()
    write_features_pickle(tmp_path / "features.pkl", make_features())
    assert [path.name for path in tmp_path.iterdir()] == ["features.pkl"]


def test_nothing_is_written_where_there_are_no_vectors(tmp_path):
    features = make_features()
    features._index._kinds = ("grid",)
    with pytest.raises(FeatureError, match="has no vector"):
        write_features_pickle(tmp_path / "features.pkl", features)
    assert not list(tmp_path.iterdir())


# What others wrote


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "f8", "f2", "i8"])
@pytest.mark.parametrize("shape", [(1, 9), (9,)])
def test_the_pickles_of_course_scripts_load(tmp_path, protocol, dtype, shape):
    values = {f"im_{n}": (np.arange(9) + n).astype(dtype).reshape(shape) for n in range(3)}
    features = read_features_pickle(write_bytes(tmp_path, pickle.dumps(values, protocol)))
    assert features.shapes == {"vector": (9,)}
    vectors = features.read("vector", ["im_2", "im_0"])
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors, [np.arange(9) + 2, np.arange(9)])


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_in_column_order_load(tmp_path, protocol):
    values = {"a": np.asfortranarray(np.arange(4.0)[None, ::2])}
    features = read_features_pickle(write_bytes(tmp_path, pickle.dumps(values, protocol)))
    assert features.read("vector", ["a"]).tolist() == [[0.0, 2.0]]


@pytest.mark.parametrize(
    "name",
    [
        *(f"python2_protocol{protocol}.pkl" for protocol in range(3)),
        *(f"numpy1_protocol{protocol}.pkl" for protocol in range(6)),
    ],
)
def test_pickles_of_python_2_and_numpy_1_load(name):
    features = read_features_pickle(GOLDEN / name)
    image_ids = ("1000268201_693b08cb0e", "1001773457_577c3a7d70")
    assert sorted(features.image_ids) == sorted(image_ids)
    vectors = features.read("vector", image_ids)
    assert vectors.tolist() == [[0.0, 1.5, -2.25, 1e10], [127.0, -0.5, 3.0, 200.0]]


def test_image_suffixes_are_dropped_from_keys(tmp_path):
    keys = ["a.jpg", "b.JPEG", "c.png", "d", "folder/e.f"]
    content = pickle.dumps({key: np.ones(3, np.float32) for key in keys})
    features = read_features_pickle(write_bytes(tmp_path, content))
    assert features.image_ids == ("a", "b", "c", "d", "folder/e.f")


def test_features_are_read_like_those_of_a_store():
    features = make_features()
    with pytest.raises(FeatureError, match="memory has no grid, only vector"):
        features.read("grid", ["image_0"])
    with pytest.raises(FeatureError, match="memory has no features of 1 of the images"):
        features.read("vector", ["image_9"])


# What must not be loaded


class Calls:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def name_of(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


RECONSTRUCT = name_of("numpy.core.multiarray", "_reconstruct")
ANY_DTYPE = name_of("numpy", "dtype") + b"(X\x02\x00\x00\x00f4tR"
VECTOR = np.ones(3, np.float32)


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    return tmp_path / "sprung"


@pytest.mark.parametrize("protocol", range(6))
def test_os_system_is_named_and_not_run(tmp_path, trap, protocol):
    hostile = {"a": VECTOR, "b": Calls(os.system, f"touch {trap}")}
    path = write_bytes(tmp_path, pickle.dumps(hostile, protocol))
    with pytest.raises(UnsafePickleError, match=r"features\.pkl asks for posix\.system\."):
        read_features_pickle(path)
    assert not trap.exists()


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (eval, ("open('{trap}', 'w')",), r"builtins\.eval"),
        (exec, ("open('{trap}', 'w')",), r"builtins\.exec"),
        (open, ("{trap}", "w"), r"io\.open"),
        (getattr, (VECTOR, "tofile"), r"builtins\.getattr"),
        (importlib.import_module, ("this",), r"importlib\.import_module"),
        (np.save, ("{trap}", 1), r"numpy\.save"),
        (np.load, ("{trap}",), r"numpy\.load"),
        (np.memmap, ("{trap}", "u1", "w+", 0, 9), r"numpy\.memmap"),
        (pickle.loads, (b"",), r"pickle\.loads"),
        (bytearray, (10,), r"builtins\.bytearray"),
    ],
)
def test_calls_are_refused_wherever_they_hide(tmp_path, trap, function, arguments, message):
    arguments = [a.format(trap=trap) if isinstance(a, str) else a for a in arguments]
    call = Calls(function, *arguments)
    for hostile in (call, {call: VECTOR}, {"a": [({"b": call},)]}, {"a": Calls(os.getcwd), "b": 1}):
        with pytest.raises(UnsafePickleError, match=f"{message}|posix.getcwd"):
            read_features_pickle(write_bytes(tmp_path, pickle.dumps(hostile)))
    assert not trap.exists()


class Ordinary:
    pass


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.array([os.system], object), "posix.system|dtype 'O8'"),
        (np.array(["a", None], object), "an array of dtype 'O8', not of numbers"),
        (np.array(["a"]), "dtype 'U1'"),
        (np.zeros(2, [("x", "f4")]), "dtype 'V4'"),
        (np.ma.masked_array([1.0]), r"numpy\.ma"),
        (np.float32(1), r"multiarray\.scalar"),
        (Ordinary(), r"(test_pickles\.Ordinary|copyreg|copy_reg)"),
        ({1, 2}, r"builtins\.set"),
    ],
)
def test_other_objects_are_refused(tmp_path, value, message):
    for protocol in range(3):
        path = write_bytes(tmp_path, pickle.dumps({"a": value}, protocol))
        with pytest.raises(
            FeatureError, match=message.replace("builtins", "(builtins|__builtin__)")
        ):
            read_features_pickle(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x02" + name_of("os", "system") + b".", r"os\.system"),
        (b"(S'touch x'\nios\nsystem\n.", r"os\.system"),
        (b"(cos\nsystem\nS'touch x'\no.", r"os\.system"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", r"os\.system"),
        (b"\x80\x04\x8c\x05numpy\x8c\x0bcore.os.foo\x93.", r"numpy\.core\.os\.foo"),
        (name_of("numpy.core.multiarray", "__dict__"), r"multiarray\.__dict__"),
        (name_of("numpy", "ndarray") + b"(I3\ntR.", r"a call of numpy\.ndarray"),
        (RECONSTRUCT + b"}S'__call__'\nNsb.", "a change of NumPy itself"),
        (RECONSTRUCT + b"N}S'_function'\nNs\x86b.", "a change of NumPy itself"),
        (name_of("_codecs", "encode") + b"(X\x01\x00\x00\x00aX\x03\x00\x00\x00hextR.", "encoding"),
        (b"}K\x01" + b"2\x86" * 60 + b"Ns.", "a dict whose keys are tuples"),
        (b"}(K\x01" + b"2\x86" * 60 + b"Nu.", "a dict whose keys are tuples"),
        (b"(K\x01" + b"2\x86" * 60 + b"Nd.", "a dict whose keys are tuples"),
        (b"\x80\x04(K\x01" + b"2\x86" * 60 + b"\x91.", "the opcode FROZENSET"),
        (b"\x80\x05\x97.", "the opcode NEXT_BUFFER"),
        (b"\x82\x01.", "the opcode EXT1"),
        (name_of("numpy", "dtype") + b"(K\x01" + b"2\x86" * 60 + b"tR.", "dtype tuple, not"),
        (b"Phome\n.", "an object outside the file, 'home'"),
        (b"X\x01\x00\x00\x00aQ.", "an object outside the file, 'a'"),
        (name_of("x" * 10_000, "y"), r"asks for x{200}\. It was"),
    ],
)
def test_hand_made_pickles_are_refused(tmp_path, content, message):
    with pytest.raises(UnsafePickleError, match=message):
        read_features_pickle(write_bytes(tmp_path, content))


HUGE_SHAPE = (
    b"\x80\x02" + RECONSTRUCT + b"(" + name_of("numpy", "ndarray") + b"K\x00\x85U\x01btR"
    b"(K\x01\x8a\x06\x00\x00\x00\x00\x00\x01\x85" + ANY_DTYPE + b"\x89U\x04abcdtb."
)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80",
        b"a text\n",
        b"\x80\x09.",  # a protocol to come
        b"}r\xff\xff\xff\xff.",  # place 2**32 - 1 of the memo: no error, no memory
        b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b"abc",  # bytes that are not there
        b"\x80\x05\x96" + struct.pack("<Q", 1 << 60) + b"abc",
        b"\x80\x04\x95" + struct.pack("<Q", 1 << 60) + b"}.",
        b"}b.",
        b"}}}s.",  # a dict as key
        RECONSTRUCT + b")\x81.",  # an object of a class that is none
        HUGE_SHAPE,
        b"(" * 100_000,
        b"]" + b"\x85" * 50_000 + b".",  # deeply nested
    ],
)
def test_nonsense_is_a_clear_error_and_takes_no_memory(tmp_path, content):
    path = write_bytes(tmp_path, content)
    tracemalloc.start()
    with pytest.raises(FeatureError, match=r"features\.pkl (is damaged or no|holds a)"):
        read_features_pickle(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50_000_000


def test_a_file_cut_anywhere_is_an_error(tmp_path):
    values = {f"im_{n}": np.ones(9, np.float32) for n in range(3)}
    content = pickle.dumps(values)
    for length in range(0, len(content)):
        with pytest.raises(FeatureError, match=r"features\.pkl is damaged or no features\.pkl"):
            read_features_pickle(write_bytes(tmp_path, content[:length]))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_file_with_changed_bytes_never_does_anything_else(tmp_path_factory, data):
    content = bytearray(pickle.dumps({"a": VECTOR, "b": VECTOR}, data.draw(st.integers(0, 5))))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = write_bytes(tmp_path_factory.mktemp("changed"), bytes(content))
    with contextlib.suppress(FeatureError):
        features = read_features_pickle(path)
        assert np.isfinite(features.read("vector", features.image_ids)).all()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([VECTOR], "holds a list. Expected a dict"),
        ({}, "holds an empty dict"),
        ({7: VECTOR}, "the key 7 is a int. Expected image ids"),
        ({b"a": VECTOR}, "the key b'a' is a bytes"),
        ({"a": [1.0]}, "'a' holds a list. Expected an array"),
        ({"a": VECTOR, "b": VECTOR[:2]}, "'b' has 2 numbers, and 'a' has 3"),
        ({"a": VECTOR, "b": VECTOR * np.nan}, "'b' holds NaN or infinity"),
        ({"a": np.array([1e300])}, "'a' holds NaN or infinity"),
        ({"a": np.ones((2, 3))}, r"'a' holds an array of shape \(2, 3\)"),
        ({"a": np.ones((0,))}, r"'a' holds an array of shape \(0,\)"),
        ({"a": np.ones(())}, r"'a' holds an array of shape \(\)"),
        ({"a": VECTOR, "a.jpg": VECTOR}, "two keys for the same image: a"),
    ],
)
def test_wrong_content_is_named(tmp_path, value, message):
    path = write_bytes(tmp_path, pickle.dumps(value))
    with pytest.raises(FeatureError, match=f"features.pkl:? .*{message}"):
        read_features_pickle(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FeatureError, match=r"none\.pkl cannot be read: No such file"):
        read_features_pickle(tmp_path / "none.pkl")
