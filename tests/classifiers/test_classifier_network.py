"""First weights, and the layers that stay as they are."""

import numpy as np
import pytest
import tensorflow as tf

from captioner.backbones.registry import find_spec
from captioner.backbones.trained import TrainedNote, save_trained
from captioner.backbones.weights import resolve_weights
from captioner.classifiers.network import choose_precision, start_classifier
from captioner.classifiers.steps import cross_entropy
from captioner.errors import UsageError

RANDOM = resolve_weights(find_spec("lenet_relu3"), "random", 0)


def start(num_classes=3, origin=RANDOM, **options):
    spec = find_spec("lenet_relu3").at(num_classes=num_classes)
    return start_classifier(spec, origin, seed=options.pop("seed", 0), **options)


def weights_of(classifier):
    return {weight.path: weight.numpy() for weight in classifier.model.weights}


def test_first_weights_depend_on_the_seed_alone():
    first, again, other = (weights_of(start(seed=seed)) for seed in (0, 0, 1))
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])
    assert any((array != other[name]).any() for name, array in first.items())


def test_a_trained_encoder_begins_with_its_weights_and_a_new_classifier(tmp_path):
    earlier = start(num_classes=5, seed=7)
    path = tmp_path / "encoder.weights.h5"
    save_trained(earlier.model, path, TrainedNote("lenet_relu3", 5, (28, 28), "grey"))
    later = start(origin=resolve_weights(earlier.spec, str(path)))
    expected, found = weights_of(earlier), weights_of(later)
    for name, array in found.items():
        if name.startswith("predictions"):
            assert array.shape[-1] == 3
        else:
            np.testing.assert_array_equal(array, expected[name])


@pytest.mark.parametrize(
    ("class_names", "is_kept"), [(("cat", "dog", "owl"), True), (("dog", "cat", "owl"), False)]
)
def test_a_classifier_of_the_very_same_classes_goes_on(tmp_path, class_names, is_kept):
    earlier = start()
    for weight in earlier.model.get_layer("predictions").weights:
        weight.assign(tf.ones_like(weight))
    path = tmp_path / "encoder.weights.h5"
    note = TrainedNote("lenet_relu3", 3, (28, 28), "grey", ("cat", "dog", "owl"))
    save_trained(earlier.model, path, note)
    origin = resolve_weights(earlier.spec, str(path))
    later = start(origin=origin, class_names=class_names)
    for weight in later.model.get_layer("predictions").weights:
        np.testing.assert_array_equal(weight.numpy(), float(is_kept))


def test_layers_below_are_frozen():
    classifier = start(freeze_below="fc1")
    names = {weight.path.partition("/")[0] for weight in classifier.model.trainable_weights}
    assert names == {"fc1", "fc2", "predictions"}


def test_a_layer_that_does_not_exist_is_named_with_the_nearest():
    with pytest.raises(UsageError, match=r"freeze_below = 'fd2': .* Did you mean 'fc2'\?.*conv1"):
        start(freeze_below="fd2")


def test_precision_is_what_was_asked_for():
    spec = find_spec("lenet_relu3")
    assert choose_precision(spec, "bfloat16") == "bfloat16"
    if not tf.config.list_physical_devices("GPU"):
        assert choose_precision(spec, "auto") == "float32"  # gains nothing from bfloat16


def test_cross_entropy_by_hand():
    probabilities = tf.constant([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]])
    labels = tf.constant([0, 2])
    expected = -np.log([0.5, 0.1])
    np.testing.assert_allclose(cross_entropy(probabilities, labels, 0.0), expected, rtol=1e-5)
    mean = -np.log(probabilities.numpy()).mean(axis=1)
    smoothed = 0.7 * expected + 0.3 * mean
    np.testing.assert_allclose(cross_entropy(probabilities, labels, 0.3), smoothed, rtol=1e-5)


def test_an_image_that_is_wholly_wrong_still_teaches():
    """Through probabilities of 0 no gradient would come; through the logits it does."""
    classifier = start()
    *_, bias = classifier.model.trainable_weights
    bias.assign([200.0, 0.0, 0.0])
    images = tf.zeros((2, 28, 28, 3))

    @tf.function
    def gradient():
        with tf.GradientTape() as tape:
            probabilities = classifier(images, training=True)
            loss = tf.reduce_sum(cross_entropy(probabilities, tf.constant([1, 1]), 0.0))
        return tape.gradient(loss, bias.value)

    np.testing.assert_allclose(gradient(), [2, -2, 0], atol=1e-5)


def test_every_class_is_as_likely_as_any_other_before_the_first_step():
    images = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 3), dtype=np.uint8)
    np.testing.assert_allclose(start()(images, training=False), np.full((2, 3), 1 / 3), rtol=1e-6)


def test_batch_normalisation_can_be_kept_as_it_is():
    spec = find_spec("alexnet_bn").at(num_classes=2, input_size=(67, 67))
    origin = resolve_weights(spec, "random", 0)
    classifier = start_classifier(spec, origin, seed=0, freeze_norms=True)
    images = np.random.default_rng(0).integers(0, 256, (4, 67, 67, 3), dtype=np.uint8)
    before = [w.numpy() for w in classifier.model.get_layer("bn1").weights]
    classifier(images, training=True)
    for weight, array in zip(classifier.model.get_layer("bn1").weights, before, strict=True):
        np.testing.assert_array_equal(weight, array)
    assert not any("bn" in weight.path for weight in classifier.model.trainable_weights)
