"""Narrowed kernels: the same features, in fewer bytes."""

import keras
import numpy as np
import pytest
from keras import layers

from captioner.backbones.narrowing import narrow_kernels


def small_network(policy: str, join: bool = False) -> keras.Model:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        images = keras.Input((6, 7, 3))
        x = layers.Conv2D(8, 3, bias_initializer="normal", name="conv")(images)
        x = layers.DepthwiseConv2D(3, name="depth")(x)
        x = layers.BatchNormalization(moving_mean_initializer="normal", name="norm")(x)
        x = layers.Flatten()(x + x if join else x)
        x = layers.Dense(5, activation="softmax", dtype="float32", name="predictions")(x)
        return keras.Model(images, x)
    finally:
        keras.config.set_dtype_policy(before)


def test_what_it_computes_stays_the_same_to_the_bit():
    network = small_network("mixed_bfloat16")
    narrowed = narrow_kernels(network)
    images_BHWC = np.random.default_rng(0).normal(size=(4, 6, 7, 3)).astype(np.float32)
    assert np.array_equal(narrowed(images_BHWC), network(images_BHWC))
    types = {layer.name: {v.dtype for v in layer.variables} for layer in narrowed.layers}
    assert types["conv"] == types["depth"] == {"bfloat16"}
    assert types["norm"] == types["predictions"] == {"float32"}
    assert network.get_layer("conv").kernel.dtype == "float32"


@pytest.mark.parametrize(("policy", "join"), [("float32", False), ("mixed_bfloat16", True)])
def test_a_network_with_nothing_to_narrow_or_with_operations_is_left(policy, join):
    network = small_network(policy, join)
    assert narrow_kernels(network) is network
