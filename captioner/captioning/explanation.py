"""What a caption's words come from.

Dimension key: T words, H x W places of the image.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from captioner.captioning.caption import Caption

Method = Literal["attention", "occlusion"]
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True, eq=False, slots=True)
class Explanation:
    """A caption, and for each of its words the places of the photograph behind it.

    Args:
        caption: of the photograph.
        weights: float32 (T, H, W), T the caption's words. Of method "attention", how much each
            word drew from each place (Xu et al. 2015, arXiv:1502.03044); a word's weights add to
            1. Of method "occlusion", by how much the word's log-probability falls, in nats, when
            that place is greyed (Zeiler and Fergus 2014, arXiv:1311.2901); below 0 where it rises.
        method: how the weights were found.
        box: the part of the photograph, upright, that the places cover, as shares of its width
            and height: (0, 0, 1, 1) where the encoder sees all of it. It reaches beyond the
            photograph where the encoder pads.
    """

    caption: Caption
    weights: np.ndarray
    method: Method
    box: Box

    @property
    def words(self) -> tuple[str, ...]:
        """The caption's words."""
        return self.caption.words
