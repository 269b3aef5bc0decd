"""The recipe that a score travels with, as in sacreBLEU (Post 2018, arXiv:1804.08771)."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from captioner import __version__
from captioner.metrics.bleu import Protocol
from captioner.text.normalisation import TOKENISERS, Scheme


@dataclass(frozen=True)
class Origin:
    """Where hypotheses come from; what is not known stays None and out of the signature.

    Args:
        split: the split that is captioned, or another name for the set of images.
        beam: beams kept while decoding; 1 is greedy search.
        length_normalisation: the exponent of the caption's length that divides its score.
        seed: the seed that the decoder was trained with.
        rules: what else decided the captions, such as "3grams-once+no-stutter"; None is nothing.
    """

    split: str | None = None
    beam: int | None = None
    length_normalisation: float | None = None
    seed: int | None = None
    rules: str | None = None


@dataclass(frozen=True)
class Signature:
    """Everything that decides a score besides the captions.

    Args:
        protocol: see `captioner.metrics.bleu`.
        references: references of an image, "5", or the fewest and the most, "1-5".
        images: number of images scored.
        digest: eight hexadecimal digits that stand for the set of image ids.
        origin: where the hypotheses come from.
        tokeniser: name and version of the rule that made the words.
        case: "lower", or "kept" where words keep their case.
        specials: "stripped": start, end and unknown tokens never count.
        closest: which reference length counts.
        smooth: what is added to counts; "none" but for coco's guard of 1e-15 against 0 / 0.
        version: of captioner.

    Example:
        >>> str(Signature("coco", "5", 1000, "1a2b3c4d", Origin(split="dev", beam=3)))
        'protocol:coco|nrefs:5|tok:captioner-1|case:lower|specials:stripped|ref:closest|smooth:none|beam:3|split:dev@1a2b3c4d|images:1000|version:0.1.0'
    """

    protocol: Protocol
    references: str
    images: int
    digest: str
    origin: Origin = field(default_factory=Origin)
    tokeniser: str = TOKENISERS["default"]
    case: str = "lower"
    specials: str = "stripped"
    closest: str = "closest"
    smooth: str = "none"
    version: str = __version__

    def fields(self) -> dict[str, str]:
        """Returns the parts under their short names, in the order they are printed."""
        parts = {
            "protocol": self.protocol,
            "nrefs": self.references,
            "tok": self.tokeniser,
            "case": self.case,
            "specials": self.specials,
            "ref": self.closest,
            "smooth": self.smooth,
            "beam": self.origin.beam,
            "norm": self.origin.length_normalisation,
            "rules": self.origin.rules,
            "seed": self.origin.seed,
            "split": f"{self.origin.split or ''}@{self.digest}",
            "images": self.images,
            "version": self.version,
        }
        return {name: str(value) for name, value in parts.items() if value is not None}

    def __str__(self) -> str:
        return "|".join(f"{name}:{value}" for name, value in self.fields().items())

    def to_json(self) -> dict[str, Any]:
        """Returns all fields and, under "text", the printed signature."""
        return {"text": str(self), **asdict(self)}


def sign(
    protocol: Protocol,
    scheme: Scheme,
    image_ids: Sequence[str],
    reference_counts: Iterable[int],
    origin: Origin,
) -> Signature:
    """Returns the signature of captions scored against references.

    Args:
        protocol: how BLEU is computed.
        scheme: how captions are normalised.
        image_ids: the images that are scored, in any order.
        reference_counts: for each image, how many references it has.
        origin: where the hypotheses come from.
    """
    counts = sorted(set(reference_counts))
    references = str(counts[0]) if len(counts) == 1 else f"{counts[0]}-{counts[-1]}"
    return Signature(
        protocol=protocol,
        references=references,
        images=len(image_ids),
        digest=digest_images(image_ids),
        origin=origin,
        tokeniser=TOKENISERS[scheme],
    )


def digest_images(image_ids: Iterable[str]) -> str:
    """Returns eight hexadecimal digits that stand for a set of image ids, in any order."""
    listing = json.dumps(sorted(image_ids), ensure_ascii=True)
    return hashlib.sha256(listing.encode("ascii")).hexdigest()[:8]
