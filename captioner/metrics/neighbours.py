"""The training images most like others, by the cosine of their vectors.

Images are compared in blocks: what is held in memory beside the vectors does not grow with their
number.

Dimension key: N images, T training images, F features, B images and X training images of a block.
"""

import numpy as np

_BLOCK_IMAGES = 1024
_BLOCK_TRAINING = 8192  # with as many images as above, 34 MB of cosines


def find_neighbours(vectors_NF: np.ndarray, training_TF: np.ndarray) -> np.ndarray:
    """Returns for each vector the row of the most similar training vector, int64 (N,).

    Similarity is the cosine; of equally similar vectors the first in order is taken.
    """
    starts = range(0, len(vectors_NF), _BLOCK_IMAGES)
    blocks = (vectors_NF[start : start + _BLOCK_IMAGES] for start in starts)
    return np.concatenate([_find_in_block(block_BF, training_TF) for block_BF in blocks])


def _find_in_block(vectors_BF: np.ndarray, training_TF: np.ndarray) -> np.ndarray:
    vectors_BF = _normalise_rows(vectors_BF)
    rows_B = np.zeros(len(vectors_BF), np.int64)
    cosines_B = np.full(len(vectors_BF), -np.inf, np.float32)
    for start in range(0, len(training_TF), _BLOCK_TRAINING):
        training_XF = _normalise_rows(training_TF[start : start + _BLOCK_TRAINING])
        cosines_BX = vectors_BF @ training_XF.T
        best_B = np.argmax(cosines_BX, axis=1)
        best_cosines_B = np.take_along_axis(cosines_BX, best_B[:, None], axis=1)[:, 0]
        # Of equals, those of earlier blocks stay.
        is_nearer_B = best_cosines_B > cosines_B
        rows_B[is_nearer_B] = start + best_B[is_nearer_B]
        cosines_B[is_nearer_B] = best_cosines_B[is_nearer_B]
    return rows_B


def _normalise_rows(vectors: np.ndarray) -> np.ndarray:
    vectors = vectors.astype(np.float32, copy=False)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(norms, np.finfo(np.float32).tiny)
