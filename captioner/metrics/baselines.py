"""What a score must beat: captions made without looking at the image, or without a decoder.

- constant: one training caption for every image, the one that suits the training images best.
- nearest neighbour: the caption of the training image whose features are most alike.
- human: each person's caption against what the others wrote.

They give captions; `score_captions` scores them as it scores a model's.

Dimension key: N images to caption, T training images, F features, O = 4 n-gram orders.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from captioner.errors import ScoreError
from captioner.metrics.bleu import NUM_ORDERS, score_coco_sums
from captioner.metrics.neighbours import find_neighbours
from captioner.metrics.pairs import Hypotheses, References
from captioner.text.normalisation import normalise, spell

MAX_IMAGES = 3000  # training images that a constant caption is measured on

Words = tuple[str, ...]
Ngram = tuple[str, ...]


def choose_constant_caption(training: References) -> str:
    """Returns the training caption with the best BLEU-4 if it were given to every training image.

    The BLEU of one caption for all images needs only, for each n-gram and k, the number of images
    with a reference that holds it k times, so that every caption is tried. Of more than
    3,000 training images every n-th is used. Nothing is random; of equals the first in
    alphabetical order wins.

    Args:
        training: image id -> captions of the training split.

    Raises:
        ScoreError: there is no training caption with a word in it.
    """
    step = -(-len(training) // MAX_IMAGES) if training else 1
    captions = [_split_captions(training[image_id]) for image_id in list(training)[::step]]
    candidates = sorted({words for own in captions for words in own})
    if not candidates:
        raise ScoreError("A constant caption needs training captions, and there are none.")
    images = [own for own in captions if own]
    matches_CO = _count_matches(candidates, images)
    lengths_C = np.array([len(words) for words in candidates])
    guesses_CO = np.maximum(0, lengths_C[:, None] - np.arange(NUM_ORDERS)) * len(images)
    references_C = _sum_closest(lengths_C, images)
    sums_CK = np.column_stack([matches_CO, guesses_CO, lengths_C * len(images), references_C])
    best = int(np.argmax(score_coco_sums(sums_CK.astype(np.float64))[:, -1]))
    return spell(candidates[best])


def choose_nearest_captions(
    image_ids: Sequence[str],
    vectors_NF: np.ndarray,
    training: References,
    training_ids: Sequence[str],
    training_TF: np.ndarray,
) -> dict[str, str]:
    """Gives each image the most central caption of the training image most like it.

    Args:
        image_ids: the N images to caption.
        vectors_NF: their features, float (N, F).
        training: image id -> captions of the training split.
        training_ids: the T training images that have features.
        training_TF: their features, float (T, F). Features are compared by cosine.

    Raises:
        ScoreError: there is no training image, or the shapes do not fit.
    """
    _check_features(image_ids, vectors_NF, training_ids, training_TF)
    neighbours_N = find_neighbours(vectors_NF, training_TF)
    central = {
        index: choose_central_caption(training[training_ids[index]])
        for index in set(neighbours_N.tolist())
    }
    return {
        image_id: central[index]
        for image_id, index in zip(image_ids, neighbours_N.tolist(), strict=True)
    }


def choose_central_caption(captions: Sequence[str]) -> str:
    """Returns the caption that shares most words and word pairs with the others of its image.

    Shared means the Dice coefficient of the counts of words and of pairs; the first of equals.
    """
    counts = [_count_ngrams(normalise(caption), 2) for caption in captions]
    likeness = [
        sum(_dice(own, other) for index, other in enumerate(counts) if index != position)
        for position, own in enumerate(counts)
    ]
    return captions[int(np.argmax(likeness))]


@dataclass(frozen=True)
class Round:
    """What is scored in one go: a caption for each image, and the references it is scored with."""

    hypotheses: Hypotheses
    references: References


def leave_one_out(references: References) -> list[Round]:
    """Returns one round for each caption that all images have: the i-th against the others.

    The average over rounds is what people reach against one reference fewer than a model gets.

    Returns:
        As many rounds as the image with the fewest captions has; none if that is below two.
    """
    rounds = min((len(captions) for captions in references.values()), default=0)
    if rounds < 2:
        return []
    return [
        Round(
            {image_id: captions[turn] for image_id, captions in references.items()},
            {
                image_id: (*captions[:turn], *captions[turn + 1 :])
                for image_id, captions in references.items()
            },
        )
        for turn in range(rounds)
    ]


def _split_captions(captions: Sequence[str]) -> list[Words]:
    split = (tuple(normalise(caption)) for caption in captions)
    return [words for words in split if words]


def _count_ngrams(words: Sequence[str], max_order: int = NUM_ORDERS) -> Counter[Ngram]:
    counts: Counter[Ngram] = Counter()
    for order in range(1, max_order + 1):
        counts.update(zip(*(words[start:] for start in range(order)), strict=False))
    return counts


def _count_matches(candidates: Sequence[Words], images: Sequence[Sequence[Words]]) -> np.ndarray:
    """Returns matches of 1 to 4 words, summed over images, if all got the candidate, (C, O)."""
    images_with = _count_images(images)
    matches_CO = np.zeros((len(candidates), NUM_ORDERS))
    for row, words in enumerate(candidates):
        for ngram, count in _count_ngrams(words).items():
            matches_CO[row, len(ngram) - 1] += sum(images_with[ngram][:count])
    return matches_CO


def _count_images(images: Sequence[Sequence[Words]]) -> dict[Ngram, list[int]]:
    """Counts, for each n-gram, the images with a reference that holds it once, twice, ..."""
    images_with: dict[Ngram, list[int]] = {}
    for captions in images:
        most: dict[Ngram, int] = {}
        for words in captions:
            for ngram, count in _count_ngrams(words).items():
                most[ngram] = max(count, most.get(ngram, 0))
        for ngram, count in most.items():
            numbers = images_with.setdefault(ngram, [])
            numbers += [0] * (count - len(numbers))
            for times in range(count):
                numbers[times] += 1
    return images_with


def _sum_closest(lengths_C: np.ndarray, images: Sequence[Sequence[Words]]) -> np.ndarray:
    """Returns for each candidate's length the sum of the images' closest reference lengths."""
    reference_lengths = [sorted({len(words) for words in captions}) for captions in images]
    sums: Mapping[int, int] = {
        length: sum(
            min(own, key=lambda reference: (abs(reference - length), reference))
            for own in reference_lengths
        )
        for length in set(lengths_C.tolist())
    }
    return np.array([sums[length] for length in lengths_C.tolist()])


def _dice(own: Counter[Ngram], other: Counter[Ngram]) -> float:
    total = own.total() + other.total()
    return 2 * (own & other).total() / total if total else 0.0


def _check_features(
    image_ids: Sequence[str],
    vectors_NF: np.ndarray,
    training_ids: Sequence[str],
    training_TF: np.ndarray,
) -> None:
    wanted = (len(image_ids), len(training_ids), vectors_NF.shape[-1])
    given = (len(vectors_NF), len(training_TF), training_TF.shape[-1])
    if wanted != given or not training_ids or vectors_NF.ndim != 2 or training_TF.ndim != 2:
        raise ScoreError(
            "Nearest neighbours need one vector for each image, of one width, and at least one "
            f"training image. Received {len(image_ids)} images with vectors of shape "
            f"{vectors_NF.shape}, {len(training_ids)} training images with {training_TF.shape}."
        )
