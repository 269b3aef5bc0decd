import pytest

from captioner.decoding.settings import SearchSettings
from captioner.errors import UsageError


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_beams": 0}, "num_beams=0, expected 1 or more"),
        ({"num_captions": 0}, "num_captions=0, expected 1 or more"),
        ({"num_beams": 2, "num_captions": 3}, "num_captions=3 is more than the 2 that beam keeps"),
        ({"method": "greedy", "num_captions": 2}, "num_captions=2 is more than the 1 that greedy"),
        ({"max_length": 0}, "max_length=0, expected 1 or more words"),
        ({"length_exponent": -1.0}, r"length_exponent=-1\.0, expected a number of 0 or more"),
        ({"length_exponent": float("nan")}, "length_exponent=nan"),
        ({"temperature": 0.0}, r"temperature=0\.0, expected a number above 0"),
        ({"top_k": -1}, "top_k=-1, expected 0 .all words. or more"),
        ({"top_p": 0.0}, r"top_p=0\.0, expected a number above 0, up to 1"),
        ({"lookahead": 0}, "lookahead=0, expected 1 or more tokens, or None"),
        ({"no_repeat_ngram": -1}, "no_repeat_ngram=-1, expected 0 .off. or more words"),
        ({"never_last": (4, -2)}, r"never_last=\(4, -2\), expected token ids"),
        ({"num_groups": 2}, "num_groups=2, expected a number that divides num_beams=3"),
        ({"num_groups": 0}, "num_groups=0, expected a number that divides"),
        ({"diversity": -0.5}, r"diversity=-0\.5, expected a number of 0 or more"),
        ({"method": "best"}, "method='best' is none of beam, greedy, sample"),
    ],
)
def test_a_value_out_of_range_is_named(values, message):
    with pytest.raises(UsageError, match=message):
        SearchSettings(**values)


def test_all_faults_arrive_together():
    with pytest.raises(UsageError, match=r"num_beams=-1.*max_length=0"):
        SearchSettings(num_beams=-1, max_length=0)
