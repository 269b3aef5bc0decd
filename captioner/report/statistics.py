"""How long captions are and which words they use: the model's beside those of people."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from captioner.text.normalisation import normalise

MIN_COUNT_OVERUSED = 5  # below that, a ratio is chance


@dataclass(frozen=True)
class CaptionStatistics:
    """Counts of one group of captions, after normalisation.

    Args:
        num_captions: captions counted, empty ones included.
        lengths: words in a caption -> captions of that length.
        words: word -> how often it occurs, the most frequent first.
    """

    num_captions: int
    lengths: Counter[int]
    words: Counter[str]

    @property
    def mean_length(self) -> float:
        """Words in a caption, on average."""
        return self.words.total() / self.num_captions if self.num_captions else 0.0

    @property
    def longest(self) -> int:
        """Words in the longest caption."""
        return max(self.lengths, default=0)

    def length_shares(self) -> dict[int, float]:
        """Returns for each length from 0 to the longest the share of captions that have it."""
        total = max(self.num_captions, 1)
        return {length: self.lengths[length] / total for length in range(self.longest + 1)}


@dataclass(frozen=True, slots=True)
class WordUse:
    """One word and how much it is used.

    Args:
        word: normalised.
        count: how often the group at hand uses it.
        ratio: its share of the model's words over its share of people's, or None.
    """

    word: str
    count: int
    ratio: float | None = None


def count_statistics(captions: Iterable[str]) -> CaptionStatistics:
    """Counts captions, their lengths and their words."""
    lengths: Counter[int] = Counter()
    words: Counter[str] = Counter()
    for caption in captions:
        own = normalise(caption)
        lengths[len(own)] += 1
        words.update(own)
    return CaptionStatistics(lengths.total(), lengths, _by_frequency(words))


def list_most_used(captions: CaptionStatistics, limit: int) -> list[WordUse]:
    """Returns the most frequent words."""
    return [WordUse(word, count) for word, count in list(captions.words.items())[:limit]]


def list_overused(model: CaptionStatistics, people: CaptionStatistics, limit: int) -> list[WordUse]:
    """Returns words that the model uses more often than people do, the most overused first.

    A word counts as used once more by people than it was, so that words which people never use
    have a ratio as well.
    """
    total, expected = max(model.words.total(), 1), max(people.words.total(), 1)
    ratios = {
        word: (count / total) / ((people.words[word] + 1) / expected)
        for word, count in model.words.items()
        if count >= MIN_COUNT_OVERUSED
    }
    overused = sorted(
        (word for word, ratio in ratios.items() if ratio > 1), key=lambda word: -ratios[word]
    )
    return [WordUse(word, model.words[word], ratios[word]) for word in overused[:limit]]


def list_unsaid(model: CaptionStatistics, people: CaptionStatistics, limit: int) -> list[WordUse]:
    """Returns the words that people use most and the model never."""
    unsaid = [WordUse(word, n) for word, n in people.words.items() if word not in model.words]
    return unsaid[:limit]


def list_repeated(captions: Sequence[str], limit: int) -> list[tuple[str, int]]:
    """Returns the captions given to more than one image, the most frequent first."""
    times = Counter(captions)
    repeated = [(caption, count) for caption, count in times.items() if count > 1]
    return sorted(repeated, key=lambda pair: (-pair[1], pair[0]))[:limit]


def _by_frequency(words: Counter[str]) -> Counter[str]:
    return Counter(dict(sorted(words.items(), key=lambda pair: (-pair[1], pair[0]))))
