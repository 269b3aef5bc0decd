"""Captions compared with all references at once, as CIDEr-D compares them one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from captioner.errors import ScoreError
from captioner.metrics.ngrams import count_caption_ngrams, pad_captions
from captioner.metrics.reference_index import ReferenceIndex
from captioner.metrics.weighted_references import WeightedReferences

# Few words and long captions, so that n-grams come twice in one.
captions = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=9), min_size=1, max_size=6)


@given(st.lists(captions, min_size=1, max_size=5), captions, st.data())
def test_the_sum_over_images_is_that_of_cider_image_by_image(references, hypotheses, data):
    images_C = np.repeat(np.arange(len(references)), [len(own) for own in references])
    counted = count_caption_ngrams(pad([words for own in references for words in own]))
    weights = data.draw(
        st.lists(st.floats(-1, 1), min_size=len(references), max_size=len(references))
    )
    ngrams = count_caption_ngrams(pad([*hypotheses, [5, 6]]))  # and words that none knows
    index = ReferenceIndex(counted, images_C, len(references))
    each_TH = [
        index.score_cider(index.look_up(ngrams, np.full(len(ngrams.lengths_C), image)))
        for image in range(len(references))
    ]
    ours, _ = WeightedReferences(counted, images_C, len(references)).score(
        ngrams, np.array(weights)
    )
    np.testing.assert_allclose(ours, np.array(weights) @ each_TH, atol=1e-5)


def test_shares_are_those_of_captions_that_hold_an_n_gram():
    """Two captions of an image that weighs .6 and one of an image that weighs .4."""
    counted = count_caption_ngrams(pad([[1, 2], [1, 1], [1, 3]]))
    references = WeightedReferences(counted, np.array([0, 0, 1]), 2)
    ngrams = count_caption_ngrams(pad([[1, 2], [3, 9]]))
    _, shares = references.score(ngrams, np.array([0.6, 0.4]))
    # In the order of keys: 1, 2 and "1 2", then 3, 9 and "3 9".
    np.testing.assert_allclose(shares, [1.0, 0.3, 0.3, 0.4, 0.0, 0.0], atol=1e-7)


def test_an_image_without_captions_says_nothing():
    counted = count_caption_ngrams(pad([[1, 2, 3], [4, 5]]))
    with_it = WeightedReferences(counted, np.array([0, 2]), 3)
    ngrams = count_caption_ngrams(pad([[1, 2, 3]]))
    score, _ = with_it.score(ngrams, np.array([0.5, 0.5, 0.0]))
    all_of_it, _ = with_it.score(ngrams, np.array([1.0, 0.0, 0.0]))
    np.testing.assert_allclose(score, all_of_it / 2)


def test_no_references_are_refused():
    with pytest.raises(ScoreError, match="none were given"):
        WeightedReferences(count_caption_ngrams(np.zeros((0, 0), int)), np.zeros(0, int), 0)


def pad(rows):
    return pad_captions([np.array(row) for row in rows])
