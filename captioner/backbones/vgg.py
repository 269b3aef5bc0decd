"""VGG (Simonyan and Zisserman 2015, arXiv:1409.1556), from one table of stack depths.

Layers bear the names that they have in `keras.applications`, `block1_conv1` to `predictions`,
so that weights and features can be compared by name.
"""

from collections.abc import Mapping
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from captioner.backbones.spec import Size
from captioner.backbones.torchvision import convert_torchvision

NUM_FILTERS = (64, 128, 256, 512, 512)
DENSE_MODULES = {"classifier.0": "fc1", "classifier.3": "fc2", "classifier.6": "predictions"}


class Variant(NamedTuple):
    """How deep the five stacks of convolutions are, and the two dense layers behind them."""

    depths: tuple[int, int, int, int, int]
    width: int = 4096
    dropout: float = 0.0


VARIANTS = {
    "vgg11": Variant((1, 1, 2, 2, 2)),  # the paper's A
    "vgg13": Variant((2, 2, 2, 2, 2)),  # B
    "vgg16": Variant((2, 2, 3, 3, 3)),  # D
    "vgg19": Variant((2, 2, 4, 4, 4)),  # E
    "vgg16_small": Variant((2, 2, 3, 3, 3), width=512, dropout=0.5),
}


def build(name: str, num_classes: int = 1000, input_size: Size = (224, 224)) -> keras.Model:
    """Builds a VGG with fresh weights.

    Args:
        name: a key of `VARIANTS`.
        num_classes: width of `predictions`.
        input_size: height and width of the images, in pixels, 32 or more.

    Returns:
        A model from (B, H, W, 3) images, BGR minus the means of ImageNet, to class probabilities
        (B, num_classes). `fc2` gives the vector of 4096, `block5_pool` the grid of 7 x 7 x 512.
    """
    variant = VARIANTS[name]
    images = keras.Input((*input_size, 3), name="images")
    x = images
    for block, (depth, filters) in enumerate(zip(variant.depths, NUM_FILTERS, strict=True), 1):
        for conv in range(1, depth + 1):
            x = layers.Conv2D(
                filters, 3, padding="same", activation="relu", name=_name_conv(block, conv)
            )(x)
        x = layers.MaxPooling2D(2, 2, name=f"block{block}_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    for number in (1, 2):
        x = layers.Dense(variant.width, activation="relu", name=f"fc{number}")(x)
        if variant.dropout > 0:
            x = layers.Dropout(variant.dropout, name=f"dropout{number}")(x)
    x = layers.Dense(num_classes, activation="softmax", dtype="float32", name="predictions")(x)
    return keras.Model(images, x, name=name)


def convert_torch(name: str, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Renames the tensors of torchvision's VGG to this module's weights; see there."""
    names = [
        _name_conv(block, conv)
        for block, depth in enumerate(VARIANTS[name].depths, 1)
        for conv in range(1, depth + 1)
    ]
    return convert_torchvision(tensors, names, DENSE_MODULES)


def _name_conv(block: int, conv: int) -> str:
    return f"block{block}_conv{conv}"
