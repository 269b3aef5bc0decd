"""Kernels kept in the type that they are multiplied in, for networks that only infer.

Under a mixed policy of Keras weights are float32, for training's sake, and cast at every call:
of VGG-16 up to `fc2` 134 million.
"""

import keras
from keras import layers

from captioner.backbones.folding import copy_state

_HAVE_KERNELS = (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)


def narrow_kernels(network: keras.Model) -> keras.Model:
    """Returns the network with the kernels of convolutions and dense layers cast once and for all.

    What it computes stays the same to the bit; the statistics of a normalisation stay float32.

    Args:
        network: a functional model with its weights; it stays as it is. One whose policy is not
            mixed, or that has models or bare operations inside, is returned unchanged.

    Returns:
        A network of the same layer names.
    """
    parts = network.operations
    is_plain = all(isinstance(x, keras.Layer) and not isinstance(x, keras.Model) for x in parts)
    if not is_plain or not any(_is_wide(layer) for layer in network.layers):
        return network

    def clone(layer: keras.Layer) -> keras.Layer:
        narrow = {"dtype": layer.compute_dtype} if _is_wide(layer) else {}
        return type(layer).from_config({**layer.get_config(), **narrow})

    narrowed = keras.models.clone_model(network, clone_function=clone)
    for layer in (layer for layer in network.layers if layer.variables):
        copy_state(layer, narrowed.get_layer(layer.name))
    return narrowed


def _is_wide(layer: keras.Layer) -> bool:
    return type(layer) in _HAVE_KERNELS and layer.compute_dtype != layer.variable_dtype
