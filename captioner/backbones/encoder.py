"""An encoder at work: RGB images in, vectors and grids out, through one compiled graph.

Dimension key: B images, H and W sides of the input, F width of a vector, C channels of a grid.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import keras
import numpy as np
import tensorflow as tf

from captioner.backbones.folding import fold_norms
from captioner.backbones.narrowing import narrow_kernels
from captioner.backbones.preprocessing import preprocess
from captioner.backbones.registry import find_spec
from captioner.backbones.spec import BackboneSpec, Preprocessing, Size
from captioner.backbones.trained import fit_spec
from captioner.backbones.weights import load_weights, resolve_weights
from captioner.errors import BackboneError, UsageError
from captioner.feature_kinds import is_mirrored, mirror_kind, plain_kind
from captioner.processor import prefers_bfloat16

Precision = Literal["auto", "float32", "bfloat16"]


class Encoder:
    """Turns images into features.

    Every call runs the same graph on a batch of the same size, the last one filled up, so
    nothing is compiled twice and an image's features do not depend on its neighbours. Threads
    may encode at the same time.

    Args:
        spec: what the network is.
        network: the network with its weights.
        preprocessing: what the weights were trained to see.
        outputs: "vector", "grid" or both, from one pass; "vector_mirrored" and "grid_mirrored" are
            those of the mirrored images.
        batch_size: images in a batch.
        grid_side: the grid is averaged to so many places a side; None leaves it as it is.

    Raises:
        UsageError: `outputs` names something else, or the grid has fewer places than that.
    """

    def __init__(
        self,
        spec: BackboneSpec,
        network: keras.Model,
        preprocessing: Preprocessing,
        outputs: Sequence[str] = ("vector",),
        batch_size: int = 32,
        *,
        grid_side: int | None = None,
    ) -> None:
        self.spec = spec
        self.outputs = tuple(outputs)
        self.batch_size = batch_size
        layers = {"vector": spec.vector_layer, "grid": spec.grid_layer}
        kinds = tuple(dict.fromkeys(map(plain_kind, outputs)))
        if not kinds or not set(kinds) <= set(layers):
            raise UsageError(
                f"An encoder gives {' or '.join(layers)} or both. Received: {list(outputs)}"
            )
        features = {kind: find_output(network, layers[kind]) for kind in kinds}
        if "vector" in features and features["vector"].ndim > 2:  # a grid of 1 x 1
            features["vector"] = keras.layers.Flatten(name="flat_vector")(features["vector"])
        if "grid" in features and grid_side is not None:
            features["grid"] = _average_places(spec, features["grid"], grid_side)
        model = keras.Model(network.inputs, [features[kind] for kind in kinds])
        self._shapes = {kind: tuple(features[plain_kind(kind)].shape[1:]) for kind in self.outputs}
        image = (batch_size, spec.rule.height, spec.rule.width, 3)

        @tf.function(autograph=False, input_signature=[tf.TensorSpec(image, tf.uint8)])
        def encode(images_BHWC: tf.Tensor) -> list[tf.Tensor]:
            inputs_BHWC = preprocess(preprocessing, images_BHWC)
            seen = dict(
                zip(kinds, tf.nest.flatten(model(inputs_BHWC, training=False)), strict=True)
            )
            if any(map(is_mirrored, self.outputs)):
                mirrored = tf.nest.flatten(model(inputs_BHWC[:, :, ::-1], training=False))
                seen |= zip(map(mirror_kind, kinds), mirrored, strict=True)
            return [tf.cast(seen[kind], tf.float32) for kind in self.outputs]

        self._encode = encode

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """What it gives for an image: "vector" -> (F,), "grid" -> (H, W, C)."""
        return dict(self._shapes)

    def encode(self, images_BHWC: np.ndarray) -> dict[str, np.ndarray]:
        """Computes the features of any number of images.

        Args:
            images_BHWC: uint8 (B, H, W, 3), RGB, 0-255, of the size that `spec.rule` gives.

        Returns:
            kind -> float32 (B, *shapes[kind]).

        Raises:
            BackboneError: the images are not of that size and type.
        """
        expected = (self.spec.rule.height, self.spec.rule.width, 3)
        if images_BHWC.shape[1:] != expected or images_BHWC.dtype != np.uint8:
            raise BackboneError(
                f"{self.spec.title} takes uint8 images of shape {expected}. "
                f"Received: {images_BHWC.dtype} {images_BHWC.shape[1:]}"
            )
        starts = range(0, max(len(images_BHWC), 1), self.batch_size)
        parts = [self._encode_batch(images_BHWC[i : i + self.batch_size]) for i in starts]
        return {
            kind: np.concatenate([part[index] for part in parts])
            for index, kind in enumerate(self.outputs)
        }

    def _encode_batch(self, images_BHWC: np.ndarray) -> list[np.ndarray]:
        missing = self.batch_size - len(images_BHWC)
        padded = np.pad(images_BHWC, [(0, missing), (0, 0), (0, 0), (0, 0)])
        return [feature.numpy()[: len(images_BHWC)] for feature in self._encode(padded)]


def load_encoder(
    name: str,
    *,
    weights: str = "imagenet",
    seed: int = 0,
    input_size: Size | None = None,
    outputs: Sequence[str] = ("vector",),
    precision: Precision = "auto",
    batch_size: int = 32,
    grid_side: int | None = None,
) -> Encoder:
    """Builds an encoder and loads its weights.

    Args:
        name: a name of `registry.list_specs`.
        weights: "imagenet", "random" or the path of a file.
        seed: of random weights.
        input_size: height and width of the images, in pixels; None for the network's own.
        outputs: "vector", "grid" or both.
        precision: of the arithmetic. "auto" is bfloat16 where processor and network gain from
            it: with AMX VGG-16 is four times as fast, at a cosine of 0.9999 to float32.
        batch_size: images in a batch.
        grid_side: the grid is averaged to so many places a side; None leaves it as it is.

    Raises:
        UsageError: the name is unknown, or the grid has fewer places than `grid_side` asks for.
        WeightsError: the weights cannot be had or belong to another network.

    Example:

        encoder = load_encoder("efficientnet_lite0", outputs=("vector", "grid"))
        vector_1F = encoder.encode(load_image("beach.jpg", encoder.spec.rule)[None])["vector"]
    """
    spec = fit_spec(find_spec(name), weights, input_size)
    origin = resolve_weights(spec, weights, seed)
    network = build_network(spec, choose_precision(spec, precision))
    load_weights(network, spec, origin)
    network = narrow_kernels(fold_norms(network, keep=(spec.vector_layer, spec.grid_layer)))
    return Encoder(spec, network, origin.preprocessing, outputs, batch_size, grid_side=grid_side)


def build_network(
    spec: BackboneSpec, precision: Literal["float32", "bfloat16"] = "float32"
) -> keras.Model:
    """Builds the network with fresh weights, computing in the given precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    try:
        return spec.build()
    finally:
        keras.config.set_dtype_policy(before)


