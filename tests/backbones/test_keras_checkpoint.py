import io
from pathlib import Path

import h5py
import numpy as np
import pytest

from captioner.backbones.keras_checkpoint import read_keras_checkpoint
from captioner.errors import WeightsError

GENERATOR = np.random.default_rng(0)
WEIGHTS = {
    "block1_conv1": [(3, 3, 3, 4), (4,)],
    "block1_conv2": [(3, 3, 4, 2), (2,)],
    "fc1": [(32, 5), (5,)],
    "predictions": [(5, 3), (3,)],
}
EXPECTED = {
    layer: [GENERATOR.standard_normal(shape).astype("float32") for shape in shapes]
    for layer, shapes in WEIGHTS.items()
}
WEIGHTLESS = ("input_1", "flatten")


def write_keras2(group: h5py.Group, *, num_chunks: int = 1, encode=str.encode) -> None:
    """As Keras 2 wrote weights: names as attributes, datasets such as fc1/fc1/kernel:0."""
    layers = [*EXPECTED, *WEIGHTLESS]
    if num_chunks == 1:
        group.attrs["layer_names"] = [encode(layer) for layer in layers]
    for chunk in range(num_chunks if num_chunks > 1 else 0):
        group.attrs[f"layer_names{chunk}"] = [encode(layer) for layer in layers[chunk::num_chunks]]
    for layer in layers:
        names = [f"{layer}/{name}:0" for name in ("kernel", "bias")][: 2 * (layer in EXPECTED)]
        below = group.create_group(layer)
        below.attrs["weight_names"] = [encode(name) for name in names]
        for name, array in zip(names, EXPECTED.get(layer, []), strict=True):
            below[name] = array


def write_keras3_without_names(file: h5py.File) -> None:
    """As Keras 3.0 to 3.5 wrote weights: layers bear the names of their classes."""
    groups = dict(zip(("conv2d", "conv2d_1", "dense", "dense_1"), EXPECTED.values(), strict=True))
    for group, arrays in groups.items():
        for index, array in enumerate(arrays):
            file[f"layers/{group}/vars/{index}"] = array
    for group in ("flatten", "input_layer"):
        file.create_group(f"layers/{group}/vars")


def assert_expected(found: dict[str, list[np.ndarray]]) -> None:
    assert sorted(found) == sorted(EXPECTED)
    for layer, arrays in EXPECTED.items():
        for array, expected in zip(found[layer], arrays, strict=True):
            np.testing.assert_array_equal(array, expected, strict=True)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "vgg.h5"


@pytest.mark.parametrize("num_chunks", [1, 3])
@pytest.mark.parametrize("encode", [str.encode, str])
def test_reads_weights_of_keras_2(num_chunks, encode, path):
    with h5py.File(path, "w") as file:
        write_keras2(file, num_chunks=num_chunks, encode=encode)
    assert_expected(read_keras_checkpoint(path))


def test_reads_whole_models_of_keras_2(path):
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = b"never looked at"
        write_keras2(file.create_group("model_weights"))
        file.create_group("optimizer_weights")
    assert_expected(read_keras_checkpoint(path))


@pytest.fixture(scope="module")
def model():
    import keras
    from keras import layers

    network = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, name="block1_conv1"),
            layers.Conv2D(2, 3, name="block1_conv2"),
            layers.Flatten(name="flatten"),
            layers.Dense(5, name="fc1"),
            layers.Dense(3, name="predictions"),
        ]
    )
    for layer, arrays in EXPECTED.items():
        network.get_layer(layer).set_weights(arrays)
    return network


def test_reads_weights_of_keras_3(model, tmp_path):
    model.save_weights(tmp_path / "vgg.weights.h5")
    assert_expected(read_keras_checkpoint(tmp_path / "vgg.weights.h5"))


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_reads_whole_models_of_keras_3(model, path):
    model.save(path)
    assert_expected(read_keras_checkpoint(path))


def test_reads_all_weights_in_order(tmp_path):
    import keras

    layer = keras.layers.BatchNormalization(name="bn")
    network = keras.Sequential([keras.Input((3,)), layer])
    layer.set_weights([np.full(3, value, "float32") for value in range(4)])
    network.save_weights(tmp_path / "bn.weights.h5")
    arrays = read_keras_checkpoint(tmp_path / "bn.weights.h5")["bn"]
    assert [array[0] for array in arrays] == [0, 1, 2, 3]


def test_names_layers_of_early_keras_3_by_their_order(path):
    with h5py.File(path, "w") as file:
        write_keras3_without_names(file)
    assert_expected(read_keras_checkpoint(path, list(EXPECTED)))


