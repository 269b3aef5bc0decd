"""CIDEr-D and ROUGE-L are pycocoevalcap's, image by image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

from captioner.metrics import cider
from captioner.metrics.cider import score_cider, score_rouge_l

CAPTION = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=6)
REFERENCES = st.lists(CAPTION.filter(bool), min_size=1, max_size=3)
PAIRS = st.lists(st.tuples(CAPTION, REFERENCES), min_size=1, max_size=5)


@settings(deadline=None)
@given(PAIRS)
def test_values_are_the_librarys(pairs):
    hypotheses, references = zip(*pairs, strict=True)
    results = {i: [" ".join(words)] for i, words in enumerate(hypotheses)}
    truths = {i: [" ".join(words) for words in own] for i, own in enumerate(references)}
    for score, library in ((score_cider, Cider), (score_rouge_l, Rouge)):
        mean, per_image = library().compute_score(truths, results)
        ours = score(hypotheses, references)
        np.testing.assert_allclose(ours, per_image, rtol=1e-9, atol=1e-12)
        assert ours.mean() == pytest.approx(mean, abs=1e-9)


def test_a_perfect_caption_and_an_empty_one():
    references = [[["a", "dog", "runs", "fast"]], [["two", "men", "stand", "still"]]]
    scores = score_cider([["a", "dog", "runs", "fast"], []], references)
    assert scores == pytest.approx([10.0, 0.0])
    assert score_rouge_l([["a", "dog", "runs", "fast"], []], references).tolist() == [1.0, 0.0]


def test_more_words_than_numbers_are_scored_all_the_same(monkeypatch):
    hypotheses = [["a", "dog", "runs"], ["two", "men"]]
    references = [[["a", "dog", "runs", "fast"]], [["two", "men", "stand"], ["men"]]]
    expected = score_cider(hypotheses, references)
    monkeypatch.setattr(cider, "MAX_ID", 3)
    np.testing.assert_allclose(score_cider(hypotheses, references), expected, rtol=1e-9)
