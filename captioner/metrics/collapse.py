"""Whether a model says the same to every image: what BLEU alone does not show."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from captioner.text.normalisation import normalise, spell

MAX_SHARE_OF_ONE = 0.25  # of images with the same caption; people and sound models stay below 0.1
MIN_SHARE_DISTINCT = 0.05
MIN_IMAGES = 20  # below that, equal captions prove nothing


@dataclass(frozen=True)
class Collapse:
    """The counts that catch a collapsed model.

    Args:
        num_captions: captions looked at, one an image.
        num_distinct: different captions among them, after normalisation.
        num_words: different words used.
        num_empty: captions without a word.
        share_copied: share of captions that stand word by word among the training captions, or
            None where those are not known. Sound models on Flickr8k copy a third or more.
        mean_length: words in a caption, on average.
        commonest: the most frequent caption.
        commonest_share: the share of images that got it.
        warnings: what is wrong, in words; empty when nothing is.
    """

    num_captions: int
    num_distinct: int
    num_words: int
    num_empty: int
    share_copied: float | None
    mean_length: float
    commonest: str
    commonest_share: float
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Returns all fields, ready for JSON."""
        return {**asdict(self), "warnings": list(self.warnings)}


def count_collapse(
    captions: Sequence[str], training_captions: Iterable[str] | None = None
) -> Collapse:
    """Counts how varied captions are.

    Args:
        captions: one caption an image, at least one, normalised here.
        training_captions: the captions a model learned from, or None.
    """
    words = [tuple(normalise(caption)) for caption in captions]
    times = Counter(words)
    commonest, most = times.most_common(1)[0]
    num_empty = times[()]
    return Collapse(
        num_captions=len(words),
        num_distinct=len(times),
        num_words=len({word for own in words for word in own}),
        num_empty=num_empty,
        share_copied=_share_copied(words, training_captions),
        mean_length=sum(map(len, words)) / len(words),
        commonest=spell(commonest),
        commonest_share=most / len(words),
        warnings=tuple(_warn(len(words), len(times), spell(commonest), most, num_empty)),
    )


def _share_copied(
    words: Sequence[tuple[str, ...]], training_captions: Iterable[str] | None
) -> float | None:
    if training_captions is None:
        return None
    known = {tuple(normalise(caption)) for caption in training_captions}
    return sum(own in known for own in words) / len(words)


def _warn(total: int, distinct: int, commonest: str, most: int, empty: int) -> Iterable[str]:
    if empty:
        yield f"{empty:,} of {total:,} captions are empty."
    if total < MIN_IMAGES:
        return
    if distinct == 1:
        yield (
            f"All {total:,} images got the same caption, {commonest!r}: the captions do not "
            "depend on the image."
        )
    elif most / total > MAX_SHARE_OF_ONE:
        yield f"{most:,} of {total:,} images got the same caption, {commonest!r}."
    if 1 < distinct < MIN_SHARE_DISTINCT * total:
        yield f"There are only {distinct:,} different captions for {total:,} images."
