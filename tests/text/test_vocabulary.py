"""Vocabulary: ids, exact round trips, and files that lie."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captioner.errors import VocabularyError
from captioner.text.vocabulary import END, PAD, START, UNKNOWN, Vocabulary

CAPTIONS = [["a", "dog", "runs"], ["a", "dog"], ["a", "cat"]]
WORDS = st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=6)
WORD_LISTS = st.lists(st.lists(WORDS, min_size=1, max_size=8), min_size=1, max_size=8)


def test_words_are_ordered_by_count_then_word():
    vocabulary = Vocabulary.build(CAPTIONS)
    assert vocabulary.words == ("a", "dog", "cat", "runs")
    assert vocabulary.counts == (3, 2, 1, 1)
    assert len(vocabulary) == 4 + 4
    assert vocabulary.encode(["a", "cat"]).tolist() == [START, 4, 6, END]


def test_rare_words_are_unknown():
    vocabulary = Vocabulary.build(CAPTIONS, min_count=2)
    ids = vocabulary.encode(["a", "zebra", "dog"])
    assert ids.dtype == np.int32
    assert ids.tolist() == [START, 4, UNKNOWN, 5, END]
    assert "cat" not in vocabulary
    assert vocabulary.decode(ids) == ["a", "dog"]


def test_tutorial_drops_unknown_words_and_has_no_token_for_them():
    vocabulary = Vocabulary.build(CAPTIONS, scheme="tutorial", min_count=2)
    assert len(vocabulary) == 3 + 2
    assert vocabulary.encode(["a", "zebra", "dog"]).tolist() == [START, 3, 4, END]


@pytest.mark.parametrize("scheme", ["default", "tutorial"])
@settings(deadline=None)
@given(captions=WORD_LISTS)
def test_known_words_come_back_exactly(captions, scheme):
    vocabulary = Vocabulary.build(captions, scheme=scheme)
    for words in captions:
        assert vocabulary.decode(vocabulary.encode(words)) == words


@settings(deadline=None)
@given(captions=WORD_LISTS, min_count=st.integers(1, 3))
def test_json_comes_back_exactly(captions, min_count):
    try:
        vocabulary = Vocabulary.build(captions, min_count=min_count)
    except VocabularyError:
        return
    again = Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json())))
    assert again == vocabulary
    assert again.digest == vocabulary.digest


def test_decoding_stops_at_the_end_and_shows_no_special_token():
    vocabulary = Vocabulary.build(CAPTIONS)
    assert vocabulary.decode([PAD, START, 4, UNKNOWN, 5, END, 6, 7]) == ["a", "dog"]
    assert vocabulary.decode(np.array([4, 5])) == ["a", "dog"]
    assert vocabulary.decode([]) == []


@pytest.mark.parametrize("id_", [-1, 8])
def test_foreign_ids_are_refused(id_):
    with pytest.raises(VocabularyError, match=f"Token id {id_} .* ids go from 0 to 7"):
        Vocabulary.build(CAPTIONS).decode([4, id_])


def test_words_that_look_like_special_tokens_are_words():
    look_alikes = ["startseq", "endseq", "<unk>", "<pad>", "<start>", "<end>", "0", "3"]
    vocabulary = Vocabulary.build([look_alikes])
    ids = vocabulary.encode(look_alikes)
    assert ids[1:-1].min() > UNKNOWN
    assert vocabulary.decode(ids) == look_alikes


def test_the_order_of_captions_does_not_matter():
    assert Vocabulary.build(CAPTIONS) == Vocabulary.build(CAPTIONS[::-1])
    assert hash(Vocabulary.build(CAPTIONS)) == hash(Vocabulary.build(CAPTIONS[::-1]))


def test_the_digest_is_pinned():
    # Fingerprints of trained decoders hold this digest: a change must be on purpose.
    assert Vocabulary.build(CAPTIONS).digest.startswith("db2f106dc7eef800")
    assert Vocabulary.build(CAPTIONS, min_count=2).digest != Vocabulary.build(CAPTIONS).digest


def test_files_come_back(tmp_path):
    vocabulary = Vocabulary.build([["café", "犬"], ["café"]], min_count=1)
    vocabulary.save(tmp_path / "vocabulary.json")
    assert Vocabulary.load(tmp_path / "vocabulary.json") == vocabulary


def damage(**changes):
    return {**Vocabulary.build(CAPTIONS).to_json(), **changes}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([], "no vocabulary of captioner"),
        ({"words": ["a"]}, "no vocabulary of captioner"),
        (damage(version=2), "version 2; this captioner reads version 1"),
        (damage(scheme="ptb"), "scheme 'ptb' is unknown"),
        (damage(min_count=0), "`min_count` must be 1 or more, not 0"),
        (damage(words=None), "list of words is missing"),
        (damage(words=["a"]), "1 words, but 4 counts"),
        (damage(words=["a", "a", "b", "c"]), "'a' stands in the vocabulary twice"),
        (damage(words=["a", "b c", "d", "e"]), "'b c' is not a word"),
        (damage(words=["a", "", "d", "e"]), "'' is not a word"),
        (damage(words=["a", 7, "d", "e"]), "7 is not a word"),
        (damage(counts=[3, 2, 1, 0]), "count of 'runs' must be 1 or more, not 0"),
        (damage(counts=[3, 2, True, 1]), "count of 'cat' must be 1 or more, not True"),
    ],
)
def test_damaged_files_are_refused(tmp_path, record, message):
    path = tmp_path / "vocabulary.json"
    path.write_text(json.dumps(record))
    with pytest.raises(VocabularyError, match=message) as caught:
        Vocabulary.load(path)
    assert str(caught.value).startswith(str(path))
    assert "tokenize" in str(caught.value)


def test_truncated_and_missing_files_are_refused(tmp_path):
    path = tmp_path / "vocabulary.json"
    with pytest.raises(VocabularyError, match="cannot be read: No such file"):
        Vocabulary.load(path)
    path.write_text('{"format": "captioner-voc')
    with pytest.raises(VocabularyError, match="Run the tokenize stage again"):
        Vocabulary.load(path)


def test_impossible_counts_are_refused():
    with pytest.raises(VocabularyError, match="min_count=0"):
        Vocabulary.build(CAPTIONS, min_count=0)
    with pytest.raises(VocabularyError, match=r"seen 9 times or more .* hold 4 different words"):
        Vocabulary.build(CAPTIONS, min_count=9)
