import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch_files as torch_by_hand
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_files import call, encode, name, state_dict, storage, tensor, write_legacy, write_zip

from captioner.backbones.torch_checkpoint import read_torch_checkpoint
from captioner.errors import WeightsError

GOLDEN = Path(__file__).parent / "golden"
NUMBERS = np.arange(24, dtype="float32").reshape(4, 6)
EXPECTED = {  # what golden/make_torch_checkpoints.py wrote
    "whole": NUMBERS,
    "transposed": NUMBERS.T,
    "part": NUMBERS[1:3, 2:],
    "scalar": np.array(5),
    "empty": np.zeros((0, 3), "float32"),
    "parameter": NUMBERS[0],
    "double": NUMBERS.astype("float64") / 3,
    "half": NUMBERS.astype("float16"),
    "bfloat16": NUMBERS / 2,
    "bytes": NUMBERS.astype("uint8"),
    "bools": NUMBERS > 3,
}
KINDS = ("zip", "legacy")
WRITERS = {"zip": write_zip, "legacy": write_legacy}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("content", ["tensors", "wrapped"])
def test_reads_what_torch_writes(content, kind):
    arrays = read_torch_checkpoint(GOLDEN / f"{content}_{kind}.pth")
    assert list(arrays) == list(EXPECTED)
    for key, expected in EXPECTED.items():
        np.testing.assert_array_equal(arrays[key], expected, strict=True)


@pytest.mark.parametrize("kind", KINDS)
def test_reads_what_is_written_by_hand(kind, tmp_path):
    path = WRITERS[kind](tmp_path / "x.pth", state_dict(w=tensor(1, (2,), (2,))))
    np.testing.assert_array_equal(read_torch_checkpoint(path)["w"], [2, 4])


def test_reads_big_endian_files(tmp_path):
    content = struct.pack(">4f", 1.0, 2.0, 3.0, 4.0)
    paths = [
        write_zip(tmp_path / "z.pth", state_dict(w=tensor()), byte_order="big", content=content),
        write_legacy(
            tmp_path / "l.pth", state_dict(w=tensor()), is_little_endian=False, content=content
        ),
    ]
    for path in paths:
        np.testing.assert_array_equal(read_torch_checkpoint(path)["w"], [1, 2, 3, 4])


@pytest.mark.parametrize("kind", KINDS)
def test_runs_nothing(kind, tmp_path):
    marker = tmp_path / "was_run"
    hostile = call(name(os.system.__module__, "system"), encode(f"touch {marker}"))
    path = WRITERS[kind](tmp_path / "x.pth", state_dict(w=hostile))
    with pytest.raises(WeightsError, match=r"x\.pth asks for (posix|nt)\.system.*nothing in it"):
        read_torch_checkpoint(path)
    assert not marker.exists()


def test_a_whole_model_says_what_to_save_instead():
    with pytest.raises(WeightsError, match=r"torch\.nn\.modules\.linear\.Linear.*state_dict\(\)"):
        read_torch_checkpoint(GOLDEN / "whole_model.pth")


REBUILD = name("torch._utils", "_rebuild_tensor_v2")
NESTED = b")" + b"q\x07h\x07\x86" * 40  # a tuple of two of itself, 40 times over: 2**40 to hash

