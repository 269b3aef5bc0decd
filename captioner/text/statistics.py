"""What there is to know about a data set's captions before a decoder is trained on them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from captioner.datasets.records import SPLITS, CaptionedImage
from captioner.text.vocabulary import Vocabulary

NormalisedImage = tuple[CaptionedImage, Sequence[Sequence[str]]]  # an image, its captions' words

_NUM_SENTINELS = 2  # START and END


def count_captions(
    images: Sequence[NormalisedImage], vocabulary: Vocabulary, max_length: int | None
) -> dict[str, Any]:
    """Counts captions, words and lengths, ready for JSON.

    Args:
        images: each image with the words of its captions.
        vocabulary: built from the training captions.
        max_length: ids kept of a caption, see `tokenise_captions`.

    Returns:
        How the captions were made ("scheme", "min_count", "max_length"), "vocabulary", and for
        each split that has images a record of `_count_split`.
    """
    splits = {split: [pair for pair in images if pair[0].split == split] for split in SPLITS}
    train_words = {word for _, captions in splits["train"] for words in captions for word in words}
    return {
        "scheme": vocabulary.scheme,
        "min_count": vocabulary.min_count,
        "max_length": max_length,
        "vocabulary": {
            "words_seen": len(train_words),
            "words_kept": len(vocabulary.words),
            "size": len(vocabulary),
        },
        "splits": {
            split: _count_split(pairs, vocabulary, max_length)
            for split, pairs in splits.items()
            if pairs
        },
    }


def _count_split(
    images: Sequence[NormalisedImage], vocabulary: Vocabulary, max_length: int | None
) -> dict[str, Any]:
    """Counts one split. Lengths are in words; "longest" has START and END in it, as the course."""
    captions = [words for _, captions in images for words in captions]
    lengths = Counter(len(words) for words in captions if words)
    num_words = sum(length * count for length, count in lengths.items())
    longest = max(lengths, default=0) + _NUM_SENTINELS
    return {
        "images": len(images),
        "captions": lengths.total(),
        "emptied": len(captions) - lengths.total(),
        "cut": 0 if max_length is None else _count_longer(lengths, max_length),
        "words": num_words,
        "mean_length": num_words / lengths.total() if lengths else 0.0,
        "longest": longest,
        "prefixes": num_words + lengths.total(),  # examples of the course: one a word, one END
        "coverage": _cover(captions, vocabulary),
        "lengths": {str(length): lengths[length] for length in sorted(lengths)},
    }


def _count_longer(lengths: Counter[int], max_length: int) -> int:
    return sum(n for length, n in lengths.items() if length + _NUM_SENTINELS > max_length)


def _cover(captions: Iterable[Sequence[str]], vocabulary: Vocabulary) -> float:
    """Returns the share of words that the vocabulary knows."""
    counts = Counter(word for words in captions for word in words)
    known = sum(count for word, count in counts.items() if word in vocabulary)
    return known / counts.total() if counts else 0.0
