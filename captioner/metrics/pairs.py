"""Captions and references put side by side as words, after checking that they belong together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from captioner.errors import ScoreError
from captioner.text.normalisation import Scheme, normalise, remove_sentinels

Hypotheses = Mapping[str, str]
References = Mapping[str, Sequence[str]]

_NUM_LISTED = 5  # image ids named in an error


@dataclass(frozen=True)
class CaptionPairs:
    """One hypothesis and the references of each image, as normalised words, in one order.

    Args:
        image_ids: the N images, in the order of the references.
        hypotheses: the words of each image's caption; an empty list is an empty caption.
        references: the words of each image's references.
        num_sentinels: special tokens removed from the hypotheses.
    """

    image_ids: tuple[str, ...]
    hypotheses: list[list[str]]
    references: list[list[list[str]]]
    num_sentinels: int


def pair_captions(hypotheses: Hypotheses, references: References, scheme: Scheme) -> CaptionPairs:
    """Pairs captions with references by image id, and normalises both alike.

    Special tokens never count in a score: they are removed from both sides.

    Raises:
        ScoreError: images and captions do not match, or an image has no reference.
    """
    _check_images(hypotheses, references)
    texts, counts = zip(*(remove_sentinels(hypotheses[key]) for key in references), strict=True)
    pairs = CaptionPairs(
        image_ids=tuple(references),
        hypotheses=[normalise(text, scheme) for text in texts],
        references=[
            [normalise(remove_sentinels(caption)[0], scheme) for caption in captions]
            for captions in references.values()
        ],
        num_sentinels=sum(counts),
    )
    _check_references(pairs, scheme)
    return pairs


def _check_images(hypotheses: Hypotheses, references: References) -> None:
    if not references:
        raise ScoreError("There are no images to score: the split holds none.")
    missing = [image_id for image_id in references if image_id not in hypotheses]
    foreign = [image_id for image_id in hypotheses if image_id not in references]
    faults = [
        f"{label}: {len(ids):,} ({_list_some(ids)})"
        for label, ids in (("images without caption", missing), ("captions without image", foreign))
        if ids
    ]
    if faults:
        raise ScoreError(
            "Captions and images do not match. A score needs exactly one caption for every image "
            f"of the split. Received {len(references):,} images and {len(hypotheses):,} captions; "
            f"{'; '.join(faults)}."
        )


def _check_references(pairs: CaptionPairs, scheme: Scheme) -> None:
    """Refuses images without references.

    Tutorial cleaning may empty a caption that people can read, so there it is no fault.
    """
    rows = zip(pairs.image_ids, pairs.references, strict=True)
    bare = [
        image_id
        for image_id, captions in rows
        if not captions or (scheme == "default" and not any(captions))
    ]
    if bare:
        raise ScoreError(
            f"Images without a reference caption that has a word in it: {len(bare):,} "
            f"({_list_some(bare)}). Give each at least one, or leave it out of the split."
        )


def _list_some(image_ids: Sequence[str]) -> str:
    more = len(image_ids) - _NUM_LISTED
    return ", ".join(image_ids[:_NUM_LISTED]) + (f" and {more:,} more" if more > 0 else "")