HOSTILE = {
    "beyond its storage": (tensor(1), "reaches beyond its storage"),
    "strides beyond": (tensor(0, (2, 2), (1, 3)), "reaches beyond its storage"),
    "repeats values": (tensor(0, (1 << 40, 4), (0, 1)), "repeats the values"),
    "negative offset": (tensor(-1), "no natural numbers"),
    "negative stride": (tensor(3, (4,), (-1,)), "no natural numbers"),
    "negative shape": (tensor(0, (-4,), (1,)), "no natural numbers"),
    "offset is a string": (tensor("0"), "no natural numbers"),
    "shape and strides differ": (tensor(0, (2, 2), (1,)), "differ in length"),
    "no storage": (tensor(held_by=encode(3)), "no storage"),
    "storage longer than content": (tensor(held_by=storage(num_values=5)), "storage"),
    "negative storage": (tensor(held_by=storage(num_values=-4)), "no natural number"),
    "endless storage": (tensor(held_by=storage(num_values=1 << 70)), "no natural number"),
    "storage under a number": (tensor(held_by=storage(key=0)), "no key"),
    "alters a stand-in": (REBUILD + encode({"_function": None}) + b"b", "a change of PyTorch"),
    "alters a tensor": (tensor() + encode({"_offset": 9}) + b"b", "a change of a tensor"),
    "an attribute of a method": (name("torch._utils", "os.system"), r"asks for torch\._utils\.os"),
    "too many dimensions": (tensor(0, (1,) * 99, (1,) * 99), "or are too long"),
    "a tuple as key": (
        b"}" + NESTED + encode(1) + b"s",
        "dict whose keys",
    ),
    "an unneeded opcode": (b"(d", "KeyError"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("value", "message"), HOSTILE.values(), ids=HOSTILE)
def test_refuses_what_no_checkpoint_says(value, message, kind, tmp_path):
    path = WRITERS[kind](tmp_path / "x.pth", state_dict(w=value))
    with pytest.raises(WeightsError, match=rf"(?s)x\.pth .*({message})"):
        read_torch_checkpoint(path)


def test_refuses_two_lengths_of_one_storage(tmp_path):
    both = state_dict(a=tensor(), b=tensor(0, (2,), (1,), storage(num_values=2)))
    with pytest.raises(WeightsError, match="two storages share a key"):
        read_torch_checkpoint(write_zip(tmp_path / "x.pth", both))


def test_refuses_a_legacy_file_that_lacks_a_storage(tmp_path):
    path = write_legacy(tmp_path / "x.pth", state_dict(w=tensor()), keys=())
    with pytest.raises(WeightsError, match="storage '0' has no content"):
        read_torch_checkpoint(path)


def test_refuses_a_legacy_file_whose_storages_are_no_strings(tmp_path):
    path = write_legacy(tmp_path / "x.pth", state_dict(w=tensor()), keys=(0,))
    with pytest.raises(WeightsError, match="a storage's key is no string"):
        read_torch_checkpoint(path)


def test_refuses_a_zip_that_lacks_a_storage(tmp_path):
    path = write_zip(tmp_path / "x.pth", state_dict(w=tensor(held_by=storage(key="1"))))
    with pytest.raises(WeightsError, match="archive/data/1"):
        read_torch_checkpoint(path)


def test_refuses_other_format_versions(tmp_path):
    path = write_legacy(tmp_path / "x.pth", state_dict(w=tensor()), version=1002)
    with pytest.raises(WeightsError, match="format version other than 1001"):
        read_torch_checkpoint(path)


def test_refuses_zip_bombs(tmp_path):
    options = {"content": bytes(10_000_000), "compression": zipfile.ZIP_DEFLATED}
    path = write_zip(tmp_path / "x.pth", state_dict(w=tensor()), **options)
    with pytest.raises(WeightsError, match="compressed zip archive"):
        read_torch_checkpoint(path)


FOREIGN = {
    "empty": (b"", "no PyTorch checkpoint"),
    "text": (b"<html>404 Not Found</html>", "no PyTorch checkpoint"),
    "another pickle": (b"\x80\x04}.", "no PyTorch checkpoint"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(99), "no PyTorch checkpoint"),
    "half a zip": (b"PK\x03\x04" + bytes(99), "not a zip file"),
}


@pytest.mark.parametrize(("content", "message"), FOREIGN.values(), ids=FOREIGN)
def test_refuses_foreign_files(content, message, tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=rf"weights\.pth .*{message}"):
        read_torch_checkpoint(path)


def test_refuses_zip_archives_of_something_else(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.pth", "w") as archive:
        archive.writestr("word/document.xml", "<w/>")
    with pytest.raises(WeightsError, match=r"holds no data\.pkl"):
        read_torch_checkpoint(tmp_path / "x.pth")


VALUES = {
    "no dict": (tensor(), "holds a tensor, not a dict of tensors"),
    "empty dict": (b"}", "holds an empty dict"),
    "no tensor": (state_dict(epoch=encode(3)), "holds a int under 'epoch', not a tensor"),
    "unknown wrapper": (state_dict(net=state_dict(w=tensor())), "holds a dict under 'net'"),
    "key is a number": (b"}" + encode(3) + tensor() + b"s", "under a int"),
}


@pytest.mark.parametrize(("value", "message"), VALUES.values(), ids=VALUES)
def test_says_what_a_checkpoint_holds_instead(value, message, tmp_path):
    with pytest.raises(WeightsError, match=message):
        read_torch_checkpoint(write_zip(tmp_path / "x.pth", value))


def test_missing_file(tmp_path):
    with pytest.raises(WeightsError, match=r"no\.pth does not exist"):
        read_torch_checkpoint(tmp_path / "no.pth")


def test_folder(tmp_path):
    with pytest.raises(WeightsError, match="cannot be read as a PyTorch checkpoint"):
        read_torch_checkpoint(tmp_path)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "x.pth"


@pytest.mark.parametrize("kind", KINDS)
def test_every_truncation_is_refused(kind, scratch):
    content = (GOLDEN / f"wrapped_{kind}.pth").read_bytes()
    for length in range(0, len(content), 7):
        scratch.write_bytes(content[:length])
        with pytest.raises(WeightsError):
            read_torch_checkpoint(scratch)


@settings(max_examples=400, deadline=None)
@given(
    kind=st.sampled_from(KINDS), flips=st.dictionaries(st.integers(0, 5000), st.integers(1, 255))
)
def test_flipped_bytes_never_do_anything_else(scratch, kind, flips):
    content = bytearray((GOLDEN / f"wrapped_{kind}.pth").read_bytes())
    for position, flip in flips.items():
        content[position % len(content)] ^= flip
    scratch.write_bytes(content)
    try:
        arrays = read_torch_checkpoint(scratch)
    except WeightsError as error:
        assert str(scratch) in str(error)  # noqa: PT017
    else:
        assert all(isinstance(array, np.ndarray) for array in arrays.values())


@settings(max_examples=300, deadline=None)
@given(opcodes=st.lists(st.sampled_from([
    *(bytes([code]) for code in torch_by_hand.pickle.EMPTY_DICT + b"](t\x85\x86RbsuaeQ)N0\x81\x94"),
    *(encode(value) for value in ("0", 0, 1, 4, None, (4,), "storage")),
    name("torch", "FloatStorage"), name("collections", "OrderedDict"), REBUILD, tensor(), storage(),
])))  # fmt: skip
def test_no_sequence_of_opcodes_does_anything_else(opcodes, scratch):
    for write in WRITERS.values():
        path = write(scratch, b"".join(opcodes))
        try:
            arrays = read_torch_checkpoint(path)
        except WeightsError as error:
            assert str(path) in str(error)  # noqa: PT017
        else:
            assert all(isinstance(array, np.ndarray) for array in arrays.values())
