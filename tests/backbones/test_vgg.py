"""VGG against `keras.applications`: same names, same parameters, same outputs."""

import keras
import numpy as np
import pytest

from captioner.backbones.encoder import Encoder
from captioner.backbones.registry import find_spec
from captioner.backbones.vgg import build


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def twins():
    """Our VGG-16 and Keras' own, with the same random weights."""
    keras.utils.set_random_seed(0)
    reference = keras.applications.VGG16(weights=None)
    ours = build("vgg16")
    ours.set_weights(reference.get_weights())
    return ours, reference


def test_layers_bear_the_names_of_keras_applications(twins):
    ours, reference = twins
    names = [[layer.name for layer in model.layers[1:]] for model in twins]
    assert names[0] == names[1]
    assert ours.count_params() == reference.count_params() == 138_357_544


def test_outputs_equal_keras_applications(twins, images):
    ours, reference = twins
    prepared = keras.applications.vgg16.preprocess_input(images.astype("float32"))
    np.testing.assert_allclose(ours(prepared), reference(prepared), rtol=1e-4, atol=1e-6)


def test_fc2_and_grid_are_those_of_keras_applications(twins, images):
    ours, reference = twins
    encoder = Encoder(find_spec("vgg16"), ours, "caffe", ("vector", "grid"), batch_size=4)
    features = encoder.encode(images)
    layers = [reference.get_layer(name).output for name in ("fc2", "block5_pool")]
    prepared = keras.applications.vgg16.preprocess_input(images.astype("float32"))
    vector_BF, grid_BHWC = keras.Model(reference.inputs, layers)(prepared)
    np.testing.assert_allclose(features["vector"], vector_BF, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(features["grid"], grid_BHWC, rtol=1e-4, atol=1e-5)
    assert features["vector"].shape == (2, 4096)
    assert features["vector"].min() >= 0


def test_keras_weight_files_are_read_by_layer_name(twins, tmp_path):
    from captioner.backbones.weights import load_weights, resolve_weights

    ours, reference = twins
    path = tmp_path / "vgg16.weights.h5"
    reference.save_weights(path)
    spec, fresh = find_spec("vgg16"), build("vgg16")
    load_weights(fresh, spec, resolve_weights(spec, str(path)))
    for mine, theirs in zip(fresh.get_weights(), ours.get_weights(), strict=True):
        assert np.array_equal(mine, theirs)


def test_vgg19_equals_keras_applications_at_any_size_for_any_classes(images):
    keras.utils.set_random_seed(1)
    reference = keras.applications.VGG19(weights=None, input_shape=(64, 64, 3), classes=7)
    ours = build("vgg19", 7, (64, 64))
    assert [x.name for x in ours.layers[1:]] == [x.name for x in reference.layers[1:]]
    ours.set_weights(reference.get_weights())
    prepared = keras.applications.vgg19.preprocess_input(images[:, :64, :64].astype("float32"))
    layers = ("block5_pool", "fc2", "predictions")
    for mine, theirs in zip(
        *(
            keras.Model(x.inputs, [x.get_layer(layer).output for layer in layers])(prepared)
            for x in (ours, reference)
        ),
        strict=True,
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)
