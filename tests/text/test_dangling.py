"""Which words no caption ends with, by the language of the vocabulary."""

from captioner.text.dangling import find_dangling_ids, find_dangling_words
from captioner.text.vocabulary import Vocabulary


def vocabulary_of(*captions):
    return Vocabulary.build(caption.split() for caption in captions)


def test_english_words_that_announce_a_noun():
    vocabulary = vocabulary_of("a dog runs in the snow with a ball", "people look on")
    assert set(find_dangling_words(vocabulary)) == {"a", "in", "the", "with"}
    ids = find_dangling_ids(vocabulary)
    assert set(vocabulary.decode(ids)) == {"a", "in", "the", "with"}


def test_the_language_is_the_one_spoken_most():
    german = vocabulary_of("ein hund läuft mit einem ball durch den schnee", "hunde in a box")
    assert set(find_dangling_words(german)) == {"ein", "mit", "einem", "durch", "den", "in"}
    french = vocabulary_of("un chien court dans la neige avec une balle")
    assert set(find_dangling_words(french)) == {"un", "dans", "la", "avec", "une"}


def test_a_language_nobody_listed_has_none():
    assert find_dangling_words(vocabulary_of("狗 在 雪 里 跑")) == ()
