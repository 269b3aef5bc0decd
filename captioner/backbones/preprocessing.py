"""From RGB values 0-255 to what a network was trained on, inside the compiled graph.

- caffe: BGR minus the mean colour of ImageNet, as `keras.applications.vgg16.preprocess_input`.
- lite: (x - 127) / 128, RGB, as the EfficientNet-Lite of TensorFlow's TPU models.
- torchvision: x / 255, minus mean, over standard deviation, RGB.
"""

import tensorflow as tf

from captioner.backbones.registry import Preprocessing

# name -> (whether channels turn to BGR, what is subtracted, what divides), channel by channel
CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
_TORCHVISION_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
_TORCHVISION_DEVIATION = (0.229 * 255, 0.224 * 255, 0.225 * 255)
_ONES = (1.0, 1.0, 1.0)

RECIPES: dict[Preprocessing, tuple[bool, tuple[float, ...], tuple[float, ...]]] = {
    "caffe": (True, CAFFE_MEAN_BGR, _ONES),
    "lite": (False, (127.0, 127.0, 127.0), (128.0, 128.0, 128.0)),
    "torchvision": (False, _TORCHVISION_MEAN, _TORCHVISION_DEVIATION),
}


def preprocess(name: Preprocessing, images_BHWC: tf.Tensor) -> tf.Tensor:
    """Returns the network's input, float32 (B, H, W, 3).

    Args:
        name: a key of `RECIPES`.
        images_BHWC: uint8 or float (B, H, W, 3), RGB, 0-255.
    """
    is_bgr, mean, deviation = RECIPES[name]
    x = tf.cast(images_BHWC, tf.float32)
    x = tf.reverse(x, axis=[-1]) if is_bgr else x
    return (x - tf.constant(mean)) / tf.constant(deviation)
