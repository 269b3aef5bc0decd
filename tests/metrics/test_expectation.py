"""What people can be expected to say, learnt by reduced-rank regression."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from captioner.errors import DecoderError, ScoreError
from captioner.metrics.expectation import MIN_IMAGES, RIDGE, Expectation, average_places
from captioner.metrics.feature_scale import FeatureScale
from captioner.text.tokens import TokenisedCaptions
from captioner.text.vocabulary import END, START

DOG, BOY, SOMETHING = [4, 5, 6, 7], [4, 8, 9, 10, 11], [4, 12, 13]


def tokenised(captions_by_image):
    rows = [np.array([START, *words, END], np.int32) for own in captions_by_image for words in own]
    counts = [len(own) for own in captions_by_image]
    return TokenisedCaptions(
        tokens=np.concatenate(rows),
        offsets=np.cumsum([0, *map(len, rows)]),
        image_index=np.repeat(np.arange(len(counts)), counts).astype(np.int32),
        image_ids=tuple(str(index) for index in range(len(counts))),
        splits=("train",) * len(counts),
    )


@pytest.fixture
def vectors():
    return np.random.default_rng(0).gamma(1.0, size=(60, 8)).astype(np.float32)


@pytest.fixture
def captions(vectors):
    """People say "dog" where the first feature is large, and "boy" elsewhere, or something."""
    is_dog = vectors[:, 0] > 0.7
    return tokenised([[DOG, DOG] if dog else [BOY, BOY, SOMETHING] for dog in is_dog.tolist()])


def test_at_full_rank_it_is_scikit_learns_ridge_regression(captions, vectors):
    learnt = Expectation.learn(captions, vectors)
    features = FeatureScale.learn(vectors)(vectors)
    boys = np.where(vectors[:, 0] > 0.7, 0, 2 / 3)
    library = Ridge(alpha=RIDGE, fit_intercept=False).fit(features, boys - boys.mean())
    column = int(np.flatnonzero(learnt.keys_G == 8)[0])
    foretold = features @ learnt.map_FR @ learnt.table_GR[column] + learnt.mean_G[column]
    np.testing.assert_allclose(foretold, library.predict(features) + boys.mean(), atol=1e-5)


def test_captions_of_what_is_to_be_seen_agree_more(captions, vectors):
    learnt = Expectation.learn(captions, vectors, rank=2)
    assert learnt.map_FR.shape == (8, 2)
    dog, boy = np.argmax(vectors[:, 0]), np.argmin(vectors[:, 0])
    words = np.array([[*DOG, 0], BOY] * 2)
    seen = learnt.score(words, vectors[[dog, boy]], np.array([0, 0, 1, 1]))
    for scores in seen:
        assert scores[0] > scores[1]
        assert scores[3] > scores[2]
    assert 0 <= seen.precision_H.min() <= seen.precision_H.max() <= 4


def test_words_that_nobody_uses_are_expected_of_nobody(captions, vectors):
    learnt = Expectation.learn(captions, vectors)
    unknown = learnt.score(np.array([[50, 51, 52]]), vectors[:1], np.zeros(1, int))
    assert unknown.cider_H == unknown.precision_H == 0
    nothing = learnt.score(np.zeros((0, 0), int), vectors[:0], np.zeros(0, int))
    assert len(nothing.cider_H) == 0


def test_rare_n_grams_are_left_out(captions, vectors):
    rare = [[*DOG, 30] for _ in range(MIN_IMAGES - 1)]
    frequent = [[*DOG, 31] for _ in range(MIN_IMAGES)]
    learnt = Expectation.learn(tokenised([[words] for words in rare + frequent]), vectors[:19])
    assert 31 in learnt.keys_G
    assert 30 not in learnt.keys_G


def test_a_file_gives_back_what_was_written(captions, vectors, tmp_path):
    learnt = Expectation.learn(captions, vectors)
    learnt.save(tmp_path / "expectation.npz")
    words, images = np.array([[*DOG, 0], BOY]), np.array([0, 1])
    for ours, theirs in zip(
        Expectation.load(tmp_path / "expectation.npz", vectors.shape[1]).score(
            words, vectors[:2], images
        ),
        learnt.score(words, vectors[:2], images),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, atol=0.02)


@pytest.mark.parametrize("damage", ["torn", "empty", "absent", "later", "names"])
def test_a_file_that_cannot_be_used_is_said_so(captions, vectors, tmp_path, damage):
    path = tmp_path / "expectation.npz"
    learnt = Expectation.learn(captions, vectors)
    learnt.save(path)
    if damage == "torn":
        path.write_bytes(path.read_bytes()[:-200])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "absent":
        path.unlink()
    elif damage == "names":
        np.savez(path, version=np.array(1))
    else:
        with np.load(path) as file:
            np.savez(path, **{**file, "version": np.array(2)})
    with pytest.raises(DecoderError, match=r"expectation\.npz (cannot be read|is of version 2)"):
        Expectation.load(path, vectors.shape[1])


def test_a_file_of_other_features_or_sizes_is_said_so(captions, vectors, tmp_path):
    path = tmp_path / "expectation.npz"
    Expectation.learn(captions, vectors).save(path)
    num_features = vectors.shape[1]
    with pytest.raises(DecoderError, match=rf"mean_F is float32 \({num_features},\), not"):
        Expectation.load(path, num_features + 1)
    with np.load(path) as file:
        arrays = dict(file)
    for name in arrays.keys() - {"version"}:
        for damaged in (arrays[name][None], arrays[name].astype(complex), np.array("x")):
            np.savez(path, **{**arrays, name: damaged})
            with pytest.raises(DecoderError, match=f"does not fit the model: .*{name} is"):
                Expectation.load(path, num_features)


def test_too_little_to_learn_from_is_refused(captions, vectors):
    with pytest.raises(ScoreError, match="Received 3 features for 60 images"):
        Expectation.learn(captions, vectors[:3])
    with pytest.raises(ScoreError, match="Train on more images"):
        Expectation.learn(captions.restrict("01"), vectors[:2])


def test_grids_count_as_their_mean():
    grids = np.arange(48, dtype=np.float32).reshape(2, 2, 3, 4)
    np.testing.assert_allclose(average_places(grids), grids.mean(axis=(1, 2)))
    np.testing.assert_array_equal(average_places(grids[:, 0, 0]), grids[:, 0, 0])
