"""Which places of an image a caption's words depend on: grey them, and ask again.

Occlusion sensitivity (Zeiler and Fergus 2014, arXiv:1311.2901), for decoders that see an image as
a whole and cannot be asked where they look.

Dimension key: T words, G x G places, N = G * G images with one place greyed, H and W sides of the
encoder's input.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from captioner.decoders.ensemble import AnyDecoder

NUM_PLACES = 7  # a side, as many as the grids of most encoders have
GREY = 127  # about 0 after every encoder's pre-processing
_REACH = 0.5  # of a place, that its patch goes beyond it; smaller patches hide too little


def measure_occlusion(
    encode: Callable[[np.ndarray], np.ndarray],
    decoder: "AnyDecoder",
    image_HWC: np.ndarray,
    tokens_T: np.ndarray,
) -> np.ndarray:
    """Returns how much each word of a caption needs each place of its image.

    Args:
        encode: maps uint8 (N, H, W, 3) to the features that the decoder reads.
        decoder: whose caption it is.
        image_HWC: uint8 (H, W, 3), as the encoder takes it.
        tokens_T: int32 (T + 2,), the caption from START to END.

    Returns:
        float32 (T, G, G): by how many nats the word's log-probability falls when the place is
        greyed; below 0 where it rises.
    """
    from captioner.decoders.likelihood import measure_words

    images = np.concatenate([image_HWC[None], grey_places(image_HWC, NUM_PLACES)])
    log_probs_NT = measure_words(decoder, encode(images), tokens_T)[:, :-1]
    falls_NT = log_probs_NT[:1] - log_probs_NT[1:]
    return falls_NT.T.reshape(-1, NUM_PLACES, NUM_PLACES)


def grey_places(image_HWC: np.ndarray, num_places: int) -> np.ndarray:
    """Returns copies of an image with one place greyed in each, uint8 (G * G, H, W, 3).

    Args:
        image_HWC: uint8 (H, W, 3).
        num_places: G, places a side; a copy for each place, row by row.
    """
    rows, columns = (_patches(side, num_places) for side in image_HWC.shape[:2])
    images = np.repeat(image_HWC[None], num_places**2, axis=0)
    for place, image in enumerate(images):
        row, column = divmod(place, num_places)
        image[rows[row], columns[column]] = GREY
    return images


def _patches(side: int, num_places: int) -> list[slice]:
    size = side / num_places
    return [
        slice(max(0, round((place - _REACH) * size)), round((place + 1 + _REACH) * size))
        for place in range(num_places)
    ]
