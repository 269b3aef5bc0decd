"""The training images most like others, by the cosine of their vectors.

Images are compared in blocks: what is held in memory beside the vectors does not grow with their
number.

Dimension key: N images, T training images, F features, L neighbours of each image, B images and X
training images of a block.
"""

import numpy as np

_BLOCK_IMAGES = 1024
_BLOCK_TRAINING = 8192  # with as many images as above, 34 MB of cosines


def find_neighbours(vectors_NF: np.ndarray, training_TF: np.ndarray) -> np.ndarray:
    """Returns for each vector the row of the most similar training vector by cosine, int64 (N,)."""
    return rank_neighbours(vectors_NF, training_TF, 1)[:, 0]


def rank_neighbours(vectors_NF: np.ndarray, training_TF: np.ndarray, num: int) -> np.ndarray:
    """Returns the rows of the `num` most similar training vectors, nearest first, int64 (N, num).

    Similarity is the cosine; of equally similar vectors the first in order come first.
    """
    starts = range(0, len(vectors_NF), _BLOCK_IMAGES)
    blocks = (vectors_NF[start : start + _BLOCK_IMAGES] for start in starts)
    return np.concatenate([_rank_block(block_BF, training_TF, num) for block_BF in blocks])


def _rank_block(vectors_BF: np.ndarray, training_TF: np.ndarray, num: int) -> np.ndarray:
    """Returns the neighbours of some vectors, int64 (B, L): the best of each block, merged."""
    vectors_BF = _normalise_rows(vectors_BF)
    rows_BL = np.empty((len(vectors_BF), 0), np.int64)
    cosines_BL = np.empty((len(vectors_BF), 0), np.float32)
    for start in range(0, len(training_TF), _BLOCK_TRAINING):
        training_XF = _normalise_rows(training_TF[start : start + _BLOCK_TRAINING])
        cosines_BX = vectors_BF @ training_XF.T
        best_BL = _find_largest(cosines_BX, min(num, len(training_XF)))
        rows_BL = np.hstack([rows_BL, start + best_BL])
        cosines_BL = np.hstack([cosines_BL, np.take_along_axis(cosines_BX, best_BL, axis=1)])
        # Stable: of equals, those of earlier blocks stay in front.
        order_BL = np.argsort(-cosines_BL, axis=1, kind="stable")[:, :num]
        rows_BL = np.take_along_axis(rows_BL, order_BL, axis=1)
        cosines_BL = np.take_along_axis(cosines_BL, order_BL, axis=1)
    return rows_BL


def _find_largest(values_BX: np.ndarray, num: int) -> np.ndarray:
    """Returns where the `num` largest of each row stand, int64 (B, num), the first of equals first.

    Only those that reach the `num`-th largest are sorted, which are few.
    """
    if num == 1:
        return np.argmax(values_BX, axis=1)[:, None]
    least_B = np.partition(values_BX, -num, axis=1)[:, -num]
    largest = np.empty((len(values_BX), num), np.int64)
    for row, (values_X, least) in enumerate(zip(values_BX, least_B, strict=True)):
        reaching = np.flatnonzero(values_X >= least)
        largest[row] = reaching[np.argsort(-values_X[reaching], kind="stable")[:num]]
    return largest


def _normalise_rows(vectors: np.ndarray) -> np.ndarray:
    vectors = vectors.astype(np.float32, copy=False)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(norms, np.finfo(np.float32).tiny)
