"""Training images moved about, so that a classifier learns the thing and not its place.

Dimension key: B images of a batch, H and W their sides.
"""

import keras
import tensorflow as tf
from keras import layers

from captioner.classifiers.settings import Augmentation

FILL = "nearest"  # what moves into the picture is the colour at its edge


class Augmenter:
    """Moves RGB images about with Keras' augmentation layers.

    Args:
        settings: what is done; what is 0 or False costs nothing.

    Attributes:
        variables: the state of its random numbers.
    """

    def __init__(self, settings: Augmentation) -> None:
        self._layers = list_layers(settings)
        self.variables = [v for layer in self._layers for v in layer.variables]

    def __call__(self, images_BHWC: tf.Tensor) -> tf.Tensor:
        """Returns the images moved about, float32 (B, H, W, 3), 0-255."""
        images_BHWC = tf.cast(images_BHWC, tf.float32)
        for layer in self._layers:
            images_BHWC = layer(images_BHWC, training=True)
        return images_BHWC


def list_layers(settings: Augmentation) -> list[keras.Layer]:
    """Returns the layers that the settings ask for, in the order in which they are applied."""
    found: list[keras.Layer] = []
    # Two layers: Keras' own "horizontal_and_vertical" draws once for both, and only ever turns
    # an image by half a circle.
    if settings.horizontal_flip:
        found.append(layers.RandomFlip("horizontal", dtype="float32"))
    if settings.vertical_flip:
        found.append(layers.RandomFlip("vertical", dtype="float32"))
    if settings.rotation:
        turn = settings.rotation / 360
        found.append(layers.RandomRotation(turn, fill_mode=FILL, dtype="float32"))
    if settings.shift:
        shift = settings.shift
        found.append(layers.RandomTranslation(shift, shift, fill_mode=FILL, dtype="float32"))
    if settings.shear:
        shear = settings.shear
        found.append(layers.RandomShear(shear, shear, fill_mode=FILL, dtype="float32"))
    if settings.zoom:
        found.append(layers.RandomZoom(settings.zoom, fill_mode=FILL, dtype="float32"))
    return found
