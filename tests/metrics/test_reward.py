"""The reward of self-critical training is pycocoevalcap's CIDEr-D and BLEU-4, on token ids."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocoevalcap.bleu.bleu_scorer import BleuScorer
from pycocoevalcap.cider.cider_scorer import CiderScorer

from captioner.errors import ScoreError
from captioner.metrics.ngrams import count_caption_ngrams, pad_captions
from captioner.metrics.reward import CaptionReward, RewardSettings, append_end
from captioner.text.tokens import TokenisedCaptions
from captioner.text.vocabulary import END, START

CIDER = RewardSettings(count_end=False)
BLEU = RewardSettings(count_end=False, cider=0.0, bleu=1.0)
LARGEST = 2**16 - 1

WORDS = st.lists(st.sampled_from([3, 4, 5, 6, LARGEST]), max_size=7)
REFERENCES = st.lists(WORDS.filter(bool), min_size=1, max_size=4)
PAIRS = st.lists(st.tuples(WORDS, REFERENCES), min_size=1, max_size=5)


def end(words):
    return np.array([*words, END], np.int32)


def spell(words, count_end):
    return " ".join(map(str, [*words, END] if count_end else words))


def reward_of(references, settings=CIDER):
    return CaptionReward([[end(words) for words in own] for own in references], settings)


def score(reward, hypotheses, images=None):
    images = range(len(hypotheses)) if images is None else images
    return reward.score(pad_captions([end(words) for words in hypotheses]), np.array(images))


def score_with_library(scorer, hypotheses, references, count_end):
    for words, own in zip(hypotheses, references, strict=True):
        scorer += (spell(words, count_end), [spell(reference, count_end) for reference in own])
    return scorer.compute_score()[1]


def human_like_captions(num_images=60, seed=0):
    """Captions of 3 to 20 words of a Zipfian vocabulary; those of one image share many words."""
    random = np.random.default_rng(seed)

    def draw(topic):
        words = np.minimum(random.zipf(1.3, random.integers(3, 21)) + 3, 4000)
        shared = random.random(len(words)) < 0.6
        return np.where(shared, np.resize(topic, len(words)), words).tolist()

    topics = [np.minimum(random.zipf(1.2, 20) + 3, 4000) for _ in range(num_images)]
    references = [[draw(topic) for _ in range(random.integers(1, 6))] for topic in topics]
    return [draw(topic) for topic in topics], references


@settings(deadline=None)
@given(PAIRS, st.booleans())
def test_cider_is_the_librarys(pairs, count_end):
    hypotheses, references = zip(*pairs, strict=True)
    ours = score(reward_of(references, RewardSettings(count_end)), hypotheses)
    theirs = score_with_library(CiderScorer(), hypotheses, references, count_end)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@settings(deadline=None)
@given(PAIRS)
def test_bleu_is_the_librarys(pairs):
    hypotheses, references = zip(*pairs, strict=True)
    scorer = BleuScorer(n=4)
    for words, own in pairs:
        scorer += (spell(words, False), [spell(reference, False) for reference in own])
    theirs = scorer.compute_score(option="closest")[1][3]
    np.testing.assert_allclose(score(reward_of(references, BLEU), hypotheses), theirs, rtol=1e-9)


@pytest.mark.parametrize("count_end", [False, True])
def test_captions_of_usual_length_score_as_in_the_library(count_end):
    hypotheses, references = human_like_captions()
    ours = score(reward_of(references, RewardSettings(count_end)), hypotheses)
    theirs = score_with_library(CiderScorer(), hypotheses, references, count_end)
    assert 0.1 < ours.mean() < 5
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


def test_weights_mix_cider_and_bleu():
    hypotheses, references = human_like_captions()
    mixed = RewardSettings(count_end=False, cider=0.5, bleu=2.0)
    cider, bleu = (score(reward_of(references, kind), hypotheses) for kind in (CIDER, BLEU))
    assert bleu.max() > 0.1
    together = score(reward_of(references, mixed), hypotheses)
    np.testing.assert_allclose(together, 0.5 * cider + 2 * bleu)


def test_document_frequencies_do_not_depend_on_what_is_scored():
    hypotheses, references = human_like_captions()
    reward = reward_of(references)
    together = score(reward, hypotheses)
    images = np.random.default_rng(1).permutation(np.repeat(np.arange(60), 3))
    shuffled = score(reward, [hypotheses[image] for image in images], images)
    np.testing.assert_allclose(shuffled, together[images], rtol=1e-12)
    for image in (0, 59):
        assert score(reward, [hypotheses[image]], [image]) == pytest.approx(together[image])


@settings(deadline=None)
@given(PAIRS, st.permutations([3, 4, 5, 6, LARGEST]))
def test_words_may_bear_any_id(pairs, renamed):
    names = dict(zip([3, 4, 5, 6, LARGEST], renamed, strict=True))
    hypotheses, references = zip(*pairs, strict=True)
    before = score(reward_of(references), hypotheses)
    references = [[[names[word] for word in words] for words in own] for own in references]
    hypotheses = [[names[word] for word in words] for words in hypotheses]
    np.testing.assert_allclose(score(reward_of(references), hypotheses), before, atol=1e-12)


def test_a_caption_equal_to_the_only_reference_scores_ten_and_one_without_its_words_nothing():
    reward = reward_of([[[4, 5, 6, 7]], [[8, 9, 10, 11]]])
    assert score(reward, [[4, 5, 6, 7], [4, 5, 6, 7], []], [0, 1, 0]) == pytest.approx([10, 0, 0])


def test_counting_the_end_rewards_the_caption_that_does_not_break_off():
    references = [[[4, 5, 6, 4, 7]], [[9, 8, 10, 11, 12]], [[13, 14, 15, 16, 17]]]
    broken, whole = [4, 5, 6, 4], [4, 5, 6, 4, 7]
    gains = {}
    for count_end in (False, True):
        one, other = score(
            reward_of(references, RewardSettings(count_end)), [broken, whole], [0, 0]
        )
        gains[count_end] = other - one
    assert gains[True] > gains[False] > 0


def test_whatever_follows_the_end_is_ignored_and_a_cut_caption_has_no_end():
    reward = reward_of([[[4, 5, 6, 7]], [[8, 9]]], RewardSettings())
    rows = np.array([[4, 5, END, 0, 0], [4, 5, END, 6, END], [4, 5, 0, 0, 0]])
    ended, with_rest, cut = reward.score(rows, np.zeros(3, int))
    assert ended == with_rest != cut


def test_images_without_references_and_without_hypotheses():
    reward = reward_of([[[4, 5]], [], [[6, 7]]])
    assert score(reward, [[4, 5], [4, 5]], [1, 0]) == pytest.approx([0, 5])
    assert reward.score(np.zeros((0, 5), np.int32), np.zeros(0, int)).shape == (0,)
    assert reward.score(np.zeros((2, 0), np.int32), np.zeros(2, int)).tolist() == [0, 0]


def test_references_come_from_tokenised_captions():
    rows = [[START, 4, 5, END], [START, 4, 6], [START, 7, 8, END]]
    captions = TokenisedCaptions(
        tokens=np.concatenate(rows).astype(np.int32),
        offsets=np.array([0, 4, 7, 11]),
        image_index=np.array([0, 0, 2], np.int32),
        image_ids=("a", "b", "c"),
        splits=("train", "train", "train"),
    )
    settings = RewardSettings(bleu=1.0)
    ours = CaptionReward.from_captions(captions, settings)
    by_hand = CaptionReward([[end([4, 5]), np.array([4, 6])], [], [end([7, 8])]], settings)
    rows = np.array([[4, 5, END], [4, 6, 7], [7, 8, END]])
    images = np.array([0, 0, 2])
    np.testing.assert_array_equal(ours.score(rows, images), by_hand.score(rows, images))


def test_captions_of_a_search_get_their_end_back():
    ids = np.array([[4, 5, 0], [4, 5, 6], [7, 8, 9]], np.int32)
    longer = append_end(ids, np.array([2, 3, 3]), np.array([True, True, False]))
    assert longer.tolist() == [[4, 5, END, 0], [4, 5, 6, END], [7, 8, 9, 0]]


def test_ngrams_are_counted_once_each():
    ngrams = count_caption_ngrams(np.array([[4, 4, 4, 0, 0], [0, 0, 0, 0, 0], [5, 0, 0, 0, 0]]))
    assert ngrams.captions_E.tolist() == [0, 0, 0, 2]
    assert ngrams.keys_E.tolist() == [4, 4 << 16 | 4, 4 << 32 | 4 << 16 | 4, 5]
    assert ngrams.counts_E.tolist() == [3, 2, 1, 1]
    assert ngrams.orders_E.tolist() == [0, 1, 2, 0]
    assert ngrams.lengths_C.tolist() == [3, 0, 1]


def test_ids_that_do_not_fit_are_named():
    with pytest.raises(ScoreError, match=r"0 to 65,535\. Received ids from 0 to 65,536"):
        reward_of([[[LARGEST + 1]]])


def test_no_references_at_all_are_an_error():
    with pytest.raises(ScoreError, match="none were given"):
        CaptionReward([[], []])
