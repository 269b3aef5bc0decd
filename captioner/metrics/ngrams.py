"""N-grams of token ids as single integers, counted caption by caption with NumPy alone.

An id takes 16 bits, so up to four of them make one 64-bit key. Id 0 is padding and part of no
n-gram: n-grams of different orders therefore never share a key.

Dimension key: C captions, T words, E distinct n-grams of all captions, one after another,
O = 4 n-gram orders.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from captioner.errors import ScoreError
from captioner.metrics.bleu import NUM_ORDERS

MAX_ID = 2**16 - 1

_ID_BITS = np.uint64(16)


@dataclass(frozen=True, eq=False)
class CaptionNgrams:
    """The n-grams of C captions: each of a caption's distinct n-grams once, with its count.

    Args:
        captions_E: int64 (E,), the caption, 0 to C - 1, never falling.
        keys_E: uint64 (E,), the n-gram.
        counts_E: int64 (E,), how often it stands in the caption, 1 or more.
        lengths_C: int64 (C,), words of each caption.
    """

    captions_E: np.ndarray
    keys_E: np.ndarray
    counts_E: np.ndarray
    lengths_C: np.ndarray

    @cached_property
    def orders_E(self) -> np.ndarray:
        """Words of each n-gram, less one: int64 (E,), 0 to 3."""
        limits = np.uint64(1) << (_ID_BITS * np.arange(1, NUM_ORDERS, dtype=np.uint64))
        return np.searchsorted(limits, self.keys_E, side="right")


def count_caption_ngrams(ids_CT: np.ndarray) -> CaptionNgrams:
    """Counts the n-grams of 1 to 4 words.

    Args:
        ids_CT: integers (C, T), 0 to 65535: the words of each caption, then zeros.

    Raises:
        ScoreError: an id does not fit into 16 bits.
    """
    _check_ids(ids_CT)
    keys_CX = np.sort(_pack_ngrams(ids_CT.astype(np.uint64)), axis=1)
    is_first_CX = keys_CX != 0
    is_first_CX[:, 1:] &= keys_CX[:, 1:] != keys_CX[:, :-1]
    captions_E, columns_E = np.nonzero(is_first_CX)
    # Equal keys stand side by side, up to the next key of the caption or the end of its row.
    ends_E = np.full_like(columns_E, keys_CX.shape[1])
    same_caption = captions_E[1:] == captions_E[:-1]
    ends_E[:-1][same_caption] = columns_E[1:][same_caption]
    return CaptionNgrams(
        captions_E,
        keys_CX[captions_E, columns_E],
        ends_E - columns_E,
        np.count_nonzero(ids_CT, axis=1),
    )


def pad_captions(captions: Sequence[np.ndarray]) -> np.ndarray:
    """Returns captions of any lengths as one array, int32 (C, T), zeros on the right."""
    ids_CT = np.zeros((len(captions), max(map(len, captions), default=0)), np.int32)
    for row, caption in enumerate(captions):
        ids_CT[row, : len(caption)] = caption
    return ids_CT


def _pack_ngrams(ids_CT: np.ndarray) -> np.ndarray:
    """Returns the keys of all n-grams, uint64 (C, X); 0 where a caption has ended."""
    keys_CT = ids_CT
    columns = [keys_CT]
    for order in range(1, min(NUM_ORDERS, ids_CT.shape[1])):
        last_CT = ids_CT[:, order:]
        keys_CT = np.where(last_CT, keys_CT[:, :-1] << _ID_BITS | last_CT, 0)
        columns.append(keys_CT)
    return np.concatenate(columns, axis=1)


def _check_ids(ids_CT: np.ndarray) -> None:
    if ids_CT.size and not 0 <= ids_CT.min() <= ids_CT.max() <= MAX_ID:
        raise ScoreError(
            f"N-grams are counted for token ids from 0 to {MAX_ID:,}. Received ids from "
            f"{ids_CT.min():,} to {ids_CT.max():,}; learn fewer words, as with a higher min_count."
        )
