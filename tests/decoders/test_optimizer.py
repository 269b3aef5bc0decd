import keras
import numpy as np
import pytest
import tensorflow as tf

from captioner.decoders.optimizer import Optimizer, Schedule
from captioner.decoders.steps import mean_loss


def one_weight(*, warmup_steps=0, clip_norm=5.0, ema=0.0):
    weight = keras.Variable(np.array([1.0, -2.0, 3.0], np.float32))
    schedule = Schedule(learning_rate=0.1, warmup_steps=warmup_steps, num_steps=100)
    return weight, Optimizer({"w": weight}, schedule, clip_norm=clip_norm, ema=ema)


def test_steps_equal_those_of_keras_adam():
    weight, optimizer = one_weight(clip_norm=1e9)
    reference = keras.Variable(weight.numpy())
    adam = keras.optimizers.Adam(learning_rate=0.1)
    for step in range(5):
        gradient = tf.constant([0.3, -1.0, 0.01]) * (step + 1)
        optimizer.apply([gradient], optimizer.coefficients(step))
        adam.learning_rate = optimizer.schedule.rate(step)
        adam.apply([gradient], [reference])
    np.testing.assert_allclose(weight.numpy(), reference.numpy(), rtol=1e-4)


def test_the_rate_rises_then_falls_to_zero():
    _, optimizer = one_weight(warmup_steps=9)
    rates = [optimizer.schedule.rate(step) for step in range(101)]
    assert rates[0] == pytest.approx(0.01)
    assert max(rates) == rates[9] == pytest.approx(0.1 * (1 + np.cos(0.09 * np.pi)) / 2)
    assert rates[50] == pytest.approx(0.05)
    assert rates[100] == pytest.approx(0.0, abs=1e-9)
    assert np.all(np.diff(rates[9:]) < 0)


def test_long_gradients_are_scaled_down():
    _, optimizer = one_weight(clip_norm=1.0)
    norm = optimizer.apply([tf.constant([30.0, 0.0, 40.0])], optimizer.coefficients(0))
    assert float(norm) == pytest.approx(50.0)
    first = optimizer.variables["first/w"].numpy()
    np.testing.assert_allclose(first, [0.1 * 0.6, 0.0, 0.1 * 0.8], rtol=1e-5)


def test_the_mean_follows_the_weights_ever_more_slowly():
    weight, optimizer = one_weight(ema=0.9)
    expected = weight.numpy()
    for step in range(200):
        optimizer.apply([tf.constant([1.0, -1.0, 0.5])], optimizer.coefficients(min(step, 99)))
        decay = min(0.9, (1 + min(step, 99)) / (10 + min(step, 99)))
        expected = decay * expected + (1 - decay) * weight.numpy()
    np.testing.assert_allclose(optimizer.mean["w"].numpy(), expected, rtol=1e-4)


def test_without_a_mean_the_weights_themselves_are_kept():
    weight, optimizer = one_weight()
    assert optimizer.mean["w"] is weight.value
    assert set(optimizer.variables) == {"weights/w", "first/w", "second/w"}


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_the_loss_equals_keras_cross_entropy(label_smoothing):
    random = np.random.default_rng(0)
    logits_PV = random.normal(size=(6, 9)).astype(np.float32) * 5
    targets_P = random.integers(0, 9, size=6).astype(np.int32)
    theirs = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=label_smoothing
    )(np.eye(9, dtype=np.float32)[targets_P], logits_PV)
    ours = mean_loss(tf.constant(logits_PV), tf.constant(targets_P), label_smoothing)
    assert float(ours) == pytest.approx(float(theirs), rel=1e-5)
