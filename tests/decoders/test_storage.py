import json

import h5py
import numpy as np
import pytest
from toys import small_spec

from captioner.decoders.registry import KINDS, build_decoder
from captioner.decoders.storage import load_decoder, save_decoder
from captioner.errors import DecoderError


def make_decoder(kind="inject", **changes):
    return build_decoder(
        small_spec(kind, 11, **{"units": 6, "embedding_size": 5, **changes}), seed=3
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_decoder_is_the_saved_one(tmp_path, kind):
    decoder = make_decoder(kind)
    save_decoder(tmp_path, decoder)
    loaded = load_decoder(tmp_path)
    assert loaded.spec == decoder.spec
    for name, variable in decoder.weights.items():
        np.testing.assert_array_equal(loaded.weights[name].numpy(), variable.numpy())


def test_half_precision_halves_the_file(tmp_path):
    decoder = make_decoder(units=64)
    save_decoder(tmp_path, decoder, dtype="float16")
    half = (tmp_path / "decoder.weights.h5").stat().st_size
    loaded = load_decoder(tmp_path)
    for name, variable in decoder.weights.items():
        np.testing.assert_allclose(loaded.weights[name].numpy(), variable.numpy(), atol=1e-3)
    save_decoder(tmp_path, decoder)
    assert half < 0.6 * (tmp_path / "decoder.weights.h5").stat().st_size


def test_equal_weights_give_equal_bytes(tmp_path):
    save_decoder(tmp_path, make_decoder())
    first = (tmp_path / "decoder.weights.h5").read_bytes()
    save_decoder(tmp_path, make_decoder())
    assert (tmp_path / "decoder.weights.h5").read_bytes() == first


def test_weights_of_another_decoder_are_refused_by_name_and_shape(tmp_path):
    save_decoder(tmp_path, make_decoder(units=7))
    record = json.loads((tmp_path / "decoder.json").read_text())
    (tmp_path / "decoder.json").write_text(json.dumps({**record, "units": 6}))
    with pytest.raises(DecoderError, match=r"lstm/kernel: expected \(5, 24\), found \(5, 28\)"):
        load_decoder(tmp_path)


def test_a_missing_weight_is_named(tmp_path):
    save_decoder(tmp_path, make_decoder())
    with h5py.File(tmp_path / "decoder.weights.h5", "a") as h5:
        del h5["lstm/bias"]
    with pytest.raises(DecoderError, match=r"lstm/bias: expected \(24,\), found none"):
        load_decoder(tmp_path)


@pytest.mark.parametrize("numbers", [b"text", 3, True, 2j])
def test_weights_that_are_no_numbers_are_named(tmp_path, numbers):
    save_decoder(tmp_path, make_decoder())
    with h5py.File(tmp_path / "decoder.weights.h5", "a") as h5:
        shape = h5["lstm/bias"].shape
        del h5["lstm/bias"]
        h5["lstm/bias"] = np.full(shape, numbers)
    with pytest.raises(DecoderError, match=r"lstm/bias holds .*, no floating-point numbers"):
        load_decoder(tmp_path)


@pytest.mark.parametrize("name", ["decoder.json", "decoder.weights.h5"])
@pytest.mark.parametrize("content", [None, b"", b"not a file of this kind"])
def test_missing_and_damaged_files_are_named(tmp_path, name, content):
    save_decoder(tmp_path, make_decoder())
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DecoderError, match=rf"{name}: .*Run the train stage again"):
        load_decoder(tmp_path)
