"""How captions are searched for: the method, its width, its limits."""

import math
import operator
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from captioner.errors import UsageError

Method = Literal["beam", "greedy", "sample"]


@dataclass(frozen=True)
class SpecialTokens:
    """The ids that are no words.

    Captions start with `start` and end with `end`; no search ever puts `padding`, `start` or
    `unknown` into one. `unknown` is None where every id above `end` is a word.
    """

    padding: int = 0
    start: int = 1
    end: int = 2
    unknown: int | None = 3

    @property
    def never_said(self) -> tuple[int, ...]:
        """The ids that no caption holds; the end token stands behind one."""
        always = (self.padding, self.start)
        return always if self.unknown is None else (*always, self.unknown)


_WHOLE_NUMBERS = (
    "num_beams",
    "num_captions",
    "max_length",
    "no_repeat_ngram",
    "num_groups",
    "top_k",
    "seed",
)


def _read_whole_number(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


@dataclass(frozen=True)
class SearchSettings:
    """Settings of one search; they decide its result and belong beside every score.

    Args:
        method: "beam"; "greedy", which is a beam of one; or "sample".
        num_beams: partial captions kept after each word, 1 or more; used by "beam" alone.
        num_captions: captions returned for each image, best first: at most `num_beams` for
            "beam", exactly 1 for "greedy", any number for "sample".
        max_length: words in a caption, 1 or more; what is longer is cut there.
        length_exponent: captions are ranked by log P / tokens ** length_exponent (Wu et al.
            2016, arXiv:1609.08144, in its simplest form). 0 ranks by probability, which
            favours short captions. One beam compares nothing, so it has no effect there.
        lookahead: for "beam": an image's search is over when no caption that still grows could
            win within so many tokens, all of them certain; 1 or more. None waits for all that
            might ever win, up to the longest caption: exact, and slow where long captions are
            favoured, as no word costs nothing in the end.
        no_repeat_ngram: no n words in a row stand in a caption twice; 0 lets them.
        no_stutter: whether a word may not stand directly behind itself.
        never_last: ids of words that no caption ends with, such as "a" and "with".
        num_groups: for "beam": groups that the beams are split into; more than 1 is diverse beam
            search (Vijayakumar et al. 2016, arXiv:1610.02424), for several different captions.
        diversity: for several groups: what a word that an earlier group has just chosen loses
            of its log-probability, 0 or more; captions are ranked by their true ones.
        temperature: for "sample"; above 0; below 1 sharpens the distribution, above flattens.
        top_k: for "sample"; draw among that many likeliest words; 0 means among all.
        top_p: for "sample"; draw among the likeliest words that together have this probability
            (Holtzman et al. 2020, arXiv:1904.09751); above 0; 1 means among all.
        seed: for "sample".

    Raises:
        UsageError: a value is outside its range; the message says which and what it was.
    """

    method: Method = "beam"
    num_beams: int = 3
    num_captions: int = 1
    max_length: int = 30
    length_exponent: float = 0.8
    lookahead: int | None = None
    no_repeat_ngram: int = 0
    no_stutter: bool = False
    never_last: tuple[int, ...] = ()
    num_groups: int = 1
    diversity: float = 0.5
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        faults = list(self._read_whole_numbers())
        faults = faults or [text for is_wrong, text in self._checks() if is_wrong]
        if faults:
            raise UsageError("Captions cannot be searched for like this: " + "; ".join(faults))

    @property
    def width(self) -> int:
        """Partial captions that an image has at a time."""
        return {"beam": self.num_beams, "greedy": 1, "sample": self.num_captions}[self.method]

    @property
    def group_size(self) -> int:
        """Beams of a group."""
        return self.num_beams // self.num_groups

    @property
    def rank_exponent(self) -> float:
        """The length exponent that ranks captions; 0 where there is but one to rank."""
        return self.length_exponent if self.width > 1 else 0.0

    @property
    def rules(self) -> tuple[str, ...]:
        """The names of the rules that captions keep, as a score's signature has them."""
        rules = {
            f"{self.no_repeat_ngram}grams-once": self.no_repeat_ngram > 0,
            "no-stutter": self.no_stutter,
            "no-dangling": bool(self.never_last),
        }
        return tuple(name for name, is_on in rules.items() if is_on)

    def _read_whole_numbers(self) -> Iterator[str]:
        """Makes NumPy's whole numbers Python's, and yields what is none; a bool is none here."""
        for name in _WHOLE_NUMBERS:
            value = getattr(self, name)
            whole = _read_whole_number(value)
            if whole is None:
                yield f"{name}={value!r}, expected a whole number."
            object.__setattr__(self, name, whole)
        if self.lookahead is not None and _read_whole_number(self.lookahead) is None:
            yield f"lookahead={self.lookahead!r}, expected a whole number or None."
        if None in map(_read_whole_number, self.never_last):
            yield f"never_last={self.never_last!r}, expected whole numbers."

    def _checks(self) -> list[tuple[bool, str]]:
        at_most = {"beam": self.num_beams, "greedy": 1}.get(self.method, self.num_captions)
        methods = ", ".join(get_args(Method))
        return [
            (self.method not in get_args(Method), f"method={self.method!r} is none of {methods}."),
            (self.num_beams < 1, f"num_beams={self.num_beams}, expected 1 or more."),
            (self.num_captions < 1, f"num_captions={self.num_captions}, expected 1 or more."),
            (
                self.num_captions > at_most >= 1,
                f"num_captions={self.num_captions} is more than the {at_most} that "
                f"{self.method} keeps; raise num_beams or ask for fewer.",
            ),
            (self.max_length < 1, f"max_length={self.max_length}, expected 1 or more words."),
            (
                not 0 <= self.length_exponent < math.inf,
                f"length_exponent={self.length_exponent}, expected a number of 0 or more.",
            ),
            *self._rule_checks(),
            *self._group_checks(),
            (
                not 0 < self.temperature < math.inf,
                f"temperature={self.temperature}, expected a number above 0.",
            ),
            (self.top_k < 0, f"top_k={self.top_k}, expected 0 (all words) or more."),
            (not 0 < self.top_p <= 1, f"top_p={self.top_p}, expected a number above 0, up to 1."),
        ]

    def _rule_checks(self) -> list[tuple[bool, str]]:
        return [
            (
                self.lookahead is not None and self.lookahead < 1,
                f"lookahead={self.lookahead}, expected 1 or more tokens, or None.",
            ),
            (
                self.no_repeat_ngram < 0,
                f"no_repeat_ngram={self.no_repeat_ngram}, expected 0 (off) or more words.",
            ),
            (
                any(token < 0 for token in self.never_last),
                f"never_last={self.never_last}, expected token ids of 0 or more.",
            ),
        ]

    def _group_checks(self) -> list[tuple[bool, str]]:
        return [
            (
                self.num_groups < 1 or self.num_beams % max(self.num_groups, 1) != 0,
                f"num_groups={self.num_groups}, expected a number that divides "
                f"num_beams={self.num_beams}.",
            ),
            (
                not 0 <= self.diversity < math.inf,
                f"diversity={self.diversity}, expected a number of 0 or more.",
            ),
        ]
