"""VGG (Simonyan and Zisserman 2015, arXiv:1409.1556), from one table of stack depths.

Layers bear the names that they have in `keras.applications`, `block1_conv1` to `predictions`,
so that weights and features can be compared by name.
"""

from collections.abc import Mapping

import keras
import numpy as np
from keras import layers

from captioner.backbones.torchvision_vgg import vgg_from_torchvision

NUM_FILTERS = (64, 128, 256, 512, 512)
STACK_DEPTHS = {
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}


def build(name: str, num_classes: int = 1000) -> keras.Model:
    """Builds a VGG with fresh weights.

    Args:
        name: a key of `STACK_DEPTHS`.
        num_classes: width of `predictions`.

    Returns:
        A model from (B, 224, 224, 3) images, BGR minus the means of ImageNet, to class
        probabilities (B, num_classes). `fc2` gives the vector of 4096, `block5_pool` the grid
        of 7 x 7 x 512.
    """
    images = keras.Input((224, 224, 3), name="images")
    x = images
    for block, (depth, filters) in enumerate(zip(STACK_DEPTHS[name], NUM_FILTERS, strict=True), 1):
        for conv in range(1, depth + 1):
            x = layers.Conv2D(
                filters, 3, padding="same", activation="relu", name=_name_conv(block, conv)
            )(x)
        x = layers.MaxPooling2D(2, 2, name=f"block{block}_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(4096, activation="relu", name="fc1")(x)
    x = layers.Dense(4096, activation="relu", name="fc2")(x)
    x = layers.Dense(num_classes, activation="softmax", name="predictions")(x)
    return keras.Model(images, x, name=name)


def convert_torch(name: str, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Renames the tensors of torchvision's VGG to this module's weights; see there."""
    names = [
        _name_conv(block, conv)
        for block, depth in enumerate(STACK_DEPTHS[name], 1)
        for conv in range(1, depth + 1)
    ]
    return vgg_from_torchvision(tensors, names)


def _name_conv(block: int, conv: int) -> str:
    return f"block{block}_conv{conv}"