def test_more_than_ten_layers_of_early_keras_3_keep_their_order(path):
    with h5py.File(path, "w") as file:
        for index in range(12):
            file[f"layers/conv2d{f'_{index}' * (index > 0)}/vars/0"] = np.float32(index)
    arrays = read_keras_checkpoint(path, [f"conv{index}" for index in range(12)])
    assert [int(arrays[f"conv{index}"][0]) for index in range(12)] == list(range(12))


def test_early_keras_3_with_another_number_of_layers(path):
    with h5py.File(path, "w") as file:
        write_keras3_without_names(file)
    with pytest.raises(WeightsError, match="4 layers without names where 3 are wanted"):
        read_keras_checkpoint(path, list(EXPECTED)[:3])


def test_early_keras_3_with_other_layers(path):
    with h5py.File(path, "w") as file:
        file["layers/batch_normalization/vars/0"] = np.zeros(3)
    with pytest.raises(WeightsError, match=r"Keras before 3\.6.*save it as \.h5"):
        read_keras_checkpoint(path, ["bn"])


def lack_a_weight(file):
    write_keras2(file)
    del file["fc1/fc1/kernel:0"]


def lack_a_layer(file):
    write_keras2(file)
    del file["fc1"]


def hold_text(file):
    write_keras2(file)
    del file["fc1/fc1/kernel:0"]
    file["fc1/fc1/kernel:0"] = "text"


def hold_a_group(file):
    write_keras2(file)
    del file["fc1/fc1/kernel:0"]
    file.create_group("fc1/fc1/kernel:0")


def link_elsewhere(file):
    write_keras2(file)
    del file["fc1"]
    file["fc1"] = h5py.ExternalLink("other.h5", "/fc1")


def store_elsewhere(file):
    write_keras2(file)
    del file["fc1/fc1/bias:0"]
    place = [("/etc/hostname", 0, 20)]
    file["fc1"].create_dataset("fc1/bias:0", (5,), "f4", external=place)


def claim_a_terabyte(file):
    write_keras2(file)
    del file["fc1/fc1/bias:0"]
    file["fc1"].create_dataset("fc1/bias:0", (1 << 38,), "f4", chunks=(1024,))


def hold_something_else(file):
    file["features"] = np.zeros(3)


FAULTS = {
    lack_a_weight: "lacks 'fc1/kernel:0'",
    lack_a_layer: "lacks 'fc1'",
    hold_text: "no numbers under 'fc1/kernel:0'",
    hold_a_group: "no numbers under 'fc1/kernel:0'",
    link_elsewhere: "links to other files",
    store_elsewhere: "takes its numbers from other files",
    claim_a_terabyte: "unpacks to more than it is",
    hold_something_else: "lists no layers",
}


@pytest.mark.parametrize(
    ("write", "message"), FAULTS.items(), ids=lambda x: getattr(x, "__name__", "")
)
def test_says_what_is_wrong(write, message, path):
    with h5py.File(path, "w") as file:
        write(file)
    with pytest.raises(WeightsError, match=rf"vgg\.h5 .*{message}.*Expected weights"):
        read_keras_checkpoint(path)


FOREIGN = {"empty": b"", "text": b"<html>404</html>", "zip": b"PK\x03\x04" + bytes(99)}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_refuses_foreign_files(content, path):
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"vgg\.h5 cannot be read as Keras weights"):
        read_keras_checkpoint(path)


def test_missing_file(tmp_path):
    with pytest.raises(WeightsError, match=r"no\.h5 does not exist"):
        read_keras_checkpoint(tmp_path / "no.h5")


def write_to_memory(write) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        write(file)
    return buffer.getvalue()


CONTENTS = [write_to_memory(write_keras2), write_to_memory(write_keras3_without_names)]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "x.h5"


def read_or_refuse(path: Path) -> None:
    try:
        found = read_keras_checkpoint(path, list(EXPECTED))
    except WeightsError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert all(isinstance(array, np.ndarray) for arrays in found.values() for array in arrays)


@pytest.mark.parametrize("content", CONTENTS, ids=["keras2", "keras3"])
def test_truncated_files_are_refused(content, scratch):
    for length in range(0, len(content) - 1, len(content) // 40):
        scratch.write_bytes(content[:length])
        with pytest.raises(WeightsError):
            read_keras_checkpoint(scratch, list(EXPECTED))


@pytest.mark.parametrize("content", CONTENTS, ids=["keras2", "keras3"])
@pytest.mark.parametrize("position", [*range(8), 9, 13, 14])
def test_a_damaged_superblock_never_does_anything_else(position, content, scratch):
    damaged = bytearray(content)
    damaged[position] ^= 0xFF
    scratch.write_bytes(damaged)
    read_or_refuse(scratch)
