"""Weights that captioner trained: the file says what they are, and nothing else need be said."""

import h5py
import numpy as np
import pytest

from captioner.backbones.description import describe_backbone
from captioner.backbones.encoder import load_encoder
from captioner.backbones.registry import find_spec
from captioner.backbones.trained import ATTRIBUTE, TrainedNote, fit_spec, read_note, save_trained
from captioner.backbones.weights import load_weights, resolve_weights
from captioner.errors import WeightsError

NOTE = TrainedNote("lenet_relu", 3, (40, 32), "grey", ("cat", "dog", "ant"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A network for three classes at a size of its own, and its file."""
    path = tmp_path_factory.mktemp("trained") / "encoder.weights.h5"
    network = find_spec(NOTE.name).build(NOTE.num_classes, NOTE.input_size)
    save_trained(network, path, NOTE)
    return network, path


def test_a_note_survives_the_round_trip(trained):
    assert read_note(trained[1]) == NOTE


def test_an_encoder_is_built_for_the_classes_and_the_size_of_its_weights(trained):
    network, path = trained
    encoder = load_encoder(NOTE.name, weights=str(path), outputs=("vector", "grid"), batch_size=1)
    images_BHWC = np.random.default_rng(0).integers(0, 256, (1, 40, 32, 3), dtype=np.uint8)
    assert encoder.shapes == {"vector": (84,), "grid": (8, 6, 16)}
    grey = (images_BHWC @ np.array([0.299, 0.587, 0.114]) / 255)[..., None]
    x = grey.astype("float32")
    for layer in network.layers[1:-1]:
        x = layer(x)
    np.testing.assert_allclose(encoder.encode(images_BHWC)["vector"], x, atol=1e-5)


def test_images_may_be_of_another_size_than_the_network_was_made_for(trained):
    assert fit_spec(find_spec("efficientnet_lite1"), "imagenet", (320, 288)).rule.width == 288
    with pytest.raises(WeightsError, match="of lenet_relu for images of 56 x 64 pixels") as error:
        load_encoder(NOTE.name, weights=str(trained[1]), input_size=(56, 64))
    assert "fc1/kernel: expected" in str(error.value)  # a dense layer wants one size


def test_stage_build_describes_it(trained):
    description = describe_backbone(NOTE.name, weights=str(trained[1]))
    assert all(check["passed"] for check in description["checks"])
    assert description["outputs"]["grid"]["shape"] == [8, 6, 16]
    assert description["layers"][-1]["output_shape"] == [3]


def test_fine_tuning_keeps_the_new_classifier(trained):
    network, path = trained
    spec = fit_spec(find_spec(NOTE.name), str(path))
    fresh = spec.build(5)
    before = fresh.get_layer("predictions").get_weights()
    load_weights(fresh, spec, resolve_weights(spec, str(path)), without_classifier=True)
    for mine, theirs in zip(fresh.get_weights()[:-2], network.get_weights()[:-2], strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for mine, theirs in zip(fresh.get_layer("predictions").get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_weights_of_another_network_are_named(trained):
    with pytest.raises(WeightsError, match=r"weights of lenet_relu, not of lenet\. .*name=lenet_r"):
        load_encoder("lenet", weights=str(trained[1]))


def test_preprocessing_is_that_of_the_training(tmp_path):
    """As after fine-tuning torchvision's VGG, whose recipe is not Keras'."""
    spec = find_spec("lenet_relu")
    path = tmp_path / "mine.weights.h5"
    save_trained(spec.build(), path, TrainedNote(spec.name, 10, (28, 28), "lite"))
    assert resolve_weights(spec, str(path)).preprocessing == "lite"


def test_other_files_carry_no_note(tmp_path):
    (tmp_path / "text.h5").write_text("no HDF5")
    find_spec("lenet").build().save_weights(tmp_path / "plain.weights.h5")
    for name in ("text.h5", "plain.weights.h5", "missing.h5"):
        assert read_note(tmp_path / name) is None
    assert fit_spec(find_spec("vgg16"), "imagenet") == find_spec("vgg16")


@pytest.mark.parametrize(
    "text", ["", "{}", '{"name": "lenet", "num_classes": 0}', 7, NOTE.name, b"\xff"]
)
def test_a_damaged_note_is_told(tmp_path, text):
    path = tmp_path / "damaged.h5"
    with h5py.File(path, "w") as file:
        file.attrs[ATTRIBUTE] = text
    with pytest.raises(WeightsError, match=r"damaged\.h5 carries a note .* cannot be understood"):
        read_note(path)
