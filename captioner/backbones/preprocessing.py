"""From RGB values 0-255 to what a network was trained on, inside the compiled graph.

- caffe: BGR minus the mean colour of ImageNet, as `keras.applications.vgg16.preprocess_input`.
- grey: one channel, 0-1: brightness as ITU-R BT.601 weighs the colours, and Pillow's mode "L".
- lite: (x - 127) / 128, RGB, as the EfficientNet-Lite of TensorFlow's TPU models.
- pixels: 0-255, RGB, for networks that scale by themselves.
- symmetric: -1 to 1, RGB, as `keras.applications.mobilenet.preprocess_input`.
- torchvision: x / 255, minus mean, over standard deviation, RGB.
"""

from typing import Literal, NamedTuple

import tensorflow as tf

from captioner.backbones.spec import Preprocessing

CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
_TORCHVISION_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
_TORCHVISION_DEVIATION = (0.229 * 255, 0.224 * 255, 0.225 * 255)
_BRIGHTNESS = (0.299, 0.587, 0.114)


class Recipe(NamedTuple):
    """What is done to an image's values.

    Args:
        channels: what becomes of red, green and blue, first of all.
        mean: what is then subtracted, one value a channel or one for all.
        deviation: what divides the rest.
    """

    channels: Literal["RGB", "BGR", "grey"]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]


RECIPES: dict[Preprocessing, Recipe] = {
    "caffe": Recipe("BGR", CAFFE_MEAN_BGR, (1.0, 1.0, 1.0)),
    "grey": Recipe("grey", (0.0,), (255.0,)),
    "lite": Recipe("RGB", (127.0, 127.0, 127.0), (128.0, 128.0, 128.0)),
    "pixels": Recipe("RGB", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "symmetric": Recipe("RGB", (127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
    "torchvision": Recipe("RGB", _TORCHVISION_MEAN, _TORCHVISION_DEVIATION),
}


def preprocess(name: Preprocessing, images_BHWC: tf.Tensor) -> tf.Tensor:
    """Returns the network's input, float32 (B, H, W, 3), or (B, H, W, 1) where it is grey.

    Args:
        name: a key of `RECIPES`.
        images_BHWC: uint8 or float (B, H, W, 3), RGB, 0-255.
    """
    channels, mean, deviation = RECIPES[name]
    x = tf.cast(images_BHWC, tf.float32)
    if channels == "BGR":
        x = tf.reverse(x, axis=[-1])
    if channels == "grey":
        x = tf.reduce_sum(x * tf.constant(_BRIGHTNESS), axis=-1, keepdims=True)
    return (x - tf.constant(mean)) / tf.constant(deviation)
