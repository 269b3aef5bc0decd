from pathlib import Path

import keras
import numpy as np
import pytest

from captioner.backbones import efficientnet_lite
from captioner.backbones.registry import find_spec
from captioner.backbones.weights import load_weights, resolve_weights

GOLDEN = Path(__file__).parent / "golden" / "efficientnet_lite0.npz"
NAME = "efficientnet_lite0"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def features():
    """Grid, vector and probabilities of the published network for the golden images."""
    spec = find_spec(NAME)
    network = efficientnet_lite.build(NAME)
    load_weights(network, spec, resolve_weights(spec, "imagenet"))
    layers = (spec.grid_layer, spec.vector_layer, "predictions")
    model = keras.Model(network.input, [network.get_layer(layer).output for layer in layers])
    outputs = model((draw_images().astype("float32") - 127) / 128, training=False)
    return [keras.ops.convert_to_numpy(output) for output in outputs]


def draw_images() -> np.ndarray:
    """The same as in golden/make_efficientnet_lite0.py, which needs PyTorch."""
    noise = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    rows, columns = np.mgrid[0:224, 0:224]
    smooth = np.stack([rows, columns, (rows + columns) // 2], axis=-1).astype(np.uint8)
    return np.concatenate([noise, smooth[None]])


def test_vectors_equal_the_reference(features, golden):
    np.testing.assert_allclose(features[1], golden["vectors"], atol=1e-4)


@pytest.mark.parametrize(("key", "row", "column"), [("grid_centres", 3, 3), ("grid_corners", 0, 6)])
def test_grids_equal_the_reference(key, row, column, features, golden):
    np.testing.assert_allclose(features[0][:, row, column], golden[key], atol=1e-4)


def test_probabilities_equal_the_reference(features, golden):
    powers = np.exp(golden["logits"].astype("float64"))
    expected = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(features[2], expected, atol=1e-5)
    order = np.argsort(-features[2], axis=1)[:, :5]
    np.testing.assert_array_equal(order, golden["top5"])


def test_vector_is_the_mean_of_the_grid(features):
    grid_BHWC, vectors, _ = features
    np.testing.assert_allclose(grid_BHWC.mean(axis=(1, 2)), vectors, atol=1e-5)


SIZES = [(NAME, 4_652_008), ("efficientnet_lite1", 5_416_680), ("efficientnet_lite2", 6_092_072)]


@pytest.mark.parametrize(("name", "num_parameters"), SIZES)
def test_variants_have_their_published_sizes(name, num_parameters):
    network = efficientnet_lite.build(name)
    assert sum(np.prod(weight.shape) for weight in network.trainable_weights) == num_parameters


def test_unknown_tensors_keep_their_names():
    tensors = {"_conv_stem.weight": np.zeros((32, 3, 3, 3)), "_se_reduce.weight": np.zeros(3)}
    converted = efficientnet_lite.convert_torch(NAME, tensors)
    assert {name: array.shape for name, array in converted.items()} == {
        "stem_conv/kernel": (3, 3, 3, 32),
        "_se_reduce/weight": (3,),
    }


def test_batch_counters_are_left_out():
    assert efficientnet_lite.convert_torch(NAME, {"_bn0.num_batches_tracked": np.array(7)}) == {}