def find_output(network: keras.Model, layer: str) -> keras.KerasTensor:
    """Returns what a layer, or a bare operation between layers, gives."""
    return next(x.output for x in network.operations if x.name == layer)


def _average_places(
    spec: BackboneSpec, grid_BHWC: keras.KerasTensor, side: int
) -> keras.KerasTensor:
    """Averages the places of a grid to (B, side, side, C)."""
    height, width = grid_BHWC.shape[1:3]
    if side > min(height, width):
        raise UsageError(
            f"extract.grid_side = {side}: the grid of {spec.title} has only {height} x {width} "
            "places. Leave grid_side out, or lower it."
        )
    if (height, width) == (side, side):
        return grid_BHWC
    rows_SH, columns_SW = _average_windows(height, side), _average_windows(width, side)
    averaged_BSWC = keras.ops.einsum("sh,bhwc->bswc", rows_SH, grid_BHWC)
    return keras.ops.einsum("tw,bswc->bstc", columns_SW, averaged_BSWC)


def _average_windows(length: int, side: int) -> np.ndarray:
    """Returns the matrix, (side, length), that averages a line of places in `side` windows.

    They are as even as can be and overlap where they must, as in PyTorch's adaptive pooling.
    Keras has that as a layer since 3.13 only.
    """
    weights = np.zeros((side, length), np.float32)
    for place in range(side):
        start, end = length * place // side, -(-length * (place + 1) // side)
        weights[place, start:end] = 1 / (end - start)
    return weights


def choose_precision(spec: BackboneSpec, precision: Precision) -> Literal["float32", "bfloat16"]:
    """Returns the precision that "auto" stands for on this machine, or the one asked for."""
    if precision not in get_args(Precision):
        known = ", ".join(get_args(Precision))
        raise UsageError(f"The precision '{precision}' is unknown. Known: {known}.")
    if precision == "auto":
        return "bfloat16" if spec.gains_from_bfloat16 and prefers_bfloat16() else "float32"
    return precision
