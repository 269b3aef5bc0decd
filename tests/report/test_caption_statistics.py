from captioner.report.statistics import (
    count_statistics,
    list_most_used,
    list_overused,
    list_repeated,
    list_unsaid,
)

MODEL = count_statistics(["a dog runs"] * 4 + ["A dog, a dog!", ""])
PEOPLE = count_statistics(["A brown dog is running", "the dog runs", "a beach", "a beach"])


def test_captions_are_counted_after_normalisation():
    assert MODEL.num_captions == 6
    assert dict(MODEL.lengths) == {3: 4, 4: 1, 0: 1}
    assert dict(MODEL.words) == {"a": 6, "dog": 6, "runs": 4}
    assert MODEL.mean_length == 16 / 6
    assert MODEL.longest == 4


def test_shares_of_lengths_leave_no_length_out():
    assert MODEL.length_shares() == {0: 1 / 6, 1: 0.0, 2: 0.0, 3: 4 / 6, 4: 1 / 6}


def test_nothing_at_all_has_statistics():
    nothing = count_statistics([])
    assert (nothing.mean_length, nothing.longest, nothing.length_shares()) == (0.0, 0, {0: 0.0})


def test_words_are_listed_by_frequency_then_alphabet():
    assert [(use.word, use.count) for use in list_most_used(MODEL, 2)] == [("a", 6), ("dog", 6)]


def test_overused_words_are_told_with_their_ratio_and_rare_ones_left_out():
    dog, a = list_overused(MODEL, PEOPLE, 5)  # "runs" occurs four times only
    assert (dog.word, dog.count, dog.ratio) == ("dog", 6, (6 / 16) / (3 / 12))
    assert (a.word, a.ratio) == ("a", (6 / 16) / (4 / 12))


def test_words_that_the_model_never_says_are_listed():
    assert [use.word for use in list_unsaid(MODEL, PEOPLE, 2)] == ["beach", "brown"]


def test_captions_given_once_are_not_repeated():
    assert list_repeated(["a", "b", "a", "c", "c", "c"], 5) == [("c", 3), ("a", 2)]
