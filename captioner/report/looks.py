"""Where a model looked while it captioned the images of an evaluation, kept small.

Each word's weights are kept as bytes, 255 where it looked most: enough for a picture, and the
whole of a thousand images takes half a megabyte.

Dimension key: T words of a caption, W words of all captions, N images, H x W places.
"""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from captioner.files import replace_file

LOOKS = "looks.npz"


@dataclass(frozen=True, slots=True)
class Ground:
    """What weights lie upon: a grid over what an encoder sees of a photograph.

    Args:
        height: places from top to bottom.
        width: places from left to right.
        fit: how a photograph comes to the encoder's size, see `captioner.images.ResizeRule`.
        shape: width over height of what the encoder sees.
    """

    height: int
    width: int
    fit: str = "squash"
    shape: float = 1.0

    @classmethod
    def of(cls, grid: Sequence[int], rule: Mapping[str, Any] | None = None) -> "Ground":
        """Describes the ground of an encoder.

        Args:
            grid: (H, W, ...), the shape of its grid.
            rule: how it resizes, as `ResizeRule.describe` tells it; None where that is not known.
        """
        if rule is None:
            return cls(grid[0], grid[1])
        return cls(grid[0], grid[1], rule["fit"], rule["width"] / rule["height"])


@dataclass(frozen=True, slots=True)
class Looks:
    """Where the words of several captions looked.

    Args:
        ground: the same for all.
        of_image: for each image T x H x W bytes, row by row, T the words of its caption; each
            word's largest is 255.
    """

    ground: Ground
    of_image: tuple[bytes, ...]


def pack(weights: Sequence[np.ndarray], ground: Ground) -> Looks:
    """Keeps weights of captions, float (T, H, W) each, as bytes."""
    return Looks(ground, tuple(_to_bytes(weights_THW) for weights_THW in weights))


def write_looks(path: Path, looks: Looks) -> None:
    """Writes what `read_looks` reads."""
    size = looks.ground.height * looks.ground.width
    num_words_N = np.array([len(own) // size for own in looks.of_image], np.int32)
    weights_WL = np.frombuffer(b"".join(looks.of_image), np.uint8).reshape(-1, size)
    with replace_file(path) as file:
        np.savez_compressed(file, num_words=num_words_N, weights=weights_WL)


def read_looks(path: Path, ground: Ground) -> Looks:
    """Reads looks back.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or the looks lie on another ground.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            num_words_N, weights_WL = file["num_words"], file["weights"]
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise ValueError(f"{path.name}: {error}") from error
    size = ground.height * ground.width
    if weights_WL.shape != (num_words_N.sum(), size) or weights_WL.dtype != np.uint8:
        raise ValueError(
            f"{path.name} holds {weights_WL.dtype} {weights_WL.shape} for {num_words_N.sum()} words"
        )
    ends_N = np.cumsum(num_words_N)
    return Looks(
        ground,
        tuple(
            weights_WL[end - count : end].tobytes()
            for end, count in zip(ends_N, num_words_N, strict=True)
        ),
    )


def _to_bytes(weights_THW: np.ndarray) -> bytes:
    strongest_T11 = weights_THW.max(axis=(1, 2), keepdims=True)
    return np.rint(255 * weights_THW / strongest_T11).astype(np.uint8).tobytes()
