"""Is an encoder any good for captioning? Asked before an hour of decoder training.

Dimension key: N images, F width of a vector, K folds, V words.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from captioner.errors import FeatureError, UsageError
from captioner.features.reading import Features
from captioner.probing.health import FeatureHealth, examine_features, find_moving
from captioner.probing.labels import WordLabels, label_words
from captioner.probing.regression import WordAreas, chance_areas, cross_validate

_ROWS_AT_ONCE = 256
_IMAGES_PER_FOLD = 10


@dataclass(frozen=True, eq=False)
class EncoderReport:
    """What one encoder's features know.

    Args:
        name: what the user calls it.
        health: whether they tell images apart at all.
        areas: how well each word is read off them.
    """

    name: str
    health: FeatureHealth
    areas: WordAreas


@dataclass(frozen=True, eq=False)
class ProbeReport:
    """Encoders side by side, on the same images, words and folds.

    Args:
        labels: the words that were asked for.
        encoders: the best first.
    """

    labels: WordLabels
    encoders: tuple[EncoderReport, ...]

    def ranked_words(self, encoder: EncoderReport) -> list[tuple[str, float]]:
        """Returns each word with its area, the one that the features know best first."""
        areas_V = encoder.areas.words
        order = np.argsort(-areas_V, kind="stable")
        return [(self.labels.words[word], float(areas_V[word])) for word in order]

    def to_json(self) -> dict[str, Any]:
        """Returns everything, ready for JSON; areas are 0 to 1."""
        return {
            "num_images": len(self.labels.present_NV),
            "num_folds": len(self.encoders[0].areas.areas_KV),
            "words": dict(zip(self.labels.words, self.labels.num_images, strict=True)),
            "encoders": [self._encoder_json(encoder) for encoder in self.encoders],
        }

    def _encoder_json(self, encoder: EncoderReport) -> dict[str, Any]:
        return {
            "name": encoder.name,
            "area": encoder.areas.mean,
            "deviation": encoder.areas.deviation,
            "strength": encoder.areas.strength,
            "health": encoder.health.to_json(),
            "words": dict(self.ranked_words(encoder)),
        }


def probe_encoders(
    encoders: Mapping[str, Features],
    captions: Mapping[str, Sequence[str]],
    *,
    num_words: int = 150,
    num_folds: int = 5,
    max_images: int = 8000,
    seed: int = 0,
) -> ProbeReport:
    """Reads frequent caption words off the features of one or several encoders.

    Args:
        encoders: name -> features; a vector for each image, or a grid, of which the mean is taken.
        captions: image id -> captions. Images that lack features in an encoder are left out.
        num_words: at most so many words, the most frequent that tell images apart.
        num_folds: folds of the cross-validation.
        max_images: of more, a seeded sample is taken.
        seed: of sample and folds.

    Raises:
        FeatureError: no image, or too few, has captions and features in all encoders.
        DatasetError: no word is frequent enough.
        UsageError: there are fewer than two folds, or no encoder.
    """
    if num_folds < 2 or not encoders:
        raise UsageError(
            "A probe needs an encoder and two folds or more. "
            f"Received: {len(encoders)} encoders, {num_folds} folds."
        )
    image_ids = _choose_images(encoders, captions, num_folds, max_images, seed)
    labels = label_words([captions[image_id] for image_id in image_ids], num_words)
    reports = [
        _probe(name, features, image_ids, labels, num_folds, seed)
        for name, features in encoders.items()
    ]
    return ProbeReport(labels, tuple(sorted(reports, key=lambda own: -own.areas.mean)))


def _probe(
    name: str,
    features: Features,
    image_ids: Sequence[str],
    labels: WordLabels,
    num_folds: int,
    seed: int,
) -> EncoderReport:
    vectors_NF = read_vectors(features, image_ids)
    health = examine_features(vectors_NF)
    if health.is_constant:
        return EncoderReport(name, health, chance_areas(num_folds, len(labels.words)))
    moving_NF = vectors_NF[:, find_moving(vectors_NF)]
    areas = cross_validate(moving_NF, labels.present_NV, num_folds=num_folds, seed=seed)
    return EncoderReport(name, health, areas)


def read_vectors(features: Features, image_ids: Sequence[str]) -> np.ndarray:
    """Returns the vectors of some images, float32 (N, F); of grids, the mean over positions."""
    if "vector" in features.shapes:
        return features.read("vector", image_ids)
    return np.concatenate(list(_pool_grids(features, image_ids)))


def _pool_grids(features: Features, image_ids: Sequence[str]) -> Iterator[np.ndarray]:
    for start in range(0, len(image_ids), _ROWS_AT_ONCE):
        yield features.read("grid", image_ids[start : start + _ROWS_AT_ONCE]).mean(axis=(1, 2))


def _choose_images(
    encoders: Mapping[str, Features],
    captions: Mapping[str, Sequence[str]],
    num_folds: int,
    max_images: int,
    seed: int,
) -> list[str]:
    shared = set(captions).intersection(*(own.image_ids for own in encoders.values()))
    image_ids = sorted(shared)
    if len(image_ids) < num_folds * _IMAGES_PER_FOLD:
        sizes = ", ".join(f"{name} {len(own.image_ids):,}" for name, own in encoders.items())
        raise FeatureError(
            f"Only {len(image_ids):,} images have captions and features in every encoder; "
            f"{num_folds} folds need {num_folds * _IMAGES_PER_FOLD}. Images with features: "
            f"{sizes}; with captions: {len(captions):,}. Probe features of one data set, and name "
            "that data set."
        )
    if len(image_ids) > max_images:
        kept = np.random.default_rng(seed).choice(len(image_ids), max_images, replace=False)
        image_ids = [image_ids[place] for place in sorted(kept)]
    return image_ids
