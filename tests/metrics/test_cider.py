"""CIDEr-D and ROUGE-L are pycocoevalcap's, image by image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

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
        np.testing.assert_array_equal(ours, per_image)
        assert ours.mean() == pytest.approx(mean, abs=1e-12)


def test_a_perfect_caption_and_an_empty_one():
    references = [[["a", "dog", "runs", "fast"]], [["two", "men", "stand", "still"]]]
    cider = score_cider([["a", "dog", "runs", "fast"], []], references)
    assert cider == pytest.approx([10.0, 0.0])
    assert score_rouge_l([["a", "dog", "runs", "fast"], []], references).tolist() == [1.0, 0.0]
