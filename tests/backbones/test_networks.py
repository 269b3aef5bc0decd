"""The networks of the course: every layer, every parameter, at any size, for any classes.

They are built without memory for their weights, which takes no time.
"""

import keras
import numpy as np
import pytest
import torchvision_reference as reference

from captioner.backbones import torch_checkpoint
from captioner.backbones.encoder import load_encoder
from captioner.backbones.preprocessing import preprocess
from captioner.backbones.registry import find_spec, list_specs
from captioner.backbones.weights import load_weights, resolve_weights
from captioner.errors import UsageError, WeightsError

PARAMETERS = {
    "lenet": 61_706,
    "lenet_relu": 61_706,
    "lenet_relu3": 60_074,
    "alexnet_tower": 14_601_930,
    "alexnet_bn": 46_846_744,
    "alexnet": 61_100_840,
    "vgg11": 132_863_336,
    "vgg13": 133_047_848,
    "vgg16": 138_357_544,
    "vgg19": 143_667_240,
    "vgg16_small": 27_828_042,
}


def build_symbolically(spec, *args):
    with keras.StatelessScope(initialize_variables=False):
        return spec.build(*args)


@pytest.mark.parametrize(("name", "num_parameters"), PARAMETERS.items())
def test_published_parameters(name, num_parameters):
    assert build_symbolically(find_spec(name)).count_params() == num_parameters


@pytest.mark.parametrize("spec", list_specs(), ids=lambda spec: spec.name)
def test_specifications_say_what_is_built(spec):
    network = build_symbolically(spec)
    assert network.count_params() == spec.num_parameters
    assert network.input.shape == (None, spec.rule.height, spec.rule.width, spec.channels)
    assert network.output.shape == (None, spec.num_classes)
    assert network.get_layer(spec.vector_layer).output.shape == (None, spec.vector_width)
    assert network.get_layer(spec.grid_layer).output.shape == (None, *spec.grid_shape)
    classifier = [layer for layer in network.layers if layer.weights][-1]
    assert (classifier.name, classifier.activation.__name__) == ("predictions", "softmax")


def test_batch_normalisation_holds_704_weights_that_are_not_trained():
    network = build_symbolically(find_spec("alexnet_bn"))
    assert sum(np.prod(w.shape) for w in network.non_trainable_weights) == 704


def shapes_of(name):
    network = build_symbolically(find_spec(name))
    return {layer.name: layer.output.shape[1:] for layer in network.layers}


def test_lenet_layer_by_layer():
    assert shapes_of("lenet") == {
        "images": (28, 28, 1),
        "conv1": (28, 28, 6),
        "pool1": (14, 14, 6),
        "conv2": (10, 10, 16),
        "pool2": (5, 5, 16),
        "flatten": (400,),
        "fc1": (120,),
        "fc2": (84,),
        "predictions": (10,),
    }
    assert shapes_of("lenet_relu3")["conv1"] == (26, 26, 6)


def test_alexnet_layer_by_layer():
    tower, wide, torch = (shapes_of(f"alexnet{suffix}") for suffix in ("_tower", "_bn", ""))
    assert [tower[layer] for layer in ("border", "conv1", "pool1", "conv2", "pool2")] == [
        (227, 227, 3),
        (55, 55, 48),
        (27, 27, 48),
        (27, 27, 128),
        (13, 13, 128),
    ]
    assert [tower[f"conv{number}"][-1] for number in (3, 4, 5)] == [192, 192, 128]
    assert [wide[layer] for layer in ("conv1", "bn1", "pool1", "pool2", "pool5", "fc1")] == [
        (54, 54, 96),
        (54, 54, 96),
        (26, 26, 96),
        (12, 12, 256),
        (5, 5, 256),
        (4096,),
    ]
    assert [torch[f"conv{number}"] for number in range(1, 6)] == [
        (55, 55, 64),
        (27, 27, 192),
        (13, 13, 384),
        (13, 13, 256),
        (13, 13, 256),
    ]


