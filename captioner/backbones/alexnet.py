"""AlexNet (Krizhevsky et al. 2012, doi:10.1145/3065386), in the three forms that are about.

- alexnet: torchvision's, after "One weird trick" (Krizhevsky 2014, arXiv:1404.5997); loads its
  `.pth` files.
- alexnet_tower: one of the two towers of 2012, each of which ran on a GPU of its own.
- alexnet_bn: both towers in one, with batch normalisation (Ioffe and Szegedy 2015,
  arXiv:1502.03167) where the paper has local response normalisation.

Local response normalisation itself is left out: it has no weights, and it does not help
(Simonyan and Zisserman 2015, section 4.1).
"""

from collections.abc import Mapping
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from captioner.backbones.spec import Size
from captioner.backbones.torchvision import convert_torchvision

DENSE_MODULES = {"classifier.1": "fc1", "classifier.4": "fc2", "classifier.6": "predictions"}
KERNEL_SIZES = (11, 5, 3, 3, 3)
POOLED = (1, 2, 5)  # convolutions that a 3 x 3 pooling of stride 2 follows
DROPOUT = 0.5


class Variant(NamedTuple):
    """What the forms differ in.

    Args:
        filters: of the five convolutions.
        border: zeros before and after the image, on either axis.
        width: of the two dense layers.
        normalised: convolutions that batch normalisation follows.
    """

    filters: tuple[int, int, int, int, int]
    border: tuple[int, int]
    width: int = 4096
    normalised: tuple[int, ...] = ()


VARIANTS = {
    "alexnet": Variant((64, 192, 384, 256, 256), (2, 2)),
    "alexnet_tower": Variant((48, 128, 192, 192, 128), (1, 2), width=2048),
    "alexnet_bn": Variant((96, 256, 384, 384, 256), (0, 0), normalised=(1, 2)),
}


def build(name: str, num_classes: int = 1000, input_size: Size = (224, 224)) -> keras.Model:
    """Builds an AlexNet with fresh weights.

    Args:
        name: a key of `VARIANTS`.
        num_classes: width of `predictions`.
        input_size: height and width of the images, in pixels, 63 or more.

    Returns:
        A model from (B, H, W, 3) images, RGB, x / 255 minus mean over deviation of ImageNet, to
        class probabilities (B, num_classes). `fc2` gives the vector, `pool5` the grid.
    """
    variant = VARIANTS[name]
    images = keras.Input((*input_size, 3), name="images")
    x = images
    if any(variant.border):
        x = layers.ZeroPadding2D((variant.border, variant.border), name="border")(x)
    for number in range(1, len(KERNEL_SIZES) + 1):
        x = _convolve(x, number, variant)
    x = layers.Flatten(name="flatten")(x)
    for number in (1, 2):
        x = layers.Dropout(DROPOUT, name=f"dropout{number}")(x)
        x = layers.Dense(variant.width, activation="relu", name=f"fc{number}")(x)
    x = layers.Dense(num_classes, activation="softmax", dtype="float32", name="predictions")(x)
    return keras.Model(images, x, name=name)


def _convolve(x: keras.KerasTensor, number: int, variant: Variant) -> keras.KerasTensor:
    is_first = number == 1
    x = layers.Conv2D(
        variant.filters[number - 1],
        KERNEL_SIZES[number - 1],
        strides=4 if is_first else 1,
        padding="valid" if is_first else "same",
        activation="relu",
        name=f"conv{number}",
    )(x)
    if number in variant.normalised:
        x = layers.BatchNormalization(name=f"bn{number}")(x)
    return layers.MaxPooling2D(3, 2, name=f"pool{number}")(x) if number in POOLED else x


def convert_torch(name: str, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Renames the tensors of torchvision's AlexNet to this module's weights; see there."""
    names = [f"conv{number}" for number in range(1, len(KERNEL_SIZES) + 1)]
    return convert_torchvision(tensors, names, DENSE_MODULES)
