"""LeNet-5 (LeCun et al. 1998, doi:10.1109/5.726791), as its author drew it and as it is now built.

The paper's connection table, which links 6 maps to 16 only in part, its trainable pooling and
its radial output give way, as everywhere, to plain convolutions, mean pooling and a softmax.
"""

from typing import Literal, NamedTuple

import keras
from keras import layers

from captioner.backbones.spec import Size


class Variant(NamedTuple):
    """What the variants differ in: activation, pooling, and the two convolutions."""

    activation: Literal["sigmoid", "relu"]
    pooling: Literal["average", "max"]
    kernel_size: int
    first_padding: Literal["same", "valid"]


VARIANTS = {
    "lenet": Variant("sigmoid", "average", 5, "same"),
    "lenet_relu": Variant("relu", "max", 5, "same"),
    "lenet_relu3": Variant("relu", "max", 3, "valid"),
}
POOLING = {"average": layers.AveragePooling2D, "max": layers.MaxPooling2D}


def build(name: str, num_classes: int = 10, input_size: Size = (28, 28)) -> keras.Model:
    """Builds a LeNet with fresh weights.

    Args:
        name: a key of `VARIANTS`.
        num_classes: width of `predictions`.
        input_size: height and width of the images, in pixels.

    Returns:
        A model from grey images, float (B, H, W, 1), 0-1, to class probabilities
        (B, num_classes). `fc2` gives the vector of 84, `pool2` the grid of 5 x 5 x 16.
    """
    activation, pooling, kernel_size, first_padding = VARIANTS[name]
    images = keras.Input((*input_size, 1), name="images")
    x = images
    stacks = ((6, first_padding), (16, "valid"))
    for number, (filters, padding) in enumerate(stacks, 1):
        x = layers.Conv2D(
            filters, kernel_size, padding=padding, activation=activation, name=f"conv{number}"
        )(x)
        x = POOLING[pooling](2, 2, name=f"pool{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    for number, width in enumerate((120, 84), 1):
        x = layers.Dense(width, activation=activation, name=f"fc{number}")(x)
    x = layers.Dense(num_classes, activation="softmax", dtype="float32", name="predictions")(x)
    return keras.Model(images, x, name=name)