def test_other_classes_and_another_size():
    spec = find_spec("vgg16").at(num_classes=7, input_size=(64, 96))
    network = build_symbolically(spec)
    assert network.input.shape[1:] == (64, 96, 3)
    assert network.output.shape == (None, 7)
    assert network.get_layer(spec.grid_layer).output.shape[1:] == (2, 3, 512)
    assert (spec.num_parameters, spec.grid_shape) == (None, None)
    assert (spec.rule.fit, spec.rule.resample) == ("squash", "bilinear")
    assert build_symbolically(find_spec("vgg16"), 7, (64, 96)).output.shape == (None, 7)
    assert find_spec("vgg16").at() == find_spec("vgg16")


def test_images_too_small_for_the_network_are_told_in_words():
    with pytest.raises(UsageError, match=r"AlexNet.* cannot take images of 32 x 40 pixels"):
        build_symbolically(find_spec("alexnet"), None, (32, 40))


@pytest.mark.parametrize("num_classes", [0, -1])
def test_a_classifier_of_no_classes_is_refused(num_classes):
    with pytest.raises(UsageError, match=f"1 class or more. Received: {num_classes}"):
        find_spec("lenet").build(num_classes)


def test_probabilities_stay_float32_under_mixed_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = find_spec("lenet").build()
    finally:
        keras.config.set_dtype_policy(before)
    assert network.get_layer("fc2").compute_dtype == "bfloat16"
    output = network(np.ones((2, 28, 28, 1), "float32"))
    assert output.dtype == "float32"
    np.testing.assert_allclose(np.sum(output, axis=1), 1, atol=1e-6)


def test_lenet_reads_colour_photographs_as_grey():
    encoder = load_encoder("lenet", weights="random", outputs=("vector", "grid"), batch_size=2)
    images_BHWC = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 3), dtype=np.uint8)
    features = encoder.encode(images_BHWC)
    assert {kind: array.shape for kind, array in features.items()} == {
        "vector": (2, 84),
        "grid": (2, 5, 5, 16),
    }
    grey = preprocess("grey", images_BHWC).numpy()
    expected = images_BHWC @ np.array([0.299, 0.587, 0.114]) / 255
    np.testing.assert_allclose(grey[..., 0], expected, atol=1e-6)


TORCH = {  # smaller images than the published 224 x 224, which only take longer
    "alexnet": (reference.ALEXNET, reference.ALEXNET_DENSE, (3, 2), 127, 3),
    "vgg16": (reference.VGG16, reference.VGG_DENSE, (2, 2), 64, 2),
}


@pytest.mark.parametrize("name", TORCH)
def test_torchvision_weights_give_what_torchvision_gives(name, tmp_path, monkeypatch):
    steps, dense, pool, size, side = TORCH[name]
    tensors = reference.draw_tensors(steps, dense, side, (4096, 4096, 10))
    path = tmp_path / "torchvision.pth"
    path.touch()
    monkeypatch.setattr(torch_checkpoint, "read_torch_checkpoint", lambda path: tensors)
    spec = find_spec(name).at(10, (size, size))
    network, origin = spec.build(), resolve_weights(spec, str(path))
    load_weights(network, spec, origin)
    images = np.random.default_rng(1).integers(0, 256, (1, size, size, 3), dtype=np.uint8)
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    prepared = ((images / 255 - mean) / deviation).astype("float32")
    expected = reference.compute(steps, dense, tensors, prepared.transpose(0, 3, 1, 2), pool)
    found = network(preprocess(origin.preprocessing, images), training=False)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert expected.max() < 0.9  # or equality would mean little


def test_lenet_has_no_weights_from_pytorch(tmp_path):
    from torch_files import state_dict, tensor, write_zip

    path = write_zip(tmp_path / "lenet.pth", state_dict(weight=tensor()))
    spec = find_spec("lenet")
    with pytest.raises(WeightsError, match=r"LeNet-5 are read from \.h5 and \.hdf5 files"):
        load_weights(spec.build(), spec, resolve_weights(spec, str(path)))


def test_without_imagenet_weights_the_ways_out_are_named():
    with pytest.raises(
        WeightsError, match=r"(?s)no ImageNet weights.*captioner pretrain"
    ) as caught:
        resolve_weights(find_spec("lenet"), "imagenet")
    assert "weights=random" in str(caught.value)
    with pytest.raises(WeightsError, match=r"torchvision's \.pth"):
        resolve_weights(find_spec("alexnet"), "imagenet")
