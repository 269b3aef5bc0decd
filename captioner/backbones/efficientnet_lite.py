"""EfficientNet-Lite: EfficientNet without squeeze-and-excitation, with ReLU6 instead of swish.

Tan & Le 2019 (arXiv:1905.11946); the Lite variants are TensorFlow's (tpu/models/official/
efficientnet/lite): stem, first block and head keep their size whatever the width and depth.

The published weights come from TensorFlow, so "same" padding is TensorFlow's: with a stride of
two the odd row and column lie below and to the right.
"""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from captioner.backbones.spec import Size

BATCH_NORM_EPSILON = 1e-3
STEM_FILTERS = 32
HEAD_FILTERS = 1280


class Stage(NamedTuple):
    """One row of the network's table, before it is scaled."""

    num_blocks: int
    kernel_size: int
    stride: int
    expansion: int
    filters: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


class Scale(NamedTuple):
    """How a variant differs from Lite0."""

    width: float
    depth: float
    image_size: int


SCALES = {
    "efficientnet_lite0": Scale(1.0, 1.0, 224),
    "efficientnet_lite1": Scale(1.0, 1.1, 240),
    "efficientnet_lite2": Scale(1.1, 1.2, 260),
}


def build(name: str, num_classes: int = 1000, input_size: Size | None = None) -> keras.Model:
    """Builds an EfficientNet-Lite with fresh weights.

    Args:
        name: a key of `SCALES`.
        num_classes: width of `predictions`.
        input_size: height and width of the images, in pixels; None for the published size.

    Returns:
        A model from (B, H, W, 3) images, RGB, (x - 127) / 128, to class probabilities
        (B, num_classes).
        `top_activation` is the grid, `avg_pool` the vector of 1280.
    """
    scale = SCALES[name]
    size = (scale.image_size, scale.image_size) if input_size is None else input_size
    images = keras.Input((*size, 3), name="images")
    x = _convolve(images, STEM_FILTERS, 3, stride=2, name="stem")
    for block_name, stage, filters, stride in _list_blocks(scale):
        x = _inverted_residual(x, stage._replace(filters=filters, stride=stride), block_name)
    x = _convolve(x, HEAD_FILTERS, 1, name="top")
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    x = layers.Dense(num_classes, activation="softmax", dtype="float32", name="predictions")(x)
    return keras.Model(images, x, name=name)


def _list_blocks(scale: Scale) -> Iterator[tuple[str, Stage, int, int]]:
    """Yields name, stage, filters and stride of every block: block1a, block2a, block2b, ..."""
    for number, stage in enumerate(STAGES, start=1):
        is_fixed = number in (1, len(STAGES))
        num_blocks = stage.num_blocks if is_fixed else math.ceil(stage.num_blocks * scale.depth)
        for index in range(num_blocks):
            stride = stage.stride if index == 0 else 1
            yield f"block{number}{chr(97 + index)}", stage, _scale_width(stage, scale), stride


def _scale_width(stage: Stage, scale: Scale) -> int:
    """Rounds to a multiple of 8, never more than 10 % down."""
    filters = stage.filters * scale.width
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * filters else rounded


def _inverted_residual(inputs: keras.KerasTensor, stage: Stage, name: str) -> keras.KerasTensor:
    x = inputs
    if stage.expansion > 1:
        x = _convolve(x, inputs.shape[-1] * stage.expansion, 1, name=f"{name}_expand")
    x = layers.DepthwiseConv2D(
        stage.kernel_size, stage.stride, padding="same", use_bias=False, name=f"{name}_dwconv"
    )(x)
    x = _normalise(x, f"{name}_dw")
    x = layers.ReLU(6.0, name=f"{name}_dw_activation")(x)
    x = layers.Conv2D(stage.filters, 1, use_bias=False, name=f"{name}_project_conv")(x)
    x = _normalise(x, f"{name}_project")
    if stage.stride == 1 and inputs.shape[-1] == stage.filters:
        x = layers.Add(name=f"{name}_add")([x, inputs])
    return x


def _convolve(
    x: keras.KerasTensor, filters: int, kernel_size: int, *, name: str, stride: int = 1
) -> keras.KerasTensor:
    x = layers.Conv2D(
        filters, kernel_size, stride, padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    return layers.ReLU(6.0, name=f"{name}_activation")(_normalise(x, name))


def _normalise(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.BatchNormalization(epsilon=BATCH_NORM_EPSILON, name=f"{name}_bn")(x)


def convert_torch(name: str, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Renames the tensors of an `efficientnet_lite_pytorch` checkpoint to this module's weights.

    Args:
        name: a key of `SCALES`.
        tensors: `_conv_stem.weight`, `_blocks.0._bn1.running_mean`, ...; what the network does
            not know keeps its name, so that it can be reported.

    Returns:
        `stem_conv/kernel`, `block1a_dw_bn/moving_mean`, ... in Keras' axis order.
    """
    modules = _list_torch_modules(name)
    converted = {}
    for key, tensor in tensors.items():
        module, _, parameter = key.rpartition(".")
        if parameter == "num_batches_tracked":
            continue
        layer = modules.get(module, module)
        weight = TORCH_PARAMETERS.get((_kind(layer), parameter), parameter)
        converted[f"{layer}/{weight}"] = _to_keras_axes(layer, tensor)
    return converted


TORCH_PARAMETERS = {
    ("bn", "weight"): "gamma",
    ("bn", "bias"): "beta",
    ("bn", "running_mean"): "moving_mean",
    ("bn", "running_var"): "moving_variance",
    ("conv", "weight"): "kernel",
    ("dwconv", "weight"): "kernel",
    ("predictions", "weight"): "kernel",
}


def _list_torch_modules(name: str) -> dict[str, str]:
    modules = {"_conv_stem": "stem_conv", "_bn0": "stem_bn", "_conv_head": "top_conv"}
    modules |= {"_bn1": "top_bn", "_fc": "predictions"}
    for index, (block, *_) in enumerate(_list_blocks(SCALES[name])):
        modules[f"_blocks.{index}._expand_conv"] = f"{block}_expand_conv"
        modules[f"_blocks.{index}._bn0"] = f"{block}_expand_bn"
        modules[f"_blocks.{index}._depthwise_conv"] = f"{block}_dwconv"
        modules[f"_blocks.{index}._bn1"] = f"{block}_dw_bn"
        modules[f"_blocks.{index}._project_conv"] = f"{block}_project_conv"
        modules[f"_blocks.{index}._bn2"] = f"{block}_project_bn"
    return modules


def _kind(layer: str) -> str:
    return layer.rpartition("_")[2]


def _to_keras_axes(layer: str, tensor: np.ndarray) -> np.ndarray:
    if tensor.ndim == 2:
        return tensor.T  # (out, in) -> (in, out)
    if tensor.ndim != 4:
        return tensor
    if _kind(layer) == "dwconv":
        return tensor.transpose(2, 3, 0, 1)  # (C, 1, H, W) -> (H, W, C, 1)
    return tensor.transpose(2, 3, 1, 0)  # (out, in, H, W) -> (H, W, in, out)
