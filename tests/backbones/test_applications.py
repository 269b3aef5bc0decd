"""Networks of `keras.applications` by name: sizes, features and weights are those of Keras."""

import keras
import numpy as np
import pytest
from keras.src.applications import efficientnet

from captioner.backbones import applications, keras_applications
from captioner.backbones.encoder import Encoder, find_output, load_encoder
from captioner.backbones.preprocessing import preprocess
from captioner.backbones.registry import BACKBONE_NAMES, find_spec
from captioner.backbones.weights import load_weights, resolve_weights
from captioner.errors import UsageError, WeightsError

# one of each head: plain, dropout, normalised, a grid of 1 x 1, a second layer behind it
HEADS = ["resnet50", "efficientnetv2b0", "convnext_tiny", "mobilenet", "mobilenetv3small"]
SIZE = (64, 64)


def find_class(name):
    return getattr(keras.applications, find_spec(name).imagenet.class_name)


def test_every_name_is_a_network_of_keras():
    assert len(applications.APPLICATION_NAMES) == 38
    for name in applications.APPLICATION_NAMES:
        assert callable(find_class(name))
        assert name in BACKBONE_NAMES


@pytest.mark.parametrize("name", HEADS)
def test_specifications_say_what_is_built(name):
    spec = find_spec(name)
    with keras.StatelessScope(initialize_variables=False):
        network = spec.build()
    assert network.count_params() == spec.num_parameters
    assert find_output(network, spec.grid_layer).shape[1:] == spec.grid_shape
    assert np.prod(find_output(network, spec.vector_layer).shape[1:]) == spec.vector_width
    assert network.input.shape[1:] == (spec.rule.height, spec.rule.width, spec.channels)


PREPARED = ["densenet121", "efficientnetb0", "mobilenetv2", "resnet50", "resnet50v2", "xception"]


@pytest.mark.parametrize("name", PREPARED)
def test_preprocessing_is_that_of_the_network(name):
    module = getattr(keras.applications, find_class(name).__module__.rpartition(".")[2])
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), dtype=np.uint8)
    expected = module.preprocess_input(images.astype("float32"))
    found = preprocess(find_spec(name).preprocessing, images)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.fixture(scope="module")
def mobilenet(tmp_path_factory):
    """Keras' own network with weights of its own, and the file it saves."""
    keras.utils.set_random_seed(0)
    network = keras.applications.MobileNet(weights=None, input_shape=(*SIZE, 3), classes=4)
    path = tmp_path_factory.mktemp("applications") / "mobilenet.weights.h5"
    network.save_weights(path)
    return network, path


def test_features_are_those_of_keras(mobilenet):
    network, path = mobilenet
    spec = find_spec("mobilenet").at(4, SIZE)
    ours, origin = spec.build(), resolve_weights(spec, str(path))
    load_weights(ours, spec, origin)
    images = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), dtype=np.uint8)
    features = Encoder(spec, ours, origin.preprocessing, ("vector", "grid"), 2).encode(images)
    prepared = keras.applications.mobilenet.preprocess_input(images.astype("float32"))
    grid = keras.Model(network.input, network.get_layer("conv_pw_13_relu").output)(prepared)
    np.testing.assert_allclose(features["grid"], grid, atol=1e-5)
    np.testing.assert_allclose(features["vector"], np.mean(grid, axis=(1, 2)), atol=1e-5)
    np.testing.assert_allclose(ours(prepared), network(prepared), atol=1e-6)


def test_other_classes_take_all_but_the_classifier(mobilenet, monkeypatch):
    network, _ = mobilenet
    spec = find_spec("mobilenet").at(7, SIZE)
    monkeypatch.setattr(keras_applications, "_download", lambda spec: network)
    fresh, origin = spec.build(), resolve_weights(spec, "imagenet")
    before = fresh.get_weights()[-2:]
    with pytest.raises(WeightsError, match="for 4 classes, and 7 are wanted"):
        load_weights(fresh, spec, origin)
    load_weights(fresh, spec, origin, without_classifier=True)
    for mine, theirs in zip(fresh.get_weights()[:-2], network.get_weights()[:-2], strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert all(np.array_equal(*pair) for pair in zip(before, fresh.get_weights()[-2:], strict=True))


def test_a_file_of_another_network_is_refused(mobilenet):
    with pytest.raises(WeightsError, match="does not hold the weights of MobileNetV3Small"):
        load_encoder("mobilenetv3small", weights=str(mobilenet[1]))


@pytest.mark.parametrize("is_told", [True, False])
def test_efficientnet_sees_pixels_as_its_published_weights_want_them(
    monkeypatch, tmp_path, is_told
):
    """Keras divides once more, in a layer that it only builds with those weights."""
    path = tmp_path / "published.weights.h5"
    monkeypatch.setattr(efficientnet.file_utils, "get_file", lambda *_, **__: str(path))
    ours = small_efficientnet(weights=None)
    normalisation = next(x for x in ours.layers if isinstance(x, keras.layers.Normalization))
    normalisation.adapt_mean.assign([0.485, 0.456, 0.406])
    normalisation.adapt_variance.assign(np.array([0.229, 0.224, 0.225]) ** 2)
    ours.save_weights(path)
    published = small_efficientnet(weights="imagenet")
    keras_applications._finish_normalisation(ours, is_published=is_told)
    images = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(ours(images), published(images), rtol=1e-4)
    before = normalisation.adapt_variance.numpy()
    keras_applications._finish_normalisation(ours, is_published=False)
    np.testing.assert_array_equal(normalisation.adapt_variance, before)  # once is enough


def small_efficientnet(weights):
    """Keras' own, with one block."""
    block = {**efficientnet.DEFAULT_BLOCKS_ARGS[0]}
    return efficientnet.EfficientNet(
        0.25,
        1.0,
        32,
        blocks_args=[block],
        input_shape=(32, 32, 3),
        weights=weights,
        weights_name="b0",
    )


def test_offline_the_ways_out_are_named(monkeypatch, tmp_path):
    def refuse(*_args, **_options):
        raise OSError("no route to host")

    monkeypatch.setattr("keras.src.applications.mobilenet.file_utils.get_file", refuse)
    with pytest.raises(
        WeightsError, match=r"MobileNet could not be downloaded.*no route"
    ) as caught:
        load_encoder("mobilenet")
    for way_out in ("backbone.weights=PATH", "efficientnet_lite0", "weights=random"):
        assert way_out in str(caught.value)


def test_nearest_name():
    with pytest.raises(UsageError, match="Did you mean 'resnet50'"):
        find_spec("ResNet_50")


def test_too_small():
    with (
        keras.StatelessScope(initialize_variables=False),
        pytest.raises(UsageError, match="ResNet50 cannot take images of 16 x 16 pixels"),
    ):
        find_spec("resnet50").build(input_size=(16, 16))
