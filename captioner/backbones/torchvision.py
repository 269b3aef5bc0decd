"""torchvision's AlexNet and VGG weights under our names and in the axis order of Keras.

In torchvision, `features.N` are the convolutions, in between ReLUs and poolings that have numbers
but no weights, and `classifier.N` the dense layers, in between ReLUs and dropout.
"""

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np

PARAMETERS = {"weight": "kernel", "bias": "bias"}
_CONVOLUTION = re.compile(r"features\.(\d{1,4})\.weight")


def convert_torchvision(
    tensors: Mapping[str, np.ndarray],
    conv_names: Sequence[str],
    dense_modules: Mapping[str, str],
) -> dict[str, np.ndarray]:
    """Renames and transposes a state dict of `torchvision.models.vgg16` or `alexnet`.

    Args:
        tensors: `features.0.weight` (out, in, H, W), `classifier.0.weight` (out, in), ...
        conv_names: of the network's convolutions, from input to output.
        dense_modules: torchvision's modules -> our dense layers, fc1, fc2 and predictions.

    Returns:
        `block1_conv1/kernel` (H, W, in, out), `fc1/kernel` (in, out), `fc1/bias` (out,), ... What
        the network does not know (the batch normalisation of vgg16_bn) keeps its name, so that it
        can be reported.
    """
    layers = dict(zip(_list_convolutions(tensors), conv_names, strict=False))
    layers |= dense_modules
    grid_channels = _count_grid_channels(tensors)
    converted = {}
    for key, tensor in tensors.items():
        module, _, parameter = key.rpartition(".")
        if module in layers and parameter in PARAMETERS:
            key = f"{layers[module]}/{PARAMETERS[parameter]}"
            tensor = _to_keras_axes(tensor, grid_channels if key == "fc1/kernel" else 1)
        converted[key] = tensor
    return converted


def _list_convolutions(tensors: Mapping[str, np.ndarray]) -> list[str]:
    """Returns `features.0`, `features.2`, ..., by number."""
    matches = [_CONVOLUTION.fullmatch(key) for key, tensor in tensors.items() if tensor.ndim == 4]
    numbers = sorted(int(match[1]) for match in matches if match is not None)
    return [f"features.{number}" for number in numbers]


def _count_grid_channels(tensors: Mapping[str, np.ndarray]) -> int:
    """Returns how many channels the last convolution gives: 512."""
    convolutions = _list_convolutions(tensors)
    return len(tensors[f"{convolutions[-1]}.weight"]) if convolutions else 1


def _to_keras_axes(tensor: np.ndarray, grid_channels: int) -> np.ndarray:
    if tensor.ndim == 4:
        return tensor.transpose(2, 3, 1, 0)  # (out, in, H, W) -> (H, W, in, out)
    if tensor.ndim == 2:
        return _reorder_grid(tensor, grid_channels).T  # (out, in) -> (in, out)
    return tensor


def _reorder_grid(kernel: np.ndarray, grid_channels: int) -> np.ndarray:
    """Reorders a dense layer's inputs from a flattened (C, H, W) grid to (H, W, C)."""
    num_outputs, num_inputs = kernel.shape
    side = math.isqrt(num_inputs // max(grid_channels, 1))
    if grid_channels == 1 or grid_channels * side * side != num_inputs:
        return kernel
    grid = kernel.reshape(num_outputs, grid_channels, side, side)
    return grid.transpose(0, 2, 3, 1).reshape(num_outputs, num_inputs)
