"""From a caption as a person typed it to the words that are learned and scored.

Two schemes. "default" keeps what published scores keep: on English captions it equals
coco-caption's tokenisation, `re.findall(r"[a-z0-9]+", caption.lower())`, to 1e-4 in every score.
"tutorial" is the cleaning of the classic "caption generator from scratch" course.
"""

import functools
import re
import string
import unicodedata
from collections.abc import Callable, Iterable
from typing import Literal, get_args

from captioner.errors import UsageError

Scheme = Literal["default", "tutorial"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
SCHEMES_WITHOUT_UNKNOWN: tuple[Scheme, ...] = ("tutorial",)  # unknown words are left out
SYNONYMS: dict[str, Scheme] = {"brownlee": "tutorial"}

# Named in every score's signature: a change of the rules below must change these.
TOKENISERS: dict[Scheme, str] = {"default": "captioner-1", "tutorial": "tutorial-1"}

_ASCII_WORD = re.compile(r"[a-z0-9]+")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ZERO_WIDTH_SPACE = "\u200b"
# Scripts that put no space between words; every character counts as a word, as in BERT.
_UNSPACED = re.compile(
    "[\u3040-\u30fa\u30fd-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]"
)
_SENTINEL = re.compile(
    r"<\s*/?\s*(?:s|start|end|pad|unk|unknown|bos|eos|sos|startseq|endseq)\s*>"
    r"|(?<!\S)(?:startseq|endseq)(?!\S)",
    re.IGNORECASE,
)


def normalise(caption: str, scheme: str = "default") -> list[str]:
    """Splits a caption into normalised words.

    "default" lower-cases and keeps runs of letters and digits, one-letter words included. On
    ASCII text that is exactly `[a-z0-9]+`. In other languages a word is a run of letters, marks
    and digits of any script after Unicode NFKC; accents are kept ("café" is one word), and a
    Chinese character or Japanese kana, which no space sets apart, is a word of its own.

    "tutorial" (or "brownlee") splits at white space, lower-cases, deletes ASCII punctuation, and
    drops words of one letter and words that hold anything but letters.

    Args:
        caption: text as written; may be blank.
        scheme: a name of `SCHEMES`, or the synonym "brownlee".

    Returns:
        The words in order; an empty list when nothing is left.

    Raises:
        UsageError: `scheme` is unknown.

    Example:
        >>> normalise("A dog's ball, No. 7!")
        ['a', 'dog', 's', 'ball', 'no', '7']
        >>> normalise("A dog's ball, No. 7!", "tutorial")
        ['dogs', 'ball', 'no']
    """
    return _RULES[find_scheme(scheme)](caption)


def find_scheme(name: str) -> Scheme:
    """Returns the scheme that a name or synonym stands for.

    Raises:
        UsageError: the name is unknown.
    """
    name = SYNONYMS.get(name, name)
    for scheme in SCHEMES:
        if name == scheme:
            return scheme
    known = ", ".join([*SCHEMES, *SYNONYMS])
    raise UsageError(f"Caption scheme {name!r} is unknown. Known: {known}.")


def remove_sentinels(caption: str) -> tuple[str, int]:
    """Removes special tokens that a captioning program left in its text, before it is scored.

    Recognised are `startseq`, `endseq` and bracketed names such as `<start>`, `</s>` and `<unk>`.

    Returns:
        The text without them, and how many there were.
    """
    return _SENTINEL.subn(" ", caption)


def spell(words: Iterable[str]) -> str:
    """Writes words as one line: spaces between them, but none inside Chinese or Japanese."""
    text = ""
    for word in words:
        glued = not text or (_is_unspaced(text[-1]) and _is_unspaced(word[0]))
        text += word if glued else f" {word}"
    return text


def _split_default(caption: str) -> list[str]:
    if caption.isascii():
        return _ASCII_WORD.findall(caption.lower())
    folded = unicodedata.normalize("NFKC", _fold(_fold(caption)))
    words = "".join(map(_keep_or_space, folded)).split()
    return [word for word in words if any(map(str.isalnum, word))]


def _fold(text: str) -> str:
    visible = "".join(map(_drop_format, text))
    return unicodedata.normalize("NFKC", visible).lower()


@functools.cache
def _drop_format(character: str) -> str:
    """Deletes characters that only steer the layout, such as a soft hyphen inside a word."""
    is_format = unicodedata.category(character) == "Cf" and character != _ZERO_WIDTH_SPACE
    return "" if is_format else character


@functools.cache
def _keep_or_space(character: str) -> str:
    if _is_unspaced(character):
        return f" {character} "
    is_part = character.isalnum() or unicodedata.category(character).startswith("M")
    return character if is_part else " "


def _is_unspaced(character: str) -> bool:
    return _UNSPACED.fullmatch(character) is not None


def _split_tutorial(caption: str) -> list[str]:
    words = (word.lower().translate(_PUNCTUATION) for word in caption.split())
    return [word for word in words if len(word) > 1 and word.isalpha()]


_RULES: dict[Scheme, Callable[[str], list[str]]] = {
    "default": _split_default,
    "tutorial": _split_tutorial,
}
