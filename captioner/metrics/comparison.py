"""Several systems' captions of the same images: scores side by side, differences in pairs.

Everything is scored anew from the captions, so all scores come under one protocol. Systems must
agree on images and references to be compared; `find_faults` says in words where they do not.

Dimension key: N images.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from captioner.errors import ScoreError
from captioner.metrics.bootstrap import Difference, Resampling
from captioner.metrics.pairs import Hypotheses, References
from captioner.metrics.scores import (
    DEFAULT_RESAMPLING,
    UNKNOWN_ORIGIN,
    Scores,
    compare_scores,
    score_captions,
)
from captioner.metrics.signature import Origin
from captioner.text.normalisation import normalise


@dataclass(frozen=True)
class System:
    """One system's captions, and what people wrote about the same images.

    Args:
        name: what the user calls it.
        captions: image id -> caption.
        references: image id -> captions that people wrote.
        origin: how the captions were made, for the signature.
    """

    name: str
    captions: Hypotheses
    references: References
    origin: Origin = UNKNOWN_ORIGIN

    def restrict(self, image_ids: Sequence[str]) -> "System":
        """Returns the same system with some of its images, in the given order."""
        known = [image_id for image_id in image_ids if image_id in self.captions]
        return replace(
            self,
            captions={image_id: self.captions[image_id] for image_id in known},
            references={image_id: self.references[image_id] for image_id in image_ids},
        )


@dataclass(frozen=True)
class Example:
    """One image on which systems differ; captions and CIDEr in the order of the systems."""

    image_id: str
    captions: tuple[str, ...]
    cider: tuple[float, ...]
    references: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Returns all fields, ready for JSON."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in vars(self).items()}


@dataclass(frozen=True)
class Lead:
    """How a system stands to the first one, on the same images.

    Args:
        differences: for each metric, its score minus the first system's.
        num_better: images on which its CIDEr is higher than the first system's.
        num_worse: images on which it is lower.
        num_alike: images for which both say the same, word by word.
    """

    differences: Mapping[str, Difference]
    num_better: int
    num_worse: int
    num_alike: int

    def to_json(self) -> dict[str, Any]:
        """Returns all fields, ready for JSON."""
        differences = {
            name: {**difference.to_json(), "significant": difference.is_significant}
            for name, difference in self.differences.items()
        }
        return {**vars(self), "differences": differences}


@dataclass(frozen=True, eq=False)
class Comparison:
    """Systems side by side.

    Args:
        systems: the systems compared.
        scores: of each, under the coco protocol.
        leads: of each over the first; None for the first itself, and for one that was scored on
            other images or references.
    """

    systems: tuple[System, ...]
    scores: tuple[Scores, ...]
    leads: tuple[Lead | None, ...]

    @property
    def paired(self) -> list[int]:
        """The places of the first system and of those on the same images."""
        return [0, *(place for place, lead in enumerate(self.leads) if lead is not None)]

    def examples(self, count: int) -> list[Example]:
        """Returns the images on which the paired systems' CIDEr differs most, most first."""
        cider_MN = np.stack([_cider(self.scores[place]) for place in self.paired])
        spread_N = cider_MN.max(axis=0) - cider_MN.min(axis=0)
        chosen = np.argsort(-spread_N, kind="stable")[:count]
        image_ids = list(self.systems[0].references)
        return [
            self._example(image_ids[row], cider_MN[:, row]) for row in chosen if spread_N[row] > 0
        ]

    def _example(self, image_id: str, cider_M: np.ndarray) -> Example:
        systems = [self.systems[place] for place in self.paired]
        return Example(
            image_id,
            tuple(system.captions[image_id] for system in systems),
            tuple(cider_M.tolist()),
            tuple(systems[0].references[image_id]),
        )


def compare_systems(
    systems: Sequence[System], *, resampling: Resampling = DEFAULT_RESAMPLING
) -> Comparison:
    """Scores systems and sets each against the first.

    Args:
        systems: two or more; only those on the first one's images and references are paired.
        resampling: the bootstrap behind all intervals; the same draws serve every system.

    Raises:
        ScoreError: a system's captions and images do not match, or there is one system only.
    """
    if len(systems) < 2:
        raise ScoreError(f"A comparison needs two systems or more. Received: {len(systems)}.")
    order = list(systems[0].references)
    arranged = [
        system.restrict(order) if _same_ground(systems[0], system) else system for system in systems
    ]
    scores = [
        score_captions(s.captions, s.references, origin=s.origin, resampling=resampling)
        for s in arranged
    ]
    leads = [
        _lead(arranged[0], scores[0], system, own, resampling)
        if place and _same_ground(arranged[0], system)
        else None
        for place, (system, own) in enumerate(zip(arranged, scores, strict=True))
    ]
    return Comparison(tuple(arranged), tuple(scores), tuple(leads))


def find_faults(systems: Sequence[System]) -> list[str]:
    """Says why systems cannot be set against the first one; nothing where they can."""
    first = systems[0]
    return [fault for other in systems[1:] for fault in _explain_ground(first, other)]


def keep_common(systems: Sequence[System]) -> list[System]:
    """Returns the systems with only the images that all of them captioned, in one order.

    Raises:
        ScoreError: there is no such image.
    """
    shared = set.intersection(
        *(system.references.keys() & system.captions.keys() for system in systems)
    )
    image_ids = [image_id for image_id in systems[0].references if image_id in shared]
    if not image_ids:
        raise ScoreError(
            "No image is common to all systems; they captioned "
            f"{', '.join(_describe(system) for system in systems)}. "
            "Evaluate them on one split of one data set."
        )
    return [system.restrict(image_ids) for system in systems]


def _lead(
    first: System, first_scores: Scores, other: System, scores: Scores, resampling: Resampling
) -> Lead:
    gain_N = _cider(scores) - _cider(first_scores)
    alike = (
        normalise(caption) == normalise(first.captions[image_id])
        for image_id, caption in other.captions.items()
    )
    return Lead(
        compare_scores(scores, first_scores, resampling=resampling),
        num_better=int((gain_N > 0).sum()),
        num_worse=int((gain_N < 0).sum()),
        num_alike=sum(alike),
    )


def _cider(scores: Scores) -> np.ndarray:
    if scores.per_image is None or scores.per_image.cider is None:
        raise ScoreError(f"There is no CIDEr of single images under [{scores.signature}].")
    return scores.per_image.cider


def _same_ground(first: System, other: System) -> bool:
    return not any(_explain_ground(first, other))


def _explain_ground(first: System, other: System) -> Iterator[str]:
    ours, theirs = first.references, other.references
    if ours.keys() != theirs.keys():
        common = len(ours.keys() & theirs.keys())
        yield (
            f"{first.name} captioned {_describe(first)} and {other.name} {_describe(other)}; "
            f"{f'{common:,} of them' if common else 'none'} are the same"
        )
        return
    changed = [key for key, captions in ours.items() if sorted(captions) != sorted(theirs[key])]
    if changed:
        yield (
            f"{first.name} and {other.name} were given different references for "
            f"{len(changed):,} of {len(ours):,} images, such as {changed[0]} "
            f"({len(ours[changed[0]])} and {len(theirs[changed[0]])} captions)"
        )


def _describe(system: System) -> str:
    split = system.origin.split
    noun = "image" if len(system.references) == 1 else "images"
    return f"{len(system.references):,} {noun}{f' of split {split}' if split else ''}"
