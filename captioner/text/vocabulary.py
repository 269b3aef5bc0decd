"""The words a decoder knows, and the integers that stand for them.

Special tokens are ids, never words: no caption can spell one, so none can collide with them.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from captioner.errors import VocabularyError
from captioner.files import parse_json, write_json
from captioner.text.normalisation import SCHEMES, SCHEMES_WITHOUT_UNKNOWN, find_scheme

PAD, START, END, UNKNOWN = 0, 1, 2, 3

FORMAT = "captioner-vocabulary"
VERSION = 1


class Vocabulary:
    """Words and their ids: 0 padding, 1 start, 2 end, 3 unknown, then the words.

    The `tutorial` scheme has no unknown token, its words begin at 3, and words that are not
    known are left out of a caption, as the course's Keras `Tokenizer` did.

    Args:
        words: the words in order of their ids, each once.
        counts: how often each word occurs in the training captions, at least 1.
        scheme: the normalisation that made the words.
        min_count: the count from which a word was kept.

    Raises:
        VocabularyError: a word is doubled, blank or holds white space, or the counts do not fit.

    Example:
        >>> vocabulary = Vocabulary.build([["a", "dog"], ["a", "cat"]])
        >>> vocabulary.encode(["a", "dog"])
        array([1, 4, 6, 2], dtype=int32)
        >>> vocabulary.decode([1, 4, 6, 2])
        ['a', 'dog']
    """

    def __init__(
        self,
        words: Sequence[str],
        counts: Sequence[int],
        *,
        scheme: str = "default",
        min_count: int = 1,
    ) -> None:
        self.words = tuple(words)
        self.counts = tuple(counts)
        self.scheme = find_scheme(scheme)
        self.min_count = min_count
        self.has_unknown = self.scheme not in SCHEMES_WITHOUT_UNKNOWN
        self.first_word = UNKNOWN + 1 if self.has_unknown else UNKNOWN
        _check_words(self.words, self.counts)
        self._ids = {word: id_ for id_, word in enumerate(self.words, self.first_word)}

    @classmethod
    def build(
        cls, captions: Iterable[Sequence[str]], *, scheme: str = "default", min_count: int = 1
    ) -> "Vocabulary":
        """Collects the words of the training captions, the most frequent first, then by word.

        Args:
            captions: word lists made by `normalise`, of the training split alone.
            scheme: the scheme that made them.
            min_count: words seen less often are unknown words; at least 1.

        Raises:
            VocabularyError: `min_count` is below 1, or no word is seen that often.
        """
        if min_count < 1:
            raise VocabularyError(
                "`min_count` says how often a word must be seen, so 1 or more. "
                f"Received: min_count={min_count}"
            )
        counter = Counter(word for words in captions for word in words)
        kept = sorted(
            ((word, count) for word, count in counter.items() if count >= min_count),
            key=lambda item: (-item[1], item[0]),
        )
        if not kept:
            raise VocabularyError(
                f"No word is seen {min_count} times or more in the training captions, which hold "
                f"{len(counter)} different words. Lower `min_count` or add captions."
            )
        words, counts = zip(*kept, strict=True)
        return cls(words, counts, scheme=scheme, min_count=min_count)

    def __len__(self) -> int:
        """Returns the number of ids, special tokens included: the width of a decoder's output."""
        return self.first_word + len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(self.digest)

    def encode(self, words: Iterable[str]) -> np.ndarray:
        """Returns the ids of a caption, int32 (T,), from START to END.

        A word that is not known becomes UNKNOWN, or is left out where there is no such token.
        """
        if self.has_unknown:
            ids = [self._ids.get(word, UNKNOWN) for word in words]
        else:
            ids = [self._ids[word] for word in words if word in self._ids]
        return np.array([START, *ids, END], dtype=np.int32)

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Returns the words before the first END. Special tokens never appear among them.

        Args:
            ids: token ids of one caption, with or without START and padding.

        Raises:
            VocabularyError: an id does not belong to this vocabulary.
        """
        words = []
        for id_ in ids:
            if id_ == END:
                break
            if not 0 <= id_ < len(self):
                raise VocabularyError(
                    f"Token id {id_} does not belong to this vocabulary, whose ids go from 0 "
                    f"to {len(self) - 1}. The decoder was trained with another vocabulary."
                )
            if id_ >= self.first_word:
                words.append(self.words[id_ - self.first_word])
        return words

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of everything that decides what ids mean."""
        canonical = json.dumps(self.to_json(), ensure_ascii=True, sort_keys=True)
        return hashlib.sha256(canonical.encode("ascii")).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Returns what `from_json` takes."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "scheme": self.scheme,
            "min_count": self.min_count,
            "words": list(self.words),
            "counts": list(self.counts),
        }

    @classmethod
    def from_json(cls, record: Any) -> "Vocabulary":
        """Rebuilds a vocabulary, and checks everything about it.

        Raises:
            VocabularyError: the record is damaged or was written by another version.
        """
        _check_record(record)
        return cls(
            record["words"],
            record["counts"],
            scheme=record["scheme"],
            min_count=record["min_count"],
        )

    def save(self, path: Path) -> None:
        """Writes the vocabulary as JSON, whole or not at all."""
        write_json(path, self.to_json())

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Reads what `save` wrote.

        Raises:
            VocabularyError: the file is missing, damaged, or of another version.
        """
        try:
            return cls.from_json(parse_json(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise VocabularyError(
                f"{path}: the vocabulary cannot be read: {error.strerror}. "
                "Run the tokenize stage again."
            ) from error
        except (ValueError, VocabularyError) as error:
            raise VocabularyError(f"{path}: {error} Run the tokenize stage again.") from error


def _check_record(record: Any) -> None:
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise VocabularyError("This is no vocabulary of captioner.")
    if record.get("version") != VERSION:
        raise VocabularyError(
            f"The vocabulary has version {record.get('version')!r}; "
            f"this captioner reads version {VERSION}."
        )
    if record.get("scheme") not in SCHEMES:
        raise VocabularyError(f"The scheme {record.get('scheme')!r} is unknown.")
    if not _is_count(record.get("min_count")):
        raise VocabularyError(f"`min_count` must be 1 or more, not {record.get('min_count')!r}.")
    for key in ("words", "counts"):
        if not isinstance(record.get(key), list):
            raise VocabularyError(f"The list of {key} is missing.")


def _check_words(words: Sequence[Any], counts: Sequence[Any]) -> None:
    if len(words) != len(counts):
        raise VocabularyError(f"There are {len(words)} words, but {len(counts)} counts.")
    for word in words:
        if not isinstance(word, str) or word.split() != [word]:
            raise VocabularyError(f"{word!r} is not a word: words are text without white space.")
    for word, count in zip(words, counts, strict=True):
        if not _is_count(count):
            raise VocabularyError(f"The count of {word!r} must be 1 or more, not {count!r}.")
    doubled = [word for word, times in Counter(words).items() if times > 1]
    if doubled:
        raise VocabularyError(f"The word {doubled[0]!r} stands in the vocabulary twice.")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
