"""A toy captioning task small enough to train in seconds, and features held in memory."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from captioner.datasets.records import CaptionedImage
from captioner.decoders.registry import default_spec
from captioner.decoders.spec import DecoderSpec
from captioner.text.tokens import TokenisedCaptions, tokenise_captions
from captioner.text.vocabulary import Vocabulary

COLOURS = ("red", "green", "blue", "black")
THINGS = ("ball", "box", "cone")
WIDTH = 8
GRID = (2, 2, WIDTH)


class ArrayFeatures:
    """Features in memory, with the reading interface of a feature store."""

    def __init__(self, vectors: dict[str, np.ndarray]) -> None:
        self._vectors = vectors
        self.image_ids = tuple(vectors)
        self.shapes = {"vector": (WIDTH,), "grid": GRID}

    def read(self, kind: str, image_ids: Sequence[str]) -> np.ndarray:
        vectors_NF = np.stack([self._vectors[image_id] for image_id in image_ids])
        features_N = _spread(vectors_NF) if kind == "grid" else vectors_NF
        return features_N.astype(np.float32)


def _spread(vectors_NF: np.ndarray) -> np.ndarray:
    """Shows the colour in one place of a grid and the thing in another."""
    grids_NHWC = np.zeros((len(vectors_NF), *GRID))
    grids_NHWC[:, 0, 1, : len(COLOURS)] = vectors_NF[:, : len(COLOURS)]
    grids_NHWC[:, 1, 0, len(COLOURS) :] = vectors_NF[:, len(COLOURS) :]
    return grids_NHWC


def small_spec(kind: str, vocabulary_size: int, **changes: Any) -> DecoderSpec:
    """A decoder of any kind, small, for the toy features, which it takes as they are."""
    small: dict[str, Any] = {"units": 16, "embedding_size": 12, "feature_shape": (WIDTH,)}
    small |= {"standardise_features": False, "image_scale": 1.0, "image_dropout": 0.0}
    if default_spec(kind, vocabulary_size).feature_kind == "grid":
        small |= {"feature_shape": GRID, "attention_units": 8, "attention_heads": 2}
        small["attention_dropout"] = 0.0
    return default_spec(kind, vocabulary_size, **{**small, **changes})


def toy_task(
    num_images: int = 72, noise: float = 0.05
) -> tuple[Vocabulary, TokenisedCaptions, ArrayFeatures]:
    """Images whose vector tells colour and thing, and captions that say them."""
    random = np.random.default_rng(0)
    images, vectors = [], {}
    for number in range(num_images):
        colour, thing = _describe(number)
        name = f"{COLOURS[colour]} {THINGS[thing]}"
        captions = (f"a {name}", f"there is a {name} on the floor")
        split = "dev" if number % 7 == 6 else "train"
        image_id = f"image{number:03}"
        images.append(CaptionedImage(image_id, f"{image_id}.jpg", captions, split))
        vectors[image_id] = random.normal(scale=noise, size=WIDTH)
        vectors[image_id][[colour, len(COLOURS) + thing]] += 1.0
    vocabulary, captions, _ = tokenise_captions(images)
    return vocabulary, captions, ArrayFeatures(vectors)


def toy_name(image_id: str) -> set[str]:
    """The colour and the thing of an image."""
    colour, thing = _describe(int(image_id.removeprefix("image")))
    return {COLOURS[colour], THINGS[thing]}


def _describe(number: int) -> tuple[int, int]:
    return number % len(COLOURS), number // len(COLOURS) % len(THINGS)
