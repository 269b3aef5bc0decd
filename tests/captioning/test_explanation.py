"""Captioner.explain: which places of an image each word comes from."""

import numpy as np
import pytest
from PIL import Image
from random_model import make_model

from captioner.captioning.captioner import Captioner
from captioner.captioning.occlusion import GREY, grey_places, measure_occlusion
from captioner.errors import ImageError, UsageError


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    noise_HWC = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    return Image.fromarray(noise_HWC)


@pytest.fixture(scope="module")
def attending(tmp_path_factory) -> Captioner:
    folder = make_model(tmp_path_factory.mktemp("attending"), kind="attention")
    return Captioner.load(folder, batch_size=2, precision="float32")


@pytest.fixture(scope="module")
def blind(tmp_path_factory) -> Captioner:
    """A model that reads a vector."""
    return Captioner.load(
        make_model(tmp_path_factory.mktemp("blind")), batch_size=10, precision="float32"
    )


def test_a_model_that_attends_says_where_it_looked(attending, photo):
    explanation = attending.explain(photo)
    assert explanation.caption == attending.caption(photo)
    assert " ".join(explanation.words) == explanation.caption.text
    assert (explanation.method, explanation.box) == ("attention", (0, 0, 1, 1))
    assert explanation.weights.shape == (len(explanation.words), 7, 7)
    np.testing.assert_allclose(explanation.weights.sum(axis=(1, 2)), 1, rtol=1e-5)


def test_any_other_says_what_its_words_depend_on(blind, photo):
    explanation = blind.explain(photo)
    assert explanation.caption == blind.caption(photo)
    assert explanation.method == "occlusion"
    assert explanation.weights.shape == (len(explanation.words), 7, 7)
    assert np.ptp(explanation.weights, axis=(1, 2)).min() > 0


def test_what_cannot_be_explained_is_told_as_for_a_caption(blind):
    with pytest.raises(ImageError, match="is empty"):
        blind.explain(b"")
    with pytest.raises(UsageError, match="num_beams=0"):
        blind.explain(np.zeros((8, 8, 3), np.uint8), beam=0)


def test_patches_grey_each_place_and_the_edge_of_its_neighbours():
    images = grey_places(np.zeros((14, 28, 3), np.uint8), 7)
    greyed_NHW = (images == GREY).all(axis=-1)
    assert greyed_NHW.shape == (49, 14, 28)
    assert greyed_NHW.sum(axis=0).min() > 0, "a pixel was never greyed"
    middle_HW = greyed_NHW[3 * 7 + 2]
    rows, columns = np.flatnonzero(middle_HW.any(axis=1)), np.flatnonzero(middle_HW.any(axis=0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (5, 8, 6, 13)


def test_occlusion_finds_the_place_that_a_word_comes_from(monkeypatch):
    """The word's log-probability is the brightness of one place; the other word's is constant."""

    def measure_words(_, brightness_N, tokens_T):
        likely_N = -np.log(300.0 - brightness_N)
        return np.stack([likely_N, np.full_like(likely_N, -2.0), likely_N], axis=1)

    monkeypatch.setattr("captioner.decoders.likelihood.measure_words", measure_words)
    image_HWC = np.zeros((70, 70, 3), np.uint8)
    image_HWC[52:58, 22:28] = 255  # within the place of row 5, column 2
    falls_TGG = measure_occlusion(
        lambda images: images[:, 52:58, 22:28].mean(axis=(1, 2, 3)),
        None,
        image_HWC,
        np.array([1, 4, 5, 2], np.int32),
    )
    assert falls_TGG.shape == (2, 7, 7)
    assert np.unravel_index(falls_TGG[0].argmax(), (7, 7)) == (5, 2)
    assert falls_TGG[0].max() == pytest.approx(np.log(300 - GREY) - np.log(45), rel=1e-5)
    assert (falls_TGG[1] == 0).all()
