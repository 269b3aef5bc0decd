"""Part of stage `evaluate`: where a model that attends looked for each word of its captions."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from captioner.pipeline.stage import StageRun
from captioner.report.looks import Ground, Looks, pack
from captioner.stages import build

if TYPE_CHECKING:
    from captioner.decoders.captions import GeneratedCaption
    from captioner.decoders.ensemble import AnyDecoder
    from captioner.features.reading import Features
    from captioner.text.vocabulary import Vocabulary

_AT_ONCE = 256  # images whose grids are in memory


def read(
    run: StageRun,
    decoder: "AnyDecoder",
    vocabulary: "Vocabulary",
    captions: Mapping[str, "tuple[GeneratedCaption, ...]"],
    features: "Features",
) -> Looks | None:
    """Returns where the best caption of each image looked; None where the model cannot say.

    The images are in the order of `captions`.
    """
    from captioner.decoders.looking import AttentionReader

    if not decoder.attends:
        return None
    reader = AttentionReader(decoder, vocabulary)
    image_ids = list(captions)
    weights = []
    for first in range(0, len(image_ids), _AT_ONCE):
        ids = image_ids[first : first + _AT_ONCE]
        grids_NHWC = features.read(decoder.spec.feature_kind, ids)
        weights += reader.read(grids_NHWC, [captions[id_][0].words for id_ in ids])
    return pack(weights, _find_ground(run, decoder.spec.feature_shape))


def _find_ground(run: StageRun, grid: Sequence[int]) -> Ground:
    if "build" not in run.needs:
        return Ground.of(grid)
    text = (run.needs["build"] / build.DESCRIPTION).read_text(encoding="utf-8")
    return Ground.of(grid, json.loads(text)["resize"])
