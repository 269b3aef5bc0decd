import keras
import numpy as np
import pytest
from keras import layers

from captioner.backbones.folding import fold_norms


@pytest.fixture(autouse=True)
def fixed_seed():
    keras.utils.set_random_seed(0)


def small_network(**norm):
    images = keras.Input((9, 9, 3), name="images")
    x = layers.Conv2D(4, 3, 2, padding="same", use_bias=False, name="stem")(images)
    x = layers.ReLU(6.0)(layers.BatchNormalization(name="stem_bn", **norm)(x))
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, name="depth")(x)
    x = layers.BatchNormalization(name="depth_bn", **norm)(x)
    return with_statistics(keras.Model(images, x))


def with_statistics(network):
    """Gives normalisations statistics that matter; those of a fresh network do nothing."""
    generator = np.random.default_rng(0)
    for variable in network.variables:
        if variable.path.rpartition("/")[2] in ("gamma", "beta", "moving_mean", "moving_variance"):
            variable.assign(generator.uniform(0.2, 2.0, variable.shape))
    return network


def norms_of(network):
    return [x.name for x in network.layers if isinstance(x, layers.BatchNormalization)]


def assert_same(network, folded):
    images = np.random.default_rng(1).uniform(-1, 1, (2, *network.input.shape[1:]))
    expected = network(images, training=False)
    np.testing.assert_allclose(folded(images, training=False), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("norm", [{}, {"scale": False}, {"center": False}])
def test_a_folded_network_computes_the_same(norm):
    network = small_network(**norm)
    folded = fold_norms(network)
    assert norms_of(folded) == []
    assert [layer.name for layer in folded.layers] == [layer.name for layer in network.layers]
    assert_same(network, folded)


def test_the_network_itself_stays_as_it_is():
    network = small_network()
    before = network.get_weights()
    fold_norms(network)
    assert all(map(np.array_equal, before, network.get_weights()))
    assert norms_of(network) == ["stem_bn", "depth_bn"]


def test_a_convolution_that_is_asked_for_keeps_its_output():
    network = small_network()
    folded = fold_norms(network, keep=["depth"])
    assert norms_of(folded) == ["depth_bn"]
    inner = [keras.Model(n.input, n.get_layer("depth").output) for n in (network, folded)]
    assert_same(*inner)


@pytest.mark.parametrize("activation", [None, "relu"])
def test_what_does_not_follow_a_bare_convolution_alone_is_left(activation):
    images = keras.Input((5, 5, 2))
    x = layers.Conv2D(3, 1, activation=activation)(images)
    y = layers.BatchNormalization()(x)
    network = with_statistics(keras.Model(images, y if activation else layers.Add()([x, y])))
    assert fold_norms(network) is network


def test_a_sequence_inside_a_network_is_left():
    """As ConvNeXt has them; the normalisations before it are folded all the same."""
    stem = small_network()
    inner = keras.Sequential([layers.Conv2D(2, 1), layers.BatchNormalization()])
    network = keras.Model(stem.input, inner(stem.output))
    folded = fold_norms(network)
    assert norms_of(folded) == []
    assert_same(network, folded)
    alone = keras.Input(stem.output.shape[1:])
    network = keras.Model(alone, inner(alone))
    assert fold_norms(network) is network


def test_mixed_precision_stays():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        folded = fold_norms(small_network())
    finally:
        keras.config.set_dtype_policy("float32")
    assert folded.get_layer("stem").compute_dtype == "bfloat16"


def test_a_network_of_keras_applications_computes_the_same():
    """Its input layers derive values from their weights, and its kernels have all shapes."""
    network = keras.applications.EfficientNetB0(
        weights=None, include_top=False, input_shape=(32, 32, 3)
    )
    folded = fold_norms(with_statistics(network))
    assert len(norms_of(folded)) < len(norms_of(network)) / 2
    assert_same(network, folded)
