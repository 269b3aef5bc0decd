"""What a probe asks of features: for each frequent word, in which images' captions it stands.

Dimension key: N images, V words.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from captioner.errors import DatasetError
from captioner.text.normalisation import normalise

MAX_SHARE = 0.5  # a word that most images have, such as "a", says nothing about an image
MIN_IMAGES = 20  # below that, the area under a curve is mostly chance


@dataclass(frozen=True, eq=False)
class WordLabels:
    """Frequent words and the images whose captions hold them.

    Args:
        words: V words, the most frequent first.
        present_NV: bool (N, V): whether any caption of the image has the word.
    """

    words: tuple[str, ...]
    present_NV: np.ndarray

    @property
    def num_images(self) -> list[int]:
        """For each word, how many images have it."""
        counts: list[int] = self.present_NV.sum(axis=0).tolist()
        return counts


def label_words(captions: Iterable[Sequence[str]], num_words: int) -> WordLabels:
    """Chooses the words to ask for and looks them up.

    Args:
        captions: the captions of each of the N images.
        num_words: at most so many words, the most frequent of those that at least 20 images and
            at most half of all images have.

    Raises:
        DatasetError: no word is in enough images.
    """
    words_N = [{word for caption in own for word in normalise(caption)} for own in captions]
    counts = Counter(word for words in words_N for word in sorted(words))
    chosen = [
        word
        for word, count in counts.most_common()
        if MIN_IMAGES <= count <= MAX_SHARE * len(words_N)
    ][:num_words]
    if not chosen:
        raise DatasetError(
            f"No word stands in the captions of at least {MIN_IMAGES} and at most half of the "
            f"{len(words_N):,} images, so there is nothing to ask the features for. Give more "
            "captioned images."
        )
    present_NV = np.array([[word in words for word in chosen] for words in words_N])
    return WordLabels(tuple(chosen), present_NV)
