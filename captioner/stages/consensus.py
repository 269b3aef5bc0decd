"""Part of stage `evaluate`: captions ranked anew by what people said of images like theirs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from captioner.pipeline.stage import StageRun
from captioner.stages import tokenize
from captioner.stages.sources import Sources

if TYPE_CHECKING:
    from captioner.decoders.captions import GeneratedCaption
    from captioner.features.reading import Features
    from captioner.metrics.consensus import Consensus

    Captions = Mapping[str, tuple[GeneratedCaption, ...]]


def rank(sources: Sources, run: StageRun, captions: "Captions", features: "Features") -> "Captions":
    """Ranks each image's captions by their score and their agreement with what people said."""
    from captioner.metrics.ranking import rank_captions
    from captioner.text.vocabulary import Vocabulary

    settings = sources.settings.evaluate
    return rank_captions(
        captions,
        features.read("vector", list(captions)),
        _learn_consensus(run, features),
        Vocabulary.load(run.needs["train"] / tokenize.VOCABULARY),
        cider_weight=settings.consensus,
        precision_weight=settings.consensus_bleu,
    )


def _learn_consensus(run: StageRun, features: "Features") -> "Consensus":
    from captioner.metrics.consensus import Consensus, spread_images
    from captioner.text.tokens import TokenisedCaptions

    tokenised = TokenisedCaptions.load(run.needs["tokenize"] / tokenize.TOKENS)
    with_features = set(features.image_ids)
    training_ids = [own for own in tokenised.image_ids_in("train") if own in with_features]
    training = tokenised.restrict(training_ids[index] for index in spread_images(len(training_ids)))
    return Consensus(training, features.read("vector", training.image_ids))
