"""Moving images about: what each setting does, and that a seed decides all of it."""

import numpy as np
import pytest

from captioner.classifiers.augmentation import Augmenter, list_layers
from captioner.classifiers.settings import Augmentation
from captioner.classifiers.steps import reset_random_state

STILL = Augmentation(0, 0, 0, 0, False, False)


def images_BHWC(num_images=64, side=12):
    return np.random.default_rng(0).integers(0, 256, (num_images, side, side, 3), dtype=np.uint8)


def test_the_defaults_are_the_courses():
    kinds = [type(layer).__name__ for layer in list_layers(Augmentation())]
    assert kinds == [
        "RandomFlip",
        "RandomFlip",
        "RandomRotation",
        "RandomTranslation",
        "RandomShear",
        "RandomZoom",
    ]
    rotation = list_layers(Augmentation())[2]
    assert tuple(rotation.factor) == pytest.approx((-40 / 360, 40 / 360))


def test_nothing_asked_for_changes_nothing():
    assert list_layers(STILL) == []
    images = images_BHWC()
    np.testing.assert_array_equal(Augmenter(STILL)(images), images)


@pytest.mark.parametrize(
    ("flips", "axes"),
    [((True, False), [None, 2]), ((False, True), [None, 1]), ((True, True), [None, 2, 1, (1, 2)])],
)
def test_flips_are_those_asked_for_and_no_others(flips, axes):
    images = images_BHWC().astype(np.float32)
    moved = Augmenter(Augmentation(0, 0, 0, 0, *flips))(images).numpy()
    versions = [images if axis is None else np.flip(images, axis) for axis in axes]
    counts = [sum(np.array_equal(m, v) for m, v in zip(moved, vs, strict=True)) for vs in versions]
    assert sum(counts) == len(images)
    assert all(counts)


@pytest.mark.parametrize("key", ["rotation", "shift", "shear", "zoom"])
def test_every_setting_moves_images_and_keeps_their_range(key):
    value = 40.0 if key == "rotation" else 0.2
    settings = Augmentation(**{**vars(STILL), key: value})
    images = images_BHWC()
    moved = Augmenter(settings)(images).numpy()
    assert moved.shape == images.shape
    assert np.abs(moved - images).max() > 10
    assert moved.min() >= -1e-3
    assert moved.max() <= 255 + 1e-3


def test_seed_and_epoch_decide_everything():
    augmenter = Augmenter(Augmentation())
    images = images_BHWC(4)

    def move(seed, epoch):
        reset_random_state(augmenter.variables, seed, epoch)
        return np.stack([augmenter(images).numpy() for _ in range(2)])

    first = move(0, 0)
    assert not np.array_equal(first[0], first[1])  # every step draws anew
    np.testing.assert_array_equal(move(0, 0), first)
    assert not np.array_equal(move(0, 1), first)
    assert not np.array_equal(move(1, 0), first)
