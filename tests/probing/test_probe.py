"""Probing features: what is planted in them is found, what is not there is not."""

import numpy as np
import pytest

from captioner.errors import DatasetError, FeatureError, UsageError
from captioner.features.pickles import PickledFeatures
from captioner.probing.health import examine_features
from captioner.probing.labels import label_words
from captioner.probing.probe import probe_encoders, read_vectors
from captioner.probing.regression import cross_validate

NUM_IMAGES = 200
GENERATOR = np.random.default_rng(0)
HAS_DOG, HAS_CAR = GENERATOR.random((2, NUM_IMAGES)) < 0.3
IMAGE_IDS = [f"sea/{number:03d}" for number in range(NUM_IMAGES)]
CAPTIONS = {
    image_id: (f"a {'dog' if dog else 'cat'}", f"a thing near a {'car' if car else 'tree'}")
    for image_id, dog, car in zip(IMAGE_IDS, HAS_DOG, HAS_CAR, strict=True)
}
NOISE = GENERATOR.normal(size=(NUM_IMAGES, 20)).astype(np.float32)


def as_features(vectors, image_ids=IMAGE_IDS):
    return PickledFeatures("test", image_ids, vectors.astype(np.float32))


def with_dog(vectors):
    planted = vectors.copy()
    planted[:, 0] += 4 * HAS_DOG
    return planted


def test_words_that_few_or_most_images_have_are_left_out():
    captions = [["A dog!", "the dog"]] * 30 + [["a cat"]] * 40 + [["a bird"]] * 10
    labels = label_words(captions, 10)
    assert labels.words == ("cat", "dog", "the")
    assert labels.num_images == [40, 30, 30]
    assert label_words(captions, 1).words == ("cat",)
    with pytest.raises(DatasetError, match="No word stands in the captions of at least 20"):
        label_words(captions[:30], 10)


def test_a_planted_word_is_read_and_an_absent_one_is_not():
    present = np.stack([HAS_DOG, HAS_CAR], axis=1)
    areas = cross_validate(with_dog(NOISE), present, num_folds=4)
    assert areas.areas_KV.shape == (4, 2)
    dog, car = areas.words
    assert dog > 0.97
    assert 0.35 < car < 0.65
    np.testing.assert_array_equal(
        areas.areas_KV, cross_validate(with_dog(NOISE), present, num_folds=4).areas_KV
    )


def test_scale_and_offset_of_a_column_do_not_matter():
    present = np.stack([HAS_DOG, HAS_CAR], axis=1)
    stretched = with_dog(NOISE) * np.geomspace(0.01, 100, 20, dtype=np.float32) + 5
    plain, other = (cross_validate(v, present).words for v in (with_dog(NOISE), stretched))
    np.testing.assert_allclose(plain, other, atol=2e-3)


def test_more_columns_than_images_are_no_obstacle():
    wide = np.repeat(with_dog(NOISE), 30, axis=1)
    assert cross_validate(wide, HAS_DOG[:, None]).mean > 0.97


def test_encoders_are_ranked_on_the_same_images_and_words():
    fewer = as_features(NOISE[50:], IMAGE_IDS[50:])
    report = probe_encoders({"noise": fewer, "dogs": as_features(with_dog(NOISE))}, CAPTIONS)
    assert [encoder.name for encoder in report.encoders] == ["dogs", "noise"]
    content = report.to_json()
    assert content["num_images"] == 150
    assert set(content["words"]) == {"dog", "car"}  # of 150; the others are in most images
    best, area = next(iter(content["encoders"][0]["words"].items()))
    assert best == "dog"
    assert area > 0.9
    assert report.ranked_words(report.encoders[0])[0] == (best, area)


def test_constant_features_are_called_out_and_are_worth_nothing():
    constant = np.full((NUM_IMAGES, 8), 0.7) + np.linspace(0, 1e-9, 8)
    report = probe_encoders({"dead": as_features(constant)}, CAPTIONS)
    (encoder,) = report.encoders
    assert encoder.health.is_constant
    assert encoder.areas.mean == 0.5
    assert [warning.split(":")[0] for warning in encoder.health.warnings()] == ["constant"]


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        (np.outer(NOISE[:, 0], np.arange(1, 9)), "all 8 columns say nearly the same"),
        (np.full((NUM_IMAGES, 20), 900) + NOISE, "all vectors are parallel"),
        (np.full((NUM_IMAGES, 20), 12) + NOISE, "nearly collapsed"),
        (np.tile(NOISE[:10], (20, 1)), "collapsed: 5% as many different vectors as images"),
    ],
)
def test_collapsed_features_are_called_out(vectors, words):
    assert any(words in warning for warning in examine_features(np.float32(vectors)).warnings())


def test_sound_features_draw_no_warning():
    health = examine_features(np.maximum(NOISE, 0))
    assert list(health.warnings()) == []
    assert (health.width, health.num_constant, health.share_distinct) == (20, 0, 1.0)
    assert 15 < health.effective_dimension <= 20


def test_mean_cosine_is_the_mean_over_pairs():
    vectors = NOISE[:5]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = (unit @ unit.T)[~np.eye(5, dtype=bool)]
    assert examine_features(vectors).mean_cosine == pytest.approx(cosines.mean(), abs=1e-6)


def test_grids_are_pooled():
    class Grids:
        image_ids = ("1", "2")
        shapes = {"grid": (2, 2, 3)}  # noqa: RUF012 - a stand-in

        def read(self, kind, image_ids):
            return np.arange(12 * len(image_ids), dtype=np.float32).reshape(-1, 2, 2, 3)

    assert read_vectors(Grids(), ["1", "2"]).tolist() == [[4.5, 5.5, 6.5], [16.5, 17.5, 18.5]]


def test_too_few_common_images_and_slips():
    strange = as_features(NOISE, [f"lake/{n}" for n in range(NUM_IMAGES)])
    with pytest.raises(FeatureError, match=r"Only 0 images have captions .* strange 200; with"):
        probe_encoders({"strange": strange}, CAPTIONS)
    with pytest.raises(UsageError, match="two folds or more"):
        probe_encoders({"one": as_features(NOISE)}, CAPTIONS, num_folds=1)
