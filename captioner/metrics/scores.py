"""Captions against references: BLEU, CIDEr and ROUGE-L, with intervals and the signature.

Dimension key: N images, S samples, K columns of per-image counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from captioner.errors import ScoreError, UsageError
from captioner.metrics.bleu import PROTOCOLS, Bleu, NgramCounts, Protocol, count_ngrams
from captioner.metrics.bootstrap import (
    Difference,
    Interval,
    Resampling,
    find_difference,
    find_interval,
)
from captioner.metrics.cider import score_cider, score_rouge_l
from captioner.metrics.pairs import Hypotheses, References, pair_captions
from captioner.metrics.signature import Origin, Signature, sign
from captioner.text.normalisation import Scheme

METRICS = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "cider", "rouge_l")
SCHEME_OF: dict[Protocol, Scheme] = {"coco": "default", "nltk": "default", "tutorial": "tutorial"}

UNKNOWN_ORIGIN = Origin()
DEFAULT_RESAMPLING = Resampling()


@dataclass(frozen=True, eq=False)
class PerImageScores:
    """What the scores are made of, image by image.

    Args:
        image_ids: the N images.
        ngrams: counts for BLEU.
        cider: float64 (N,), or None under a protocol other than "coco".
        rouge_l: float64 (N,), likewise.
    """

    image_ids: tuple[str, ...]
    ngrams: NgramCounts
    cider: np.ndarray | None
    rouge_l: np.ndarray | None

    def rows(self) -> dict[str, dict[str, float]]:
        """Returns for each image its scores; BLEU of one image is rough and only for sorting."""
        bleu_N4 = self.ngrams.score_sums(self.ngrams.table_NK)
        columns = dict(zip(METRICS, [*bleu_N4.T, self.cider, self.rouge_l], strict=True))
        return {
            image_id: {
                name: float(values[image]) for name, values in columns.items() if values is not None
            }
            for image, image_id in enumerate(self.image_ids)
        }

    def resample(self, resampling: Resampling) -> dict[str, np.ndarray]:
        """Returns each metric's samples, float64 (S,), over images drawn with replacement."""
        columns = {"cider": self.cider, "rouge_l": self.rouge_l}
        means = {name: values_N for name, values_N in columns.items() if values_N is not None}
        table_NK = np.column_stack([self.ngrams.table_NK, *means.values()])
        sums_SK = resampling.sum_rows(table_NK)
        num_counts = self.ngrams.table_NK.shape[1]
        samples = dict(
            zip(METRICS, self.ngrams.score_sums(sums_SK[:, :num_counts]).T, strict=False)
        )
        for column, name in enumerate(means, num_counts):
            samples[name] = sums_SK[:, column] / len(self.image_ids)
        return samples


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of one set of captions. Print it, and the signature comes along.

    Args:
        bleu: BLEU-1 to BLEU-4, 0 to 1.
        cider: CIDEr-D, 0 to 10, or None under a protocol other than "coco".
        rouge_l: ROUGE-L, 0 to 1, likewise.
        intervals: for each metric its 95 % bootstrap interval over images.
        signature: how all of this was computed.
        num_empty: captions without a single word, scored as they are.
        num_sentinels: special tokens removed from the captions before scoring.
        per_image: the parts, or None for an average of several sets of captions.
    """

    bleu: Bleu
    cider: float | None
    rouge_l: float | None
    intervals: Mapping[str, Interval]
    signature: Signature
    num_empty: int
    num_sentinels: int
    per_image: PerImageScores | None

    @property
    def values(self) -> dict[str, float]:
        """The metrics that were computed, under the names of `METRICS`."""
        named = dict(zip(METRICS, [*self.bleu, self.cider, self.rouge_l], strict=True))
        return {name: value for name, value in named.items() if value is not None}

    def to_json(self) -> dict[str, Any]:
        """Returns everything but the parts, ready for JSON; scores are 0 to 1, CIDEr 0 to 10."""
        return {
            **self.values,
            "intervals": {name: span.to_json() for name, span in self.intervals.items()},
            "num_images": self.signature.images,
            "num_empty": self.num_empty,
            "num_sentinels": self.num_sentinels,
            "signature": self.signature.to_json(),
        }

    def __str__(self) -> str:
        bleu = " / ".join(f"{100 * value:.1f}" for value in self.bleu)
        rest = "".join(
            f", {label} {100 * value:.1f}"
            for label, value in (("CIDEr", self.cider), ("ROUGE-L", self.rouge_l))
            if value is not None
        )
        return f"BLEU-1..4 {bleu}{rest} [{self.signature}]"


def score_captions(
    hypotheses: Hypotheses,
    references: References,
    *,
    protocol: Protocol = "coco",
    origin: Origin = UNKNOWN_ORIGIN,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> Scores:
    """Scores one caption for each image against what people wrote.

    Args:
        hypotheses: image id -> caption as text; normalised here. An empty one counts as empty.
        references: image id -> captions as people wrote them, at least one, for the same images.
        protocol: "coco" (BLEU, CIDEr and ROUGE-L), "nltk" or "tutorial" (BLEU alone).
        origin: where the hypotheses come from, for the signature.
        resampling: the bootstrap behind the intervals.

    Raises:
        ScoreError: images and captions do not match, or an image has no reference.
        UsageError: the protocol is unknown.

    Example:
        >>> scores = score_captions({"1": "a dog runs"}, {"1": ["A dog runs.", "One dog"]})
        >>> round(scores.bleu[2], 3)
        1.0
    """
    _check_protocol(protocol)
    scheme = SCHEME_OF[protocol]
    pairs = pair_captions(hypotheses, references, scheme)
    full = protocol == "coco"
    per_image = PerImageScores(
        pairs.image_ids,
        count_ngrams(pairs.hypotheses, pairs.references, protocol),
        score_cider(pairs.hypotheses, pairs.references) if full else None,
        score_rouge_l(pairs.hypotheses, pairs.references) if full else None,
    )
    samples = per_image.resample(resampling)
    return Scores(
        bleu=per_image.ngrams.bleu,
        cider=_mean(per_image.cider),
        rouge_l=_mean(per_image.rouge_l),
        intervals={name: find_interval(values_S) for name, values_S in samples.items()},
        signature=sign(protocol, scheme, pairs.image_ids, map(len, pairs.references), origin),
        num_empty=sum(not words for words in pairs.hypotheses),
        num_sentinels=pairs.num_sentinels,
        per_image=per_image,
    )


def average_scores(
    rounds: Sequence[Scores], *, resampling: Resampling = DEFAULT_RESAMPLING
) -> Scores:
    """Returns the mean of several scores over the same images, as of people left out in turn."""
    first = rounds[0]
    samples = [scores.per_image.resample(resampling) for scores in rounds if scores.per_image]
    one, two, three, four = np.mean([scores.bleu for scores in rounds], axis=0).tolist()
    means = {
        name: float(np.mean([scores.values[name] for scores in rounds])) for name in first.values
    }
    return Scores(
        bleu=(one, two, three, four),
        cider=means.get("cider"),
        rouge_l=means.get("rouge_l"),
        intervals={
            name: find_interval(np.mean([sample[name] for sample in samples], axis=0))
            for name in means
        },
        signature=first.signature,
        num_empty=sum(scores.num_empty for scores in rounds),
        num_sentinels=sum(scores.num_sentinels for scores in rounds),
        per_image=None,
    )


def compare_scores(
    first: Scores, second: Scores, *, resampling: Resampling = DEFAULT_RESAMPLING
) -> dict[str, Difference]:
    """Returns, for each metric, how much better `first` is than `second` on the same images.

    Images are drawn alike for both (a paired bootstrap), which finds smaller differences than
    two intervals laid side by side.

    Raises:
        ScoreError: the two were not scored on the same images under the same protocol.
    """
    ours, theirs = first.per_image, second.per_image
    if ours is None or theirs is None or _ground(first) != _ground(second):
        raise ScoreError(
            "Only scores of the same images, references and protocol can be compared. "
            f"Received: [{first.signature}] and [{second.signature}]"
        )
    if ours.image_ids != theirs.image_ids:
        raise ScoreError("The two systems were scored with their images in different orders.")
    samples, others = ours.resample(resampling), theirs.resample(resampling)
    return {
        name: find_difference(value - second.values[name], samples[name] - others[name])
        for name, value in first.values.items()
    }


def _ground(scores: Scores) -> tuple[str, ...]:
    signature = scores.signature
    return signature.protocol, signature.references, signature.digest, signature.tokeniser


def _mean(values_N: np.ndarray | None) -> float | None:
    return None if values_N is None else float(np.mean(values_N))


def _check_protocol(protocol: str) -> None:
    if protocol not in PROTOCOLS:
        raise UsageError(f"Protocol {protocol!r} is unknown. Known: {', '.join(PROTOCOLS)}.")
