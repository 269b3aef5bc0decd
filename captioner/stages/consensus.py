"""Part of stage `evaluate`: captions ranked anew by what people said of images like theirs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from captioner.pipeline.stage import StageRun
from captioner.stages import tokenize
from captioner.stages.sources import Sources

if TYPE_CHECKING:
    from captioner.decoders.captions import GeneratedCaption
    from captioner.features.reading import Features
    from captioner.metrics.consensus import Agreement, Consensus
    from captioner.text.vocabulary import Vocabulary

    Captions = Mapping[str, tuple[GeneratedCaption, ...]]


def rank(sources: Sources, run: StageRun, captions: "Captions", features: "Features") -> "Captions":
    """Ranks each image's captions by their score and their agreement with what people said."""
    from captioner.text.vocabulary import Vocabulary

    vocabulary = Vocabulary.load(run.needs["train"] / tokenize.VOCABULARY)
    judge = _learn_consensus(run, features)
    settings = sources.settings.evaluate
    agreement = _measure_agreement(judge, captions, features, vocabulary)
    gains = iter(
        settings.consensus * agreement.cider_H + settings.consensus_bleu * agreement.precision_H
    )
    ranked = {}
    for image_id, found in captions.items():
        values = [caption.score + next(gains) for caption in found]
        order = sorted(range(len(found)), key=lambda place: -values[place])
        ranked[image_id] = tuple(found[place] for place in order)
    return ranked


def _learn_consensus(run: StageRun, features: "Features") -> "Consensus":
    from captioner.metrics.consensus import Consensus, spread_images
    from captioner.text.tokens import TokenisedCaptions

    tokenised = TokenisedCaptions.load(run.needs["tokenize"] / tokenize.TOKENS)
    with_features = set(features.image_ids)
    training_ids = [own for own in tokenised.image_ids_in("train") if own in with_features]
    training = tokenised.restrict(training_ids[index] for index in spread_images(len(training_ids)))
    return Consensus(training, features.read("vector", training.image_ids))


def _measure_agreement(
    judge: "Consensus", captions: "Captions", features: "Features", vocabulary: "Vocabulary"
) -> "Agreement":
    """Returns the agreement of each caption of each image, in order."""
    import numpy as np

    from captioner.metrics.ngrams import pad_captions

    words = [caption.words for found in captions.values() for caption in found]
    return judge.score(
        pad_captions([vocabulary.encode(own)[1:-1] for own in words]),
        features.read("vector", list(captions)),
        np.repeat(np.arange(len(captions)), [len(found) for found in captions.values()]),
    )
