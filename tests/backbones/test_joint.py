"""Several networks as one encoder."""

import keras
import numpy as np
import pytest

from captioner.backbones.description import describe_backbone
from captioner.backbones.encoder import Encoder, build_network, load_encoder
from captioner.backbones.folding import fold_norms
from captioner.backbones.layer_table import tabulate_layers
from captioner.backbones.registry import find_spec
from captioner.backbones.weights import load_weights, resolve_weights
from captioner.config import Pipeline
from captioner.errors import ConfigError, UsageError, WeightsError

NAME = "efficientnet_lite0+efficientnet_lite1"
SIZE = (128, 96)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).integers(0, 256, (2, *SIZE, 3), dtype=np.uint8)


def encode_alone(name, images, seed):
    spec = find_spec(name).resized(SIZE)
    origin = resolve_weights(spec, "random", seed)
    network = build_network(spec)
    load_weights(network, spec, origin)
    folded = fold_norms(network)
    return Encoder(spec, folded, origin.preprocessing, ("vector", "grid"), 2).encode(images)


def test_features_are_those_of_the_networks_side_by_side(images):
    outputs = ("vector", "grid")
    encoder = load_encoder(
        NAME, weights="random", seed=5, input_size=SIZE, outputs=outputs, batch_size=2
    )
    together = encoder.encode(images)
    assert encoder.shapes == {"vector": (2560,), "grid": (4, 3, 2560)}
    for place, name in enumerate(NAME.split("+")):
        alone = encode_alone(name, images, seed=5 + place)
        for kind in ("vector", "grid"):
            own = together[kind][..., 1280 * place : 1280 * (place + 1)]
            np.testing.assert_allclose(own, alone[kind], rtol=1e-4, atol=1e-5)


def test_the_networks_lose_their_normalisations_as_one_alone_does():
    network = build_network(find_spec(NAME))
    kinds = [type(x).__name__ for part in fold_norms(network).layers for x in _layers(part)]
    assert "BatchNormalization" not in kinds
    assert kinds.count("DepthwiseConv2D") > 20


def _layers(part):
    return part.layers if isinstance(part, keras.Model) else [part]


def test_the_description_lists_the_layers_of_all_networks():
    text = describe_backbone(NAME, weights="random")
    assert text["num_parameters"] == 4_694_024 + 5_470_344
    names = [layer["name"] for layer in text["layers"]]
    assert names.count("top_conv") == 2
    assert text["outputs"]["vector"]["shape"] == [2560]


def test_the_largest_size_is_for_all():
    spec = find_spec("efficientnet_lite2 + efficientnet_lite0")
    assert spec.name == "efficientnet_lite2+efficientnet_lite0"
    assert (spec.rule.height, spec.rule.width) == (260, 260)
    assert [part.name for part in spec.parts] == ["efficientnet_lite2", "efficientnet_lite0"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet50+resnet50", "names each network once"),
        ("efficientnet_lite0+vgg16", "must want it prepared alike.*vgg16: squash, bilinear, caffe"),
        ("lenet+lenet_relu", "in three colours"),
        ("efficientnet_lite0+", "unknown"),
        ("efficientnet_lite0+efficientnet_lite4", "Did you mean 'efficientnet_lite"),
    ],
)
def test_networks_that_cannot_be_joined(name, message):
    with pytest.raises(UsageError, match=message):
        find_spec(name)


def test_joint_encoders_are_no_classifiers():
    with pytest.raises(UsageError, match="one at a time"):
        find_spec(NAME).at(num_classes=10)


def test_joint_encoders_are_looked_at_one_network_at_a_time():
    with pytest.raises(UsageError, match="layer by layer, one at a time: name one of them"):
        tabulate_layers(find_spec(NAME))


def test_one_file_does_not_hold_the_weights_of_several_networks(tmp_path):
    with pytest.raises(WeightsError, match="not one file"):
        resolve_weights(find_spec(NAME), str(tmp_path / "w.h5"))


def test_weights_of_all_networks_are_named():
    origin = resolve_weights(find_spec(NAME), "random", 3)
    assert origin.is_here
    assert [part.seed for part in origin.parts] == [3, 4]


def test_pipeline_files_name_joint_encoders():
    override = "backbone.name=efficientnet_lite0 + efficientnet_lite2"
    settings = Pipeline.load("quickstart", [override]).settings
    assert settings.backbone.name == "efficientnet_lite0+efficientnet_lite2"
    with pytest.raises(ConfigError, match=r"name = 'vgg16.vgg_19' is unknown. Known: .*'vgg19'"):
        Pipeline.load("quickstart", ["backbone.name=vgg16+vgg_19"])
