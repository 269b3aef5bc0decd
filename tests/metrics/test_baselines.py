"""The baselines: each is the best of its kind, and deterministic."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captioner.errors import ScoreError
from captioner.metrics import baselines
from captioner.metrics.baselines import (
    choose_central_caption,
    choose_constant_caption,
    choose_nearest_captions,
    leave_one_out,
)
from captioner.metrics.bleu import count_ngrams
from captioner.metrics.pairs import pair_captions
from captioner.metrics.scores import score_captions
from captioner.text.normalisation import normalise

CAPTION = st.lists(st.sampled_from(["a", "dog", "runs", "the"]), min_size=1, max_size=7)
TRAINING = st.dictionaries(
    st.sampled_from("123456"), st.lists(CAPTION.map(" ".join), min_size=1, max_size=3), min_size=1
)


@settings(max_examples=50, deadline=None)
@given(TRAINING)
def test_the_constant_caption_is_the_best_of_all_training_captions(training):
    references = [[normalise(caption) for caption in own] for own in training.values()]

    def bleu_4(caption):
        return count_ngrams([normalise(caption)] * len(references), references).bleu[3]

    best = max(bleu_4(caption) for own in training.values() for caption in own)
    assert bleu_4(choose_constant_caption(training)) == pytest.approx(best, rel=1e-9)


def test_the_order_of_the_training_images_does_not_matter():
    training = {"1": ["a dog runs", "a cat sits"], "2": ["two men"], "3": ["a dog runs"]}
    turned = dict(reversed(training.items()))
    assert choose_constant_caption(training) == choose_constant_caption(turned) == "a dog runs"


def test_large_training_splits_are_thinned(monkeypatch):
    monkeypatch.setattr(baselines, "MAX_IMAGES", 2)
    training = {"1": ["the right one here"], "2": ["x"], "3": ["the right one here"], "4": ["x"]}
    assert choose_constant_caption(training) == "the right one here"


@pytest.mark.parametrize("training", [{}, {"1": []}, {"1": ["..."]}])
def test_no_training_captions_are_an_error(training):
    with pytest.raises(ScoreError, match="needs training captions, and there are none"):
        choose_constant_caption(training)


def test_the_neighbour_lends_its_most_central_caption():
    training = {
        "t1": ["zebra", "a dog runs", "a dog runs fast"],
        "t2": ["two men", "two men", "a boat"],
    }
    vectors = np.array([[0.0, 2.0], [3.0, 0.1], [1.0, 0.0]], dtype=np.float32)
    chosen = choose_nearest_captions(["a", "b", "c"], vectors, training, ["t1", "t2"], np.eye(2))
    assert chosen == {"a": "two men", "b": "a dog runs", "c": "a dog runs"}


def test_the_central_caption_of_one_is_that_one():
    assert choose_central_caption(["..."]) == "..."
    assert choose_central_caption(["A dog", "a DOG !", "zebra"]) == "A dog"


@pytest.mark.parametrize(
    ("image_ids", "vectors", "training_ids", "training"),
    [
        (["a"], np.ones((2, 3)), ["t"], np.ones((1, 3))),
        (["a"], np.ones((1, 3)), ["t", "u"], np.ones((1, 3))),
        (["a"], np.ones((1, 3)), ["t"], np.ones((1, 4))),
        (["a"], np.ones((1, 3)), [], np.ones((0, 3))),
        (["a"], np.ones(1), ["t"], np.ones(1)),
    ],
)
def test_features_that_do_not_fit_are_refused(image_ids, vectors, training_ids, training):
    with pytest.raises(
        ScoreError, match=rf"Received {len(image_ids)} images with vectors of shape"
    ):
        choose_nearest_captions(image_ids, vectors, {"t": ["x"]}, training_ids, training)


def test_each_caption_meets_the_others():
    rounds = leave_one_out({"1": ["a", "b", "c"], "2": ["d", "e"]})
    assert [own.hypotheses for own in rounds] == [{"1": "a", "2": "d"}, {"1": "b", "2": "e"}]
    assert rounds[1].references == {"1": ("a", "c"), "2": ("d",)}


@pytest.mark.parametrize("references", [{}, {"1": ["a"], "2": ["b", "c"]}])
def test_nobody_can_be_left_out_of_one(references):
    assert leave_one_out(references) == []


@pytest.fixture(scope="module")
def flickr8k_dev(flickr8k_folder):
    captions = {}
    for line in (flickr8k_folder / "Flickr8k.token.txt").read_text().splitlines():
        key, caption = line.split("\t")
        captions.setdefault(key.split("#")[0], []).append(caption)
    names = (flickr8k_folder / "Flickr_8k.devImages.txt").read_text().split()
    return {name: captions[name] for name in names}


@pytest.mark.flickr8k
def test_people_on_flickr8k_score_as_published(flickr8k_dev):
    # Published for the test split: 64.7 / 45.7 / 31.4 / 21.4; this is the dev split.
    bleu = []
    for own in leave_one_out(flickr8k_dev):
        pairs = pair_captions(own.hypotheses, own.references, "default")
        assert {len(references) for references in pairs.references} == {4}
        bleu.append(count_ngrams(pairs.hypotheses, pairs.references).bleu)
    assert len(bleu) == 5
    mean = 100 * np.mean(bleu, axis=0)
    assert mean == pytest.approx([64.7, 45.7, 31.4, 21.4], abs=0.6)


@pytest.mark.flickr8k
def test_one_caption_for_all_of_flickr8k_scores_a_third_of_a_model(flickr8k_dev):
    caption = choose_constant_caption(flickr8k_dev)
    scores = score_captions(dict.fromkeys(flickr8k_dev, caption), flickr8k_dev)
    assert 0.07 < scores.bleu[3] < 0.10
    assert scores.cider < 0.10
