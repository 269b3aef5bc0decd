"""What stage `build` leaves: the encoder's layers, weights and pre-processing, checked.

The checks catch what students trip over: `model.layers.pop()`, which no longer removes a layer,
makes "features" of the 1000-way softmax; RGB where BGR is meant; dead or constant features.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from captioner.backbones.encoder import Encoder, build_network, find_output
from captioner.backbones.preprocessing import RECIPES, preprocess
from captioner.backbones.registry import find_spec
from captioner.backbones.spec import BackboneSpec, Preprocessing, Size
from captioner.backbones.trained import fit_spec
from captioner.backbones.weights import WeightsOrigin, load_weights, resolve_weights
from captioner.errors import BackboneError

PROBE_RGB = (10, 60, 200)
# Worked out by hand from the papers' constants, not from the recipes that are being checked.
PREPROCESSED_PROBE: dict[Preprocessing, tuple[float, ...]] = {
    "caffe": (96.061, -56.779, -113.68),  # blue, green, red
    "grey": (0.23925,),
    "lite": (-0.914, -0.523, 0.570),
    "pixels": (10.0, 60.0, 200.0),
    "symmetric": (-0.92157, -0.52941, 0.56863),
    "torchvision": (-1.947, -0.985, 1.682),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Args:
        name: what it was.
        expected: what had to be found, in words or numbers.
        found: what was found.
        passed: whether that will do.
    """

    name: str
    expected: str
    found: str
    passed: bool

    def to_json(self) -> dict[str, Any]:
        """Returns the check as a JSON object."""
        return {
            "name": self.name,
            "expected": self.expected,
            "found": self.found,
            "passed": self.passed,
        }


def describe_backbone(
    name: str, *, weights: str = "imagenet", seed: int = 0, input_size: Size | None = None
) -> dict[str, Any]:
    """Builds an encoder, checks it, and describes it.

    Args:
        name: a name of `registry.list_specs`.
        weights: "imagenet", "random" or the path of a file.
        seed: of random weights.
        input_size: height and width of the images, in pixels; None for the network's own.

    Returns:
        The content of `backbone.json`.

    Raises:
        UsageError: the name is unknown.
        WeightsError: the weights cannot be had or belong to another network.
        BackboneError: a check failed; the message says which, what it expected and found.
    """
    spec = fit_spec(find_spec(name), weights, input_size)
    network = build_network(spec)
    origin = resolve_weights(spec, weights, seed)
    load_weights(network, spec, origin)
    checks = check_network(spec, network, origin.preprocessing)
    failed = [f"{c.name}: expected {c.expected}, found {c.found}" for c in checks if not c.passed]
    if failed:
        raise BackboneError(
            f"{spec.title} with weights '{weights}' is not what it should be. {'; '.join(failed)}. "
            "Check the weights: they may be damaged or another network's."
        )
    return {
        "name": spec.name,
        "title": spec.title,
        "paper": spec.paper,
        "num_parameters": network.count_params(),
        "weights": _describe_origin(weights, origin),
        "resize": spec.rule.describe(),
        "preprocessing": _describe_recipe(origin.preprocessing),
        "outputs": {
            "vector": {"layer": spec.vector_layer, "shape": [spec.vector_width]},
            "grid": {
                "layer": spec.grid_layer,
                "shape": list(find_output(network, spec.grid_layer).shape[1:]),
            },
        },
        "checks": [check.to_json() for check in checks],
        "layers": [_describe_layer(layer) for layer in _list_layers(network)],
    }


def check_network(
    spec: BackboneSpec, network: keras.Model, preprocessing: Preprocessing
) -> list[Check]:
    """Looks at parameters, pre-processing and features of a network with its weights."""
    encoder = Encoder(spec, network, preprocessing, ("vector", "grid"), batch_size=2)
    features = encoder.encode(_probe_images(spec))
    vector_2F, grid_2HWC = features["vector"], features["grid"]
    spread = float(np.abs(vector_2F[0] - vector_2F[1]).max())
    total = float(vector_2F.sum(axis=1).max())
    return [
        *_check_size(spec, network.count_params(), vector_2F.shape[1], grid_2HWC.shape[1:]),
        _check_preprocessing(preprocessing),
        *_check_sign(spec, float(vector_2F.min())),
        Check("vector differs between two images", "yes", f"by {spread:.4g}", spread > 1e-6),
        Check("vector is no softmax", "a sum other than 1", f"{total:.6g}", abs(total - 1) > 1e-3),
    ]


def _check_size(
    spec: BackboneSpec, parameters: int, width: int, grid: tuple[int, ...]
) -> list[Check]:
    """Compares with what was published; at another size or for other classes nothing was."""
    checks = [
        Check("vector's width", str(spec.vector_width), str(width), width == spec.vector_width)
    ]
    if spec.num_parameters is not None:
        expected, is_right = f"{spec.num_parameters:,}", parameters == spec.num_parameters
        checks.append(Check("parameters", expected, f"{parameters:,}", is_right))
    if spec.grid_shape is not None:
        is_right = grid == spec.grid_shape
        checks.append(Check("grid's shape", str(spec.grid_shape), str(grid), is_right))
    return checks


def _check_sign(spec: BackboneSpec, lowest: float) -> list[Check]:
    if not spec.is_rectified:
        return []
    expected = "0 or more, as after a ReLU"
    return [Check("vector's lowest value", expected, f"{lowest:.4g}", lowest >= 0)]


def _check_preprocessing(preprocessing: Preprocessing) -> Check:
    """Sends one colour through and compares it with the result worked out by hand."""
    image = tf.constant(np.full((1, 1, 1, 3), PROBE_RGB, np.uint8))
    found = preprocess(preprocessing, image).numpy()[0, 0, 0]
    expected = PREPROCESSED_PROBE[preprocessing]
    return Check(
        f"pre-processing of RGB {PROBE_RGB}",
        str(expected),
        str(tuple(round(float(value), 3) for value in found)),
        bool(np.allclose(found, expected, atol=1e-3)),
    )


def _probe_images(spec: BackboneSpec) -> np.ndarray:
    """Returns two different images, uint8 (2, H, W, 3): noise, and a gradient of colours."""
    height, width = spec.rule.height, spec.rule.width
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    ramp_H, ramp_W = np.linspace(0, 255, height), np.linspace(0, 255, width)
    gradient = np.stack(
        np.broadcast_arrays(ramp_H[:, None], ramp_W[None], 255 - ramp_W[None]), axis=-1
    )
    return np.stack([noise, gradient.astype(np.uint8)])


def _describe_origin(weights: str, origin: WeightsOrigin) -> dict[str, Any]:
    return {"source": weights, "digest": origin.digest, "seed": origin.seed}


def _describe_recipe(name: Preprocessing) -> dict[str, Any]:
    channels, mean, deviation = RECIPES[name]
    return {
        "name": name,
        "channels": channels,
        "mean": list(mean),
        "deviation": list(deviation),
    }


def _list_layers(network: keras.Model) -> Iterator[keras.Layer]:
    """Yields the layers, those of the networks inside a joint encoder in their network's place."""
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _list_layers(layer)
        else:
            yield layer


def _describe_layer(layer: keras.Layer) -> dict[str, Any]:
    return {
        "name": layer.name,
        "kind": type(layer).__name__,
        "output_shape": [size for size in layer.output.shape[1:]],
        "num_parameters": layer.count_params(),
    }
