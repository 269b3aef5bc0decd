"""What a search returns: token ids, lengths and log-probabilities, and nothing of words.

Dimension key: N images, K captions of an image (the best first), T words.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class DecodedCaptions:
    """The best captions that a search found for each image.

    Args:
        ids: int32 (N, K, T); word ids without start and end, then zeros.
        lengths: int32 (N, K); words in each caption; 0 where fewer than K captions exist,
            which only happens with toy vocabularies and never to the first caption.
        log_probs: float32 (N, K); natural logarithm of the caption's probability, the end
            token's included when `finished`; -inf where there is no caption.
        scores: float32 (N, K); what the captions are ranked by: `log_probs` divided by
            (number of tokens) ** length_exponent.
        finished: bool (N, K); False for a caption that was cut at the longest length.
    """

    ids: np.ndarray
    lengths: np.ndarray
    log_probs: np.ndarray
    scores: np.ndarray
    finished: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def words_of(self, image: int, caption: int = 0) -> list[int]:
        """Returns the word ids of one caption as plain integers."""
        return [int(token) for token in self.ids[image, caption, : self.lengths[image, caption]]]

    def _arrays(self) -> tuple[np.ndarray, ...]:
        return self.ids, self.lengths, self.log_probs, self.scores, self.finished


def join_captions(parts: Sequence[DecodedCaptions]) -> DecodedCaptions:
    """Joins the results of several batches, in order."""
    columns = zip(*(part._arrays() for part in parts), strict=True)
    return DecodedCaptions(*(np.concatenate(column) for column in columns))
