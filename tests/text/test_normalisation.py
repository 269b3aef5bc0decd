"""Normalisation: the ASCII rule, other languages, the course's cleaning."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from captioner.errors import UsageError
from captioner.text.normalisation import (
    SCHEMES,
    find_scheme,
    normalise,
    remove_sentinels,
    spell,
)

ASCII = st.text(st.characters(max_codepoint=127))


@pytest.mark.parametrize(
    ("caption", "default", "tutorial"),
    [
        ("A dog runs .", ["a", "dog", "runs"], ["dog", "runs"]),
        ("Two-year-old's 3 T-shirts", ["two", "year", "old", "s", "3", "t", "shirts"],
         ["twoyearolds", "tshirts"]),
        ("  \t\n", [], []),
        ("!?.", [], []),
        ("I", ["i"], []),
        ("snake_case", ["snake", "case"], ["snakecase"]),
        ("No. 7 b4", ["no", "7", "b4"], ["no"]),
    ],
)  # fmt: skip
def test_schemes_on_english(caption, default, tutorial):
    assert normalise(caption) == default
    assert normalise(caption, "tutorial") == tutorial


@settings(deadline=None)
@given(ASCII)
def test_default_is_the_published_rule_on_ascii(caption):
    assert normalise(caption) == re.findall(r"[a-z0-9]+", caption.lower())


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("Ein Mädchen läßt los", ["ein", "mädchen", "läßt", "los"]),
        ("Cafe\u0301 olé", ["café", "olé"]),  # a combining accent joins its letter
        ("Собака бежит.", ["собака", "бежит"]),
        ("कुत्ता दौड़ रहा है।", ["कुत्ता", "दौड़", "रहा", "है"]),  # vowel signs are marks
        ("كلب يجري ٣", ["كلب", "يجري", "٣"]),
        ("می\u200cدود", ["میدود"]),  # a zero-width non-joiner is layout
        ("จะ\u200bไป", ["จะ", "ไป"]),  # a zero-width space divides
        ("一只狗在跑", ["一", "只", "狗", "在", "跑"]),
        ("犬がラーメン", ["犬", "が", "ラ", "ー", "メ", "ン"]),
        ("FULL \uff37\uff29\uff24\uff34\uff28", ["full", "width"]),
        ("man\u2019s \u201chat\u201d", ["man", "s", "hat"]),
        ("co\u00adoperate", ["cooperate"]),
        ("\u0301", []),  # an accent alone is no word
    ],
)  # fmt: skip
def test_default_in_other_languages(caption, words):
    assert normalise(caption) == words


@settings(deadline=None)
@given(st.text(), st.sampled_from(SCHEMES))
@example("İstanbul ΣΑΣ ǅ ﬁ ½", "default")
@example("a\u00ad\u0301", "default")
def test_normalising_twice_changes_nothing(caption, scheme):
    words = normalise(caption, scheme)
    assert normalise(" ".join(words), scheme) == words


@settings(deadline=None)
@given(st.text(), st.sampled_from(SCHEMES))
def test_words_hold_no_white_space_and_are_not_empty(caption, scheme):
    words = normalise(caption, scheme)
    assert " ".join(words).split() == words


def test_brownlee_is_the_tutorial():
    assert find_scheme("brownlee") == "tutorial"
    assert normalise("A 2nd dog", "brownlee") == ["dog"]


def test_unknown_scheme_is_named():
    with pytest.raises(UsageError, match=r"'ptb' is unknown\. Known: default, tutorial, brownlee"):
        normalise("a dog", "ptb")


@pytest.mark.parametrize(
    ("caption", "text", "removed"),
    [
        ("startseq a dog endseq", "a dog", 2),
        ("<start> a <UNK> dog </s>", "a dog", 3),
        ("< s > a dog<end>", "a dog", 2),
        ("a dog starts", "a dog starts", 0),
        ("the restartseq", "the restartseq", 0),
        ("a < b", "a < b", 0),
    ],
)
def test_sentinels_leave_the_text(caption, text, removed):
    cleaned, count = remove_sentinels(caption)
    assert (" ".join(cleaned.split()), count) == (text, removed)


@pytest.mark.parametrize("text", ["a dog runs", "一只狗在跑", "собака бежит", "2 只狗", "a", ""])
def test_spelling_undoes_the_split(text):
    assert spell(normalise(text)) == text
