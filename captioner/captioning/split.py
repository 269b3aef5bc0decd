"""The images of a data set captioned by a model, as it would caption anybody's: to be scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.captioning.stream import caption_stream
from captioner.datasets.records import CaptionedImage
from captioner.features.sources import count_workers
from captioner.progress import Progress

if TYPE_CHECKING:
    from captioner.captioning.captioner import Captioner


@dataclass(frozen=True)
class SplitCaptions:
    """What a model says of a split.

    Args:
        captions: image id -> the words that stand first, joined by blanks.
        rules: what decided them beside the beam, as a score's signature has it; None is nothing.
        beam: the beams that were kept.
        length_exponent: the exponent of the caption's length that divided its score.
        faults: image id -> why it could not be captioned.
    """

    captions: Mapping[str, str]
    rules: str | None
    beam: int
    length_exponent: float
    faults: Mapping[str, str]


def caption_split(
    captioner: "Captioner", images: Sequence[CaptionedImage], *, beam: int | None = None
) -> SplitCaptions:
    """Captions images from their files, with a progress bar on standard error.

    Args:
        captioner: the model.
        images: what to caption; ids are unique.
        beam: partial captions kept while searching; None takes what the model records.

    Raises:
        UsageError: `beam` is out of range.
    """
    engine = captioner.engine(beam=beam)
    listed = [_Listed(image.image_id, image.path) for image in images]
    stream = caption_stream(listed, engine, captioner.loader(), workers=count_workers())
    captions: dict[str, str] = {}
    faults: dict[str, str] = {}
    with Progress("caption", len(listed)) as progress:
        for batch in stream:
            for image, made in batch:
                if isinstance(made, str):
                    faults[image.image_id] = made
                else:
                    captions[image.image_id] = " ".join(made.words)
            progress.advance(len(batch))
    search = engine.settings
    rules = "+".join(engine.rules) or None
    return SplitCaptions(captions, rules, search.num_beams, search.length_exponent, faults)


@dataclass(frozen=True)
class _Listed:
    image_id: str
    path: Path
    fault: None = None  # the split lists what is there
