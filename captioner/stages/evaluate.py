"""Stage `evaluate`: a trained decoder's captions of one split, scored beside the baselines."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from captioner.datasets.records import CaptionDataset, CaptionedImage
from captioner.errors import DatasetError, FeatureError, ScoreError
from captioner.pipeline.stage import Stage, StageOutcome, StageRun
from captioner.settings import EvaluateSection
from captioner.stages import consensus, tokenize, train
from captioner.stages.sources import Sources

if TYPE_CHECKING:
    from captioner.decoders.captions import GeneratedCaption
    from captioner.decoding.settings import SearchSettings
    from captioner.features.reading import Features
    from captioner.metrics.evaluation import EvaluationReport
    from captioner.report.evaluation import ScoredImage
    from captioner.text.vocabulary import Vocabulary

    Captions = Mapping[str, tuple[GeneratedCaption, ...]]

SCHEMA = 6  # since 6, consensus estimates CIDEr in two ways


def declare(sources: Sources) -> Stage:
    """Returns the stage, with everything that decides its output."""
    split = sources.settings.evaluate.split

    def evaluate(run: StageRun) -> StageOutcome:
        from captioner.decoders.captions import CaptionGenerator
        from captioner.decoders.ensemble import load_decoders
        from captioner.report.evaluation import REPORT, write_evaluation
        from captioner.report.evaluation_page import write_report
        from captioner.stages import looks
        from captioner.text.vocabulary import Vocabulary

        started = time.monotonic()
        features = train.open_features(sources, run)
        images = train.with_features(split_images(sources.dataset, split), features)
        if not images:
            raise FeatureError(f"None of the images of split '{split}' has features to caption.")
        vocabulary = Vocabulary.load(run.needs["train"] / tokenize.VOCABULARY)
        search = choose_search(sources.settings.evaluate, vocabulary)
        decoder = load_decoders(run.needs["train"])
        image_ids = [image.image_id for image in images]
        captions: Captions = CaptionGenerator(decoder, vocabulary, search).generate(
            features, image_ids, progress=True
        )
        if sources.settings.evaluate.asks_people:
            captions = consensus.rank(sources, run, captions, features)
        report = score(sources, search, images, captions, features)
        write_evaluation(
            run.folder,
            list_scored(images, captions, report),
            report.to_json(),
            tell_background(sources, run, time.monotonic() - started),
            looks.read(run, decoder, vocabulary, captions, features),
        )
        write_report(run.folder, run.folder / REPORT)
        return StageOutcome(str(report.scores))

    inputs = {
        **train.inputs(sources),
        **sources.section("evaluate"),
        "captions.scored": sources.captions((split,)),
        **train.feature_inputs(sources, (split,), "images.scored"),
    }
    return Stage("evaluate", SCHEMA, inputs, evaluate, needs=train.needs(sources, "train"))


def split_images(dataset: CaptionDataset, split: str) -> tuple[CaptionedImage, ...]:
    """Returns the images of a split that is to be scored.

    Raises:
        DatasetError: the split is empty; the message says which are not.
    """
    images = dataset.in_split(split)
    if not images:
        sizes = ", ".join(f"{name} ({size:,})" for name, size in dataset.split_sizes().items())
        raise DatasetError(
            f"The data set '{dataset.name}' has no image in split '{split}', only in {sizes}. "
            "Score another split, as with --set evaluate.split=dev"
        )
    return images


def choose_search(settings: EvaluateSection, vocabulary: "Vocabulary") -> "SearchSettings":
    """Returns how captions are searched for, with as many found as there are beams."""
    from captioner.decoding.settings import SearchSettings
    from captioner.text.dangling import find_dangling_ids

    return SearchSettings(
        num_beams=settings.beam,
        num_captions=settings.beam,
        max_length=settings.max_words,
        length_exponent=settings.length_exponent,
        no_repeat_ngram=settings.no_repeat_ngram,
        no_stutter=settings.no_stutter,
        never_last=find_dangling_ids(vocabulary) if settings.no_dangling else (),
    )


def describe_search(search: "SearchSettings", settings: EvaluateSection) -> str | None:
    """Returns what is unusual about the search, for the signature; None where nothing is."""
    consensus = [_describe_consensus(settings)] if settings.asks_people else []
    return "+".join([*search.rules, *consensus]) or None


def _describe_consensus(settings: EvaluateSection) -> str:
    bleu = f",bleu{settings.consensus_bleu:g}" if settings.consensus_bleu else ""
    return f"consensus{settings.consensus:g}{bleu}"


def score(
    sources: Sources,
    search: "SearchSettings",
    images: Sequence[CaptionedImage],
    captions: "Captions",
    features: "Features",
) -> "EvaluationReport":
    """Scores the best caption of each image, beside what they must beat."""
    from captioner.metrics.baselines import choose_nearest_captions
    from captioner.metrics.bootstrap import Resampling
    from captioner.metrics.evaluation import evaluate_captions
    from captioner.metrics.signature import Origin

    settings = sources.settings
    training = train.with_features(sources.dataset.in_split("train"), features)
    scored_ids = [image.image_id for image in images]
    training_ids = [image.image_id for image in training]
    training_captions = {image.image_id: image.captions for image in training}
    return evaluate_captions(
        {image_id: " ".join(captions[image_id][0].words) for image_id in scored_ids},
        {image.image_id: image.captions for image in images},
        training=training_captions,
        nearest=choose_nearest_captions(
            scored_ids,
            features.read("vector", scored_ids),
            training_captions,
            training_ids,
            features.read("vector", training_ids),
        ),
        origin=Origin(
            split=settings.evaluate.split,
            beam=search.num_beams,
            length_normalisation=search.length_exponent,
            rules=describe_search(search, settings.evaluate),
            seed=settings.train.seed,
        ),
        resampling=Resampling(settings.evaluate.bootstrap, settings.evaluate.seed),
    )


def list_scored(
    images: Sequence[CaptionedImage], captions: "Captions", report: "EvaluationReport"
) -> "list[ScoredImage]":
    """Returns each image with its captions and the CIDEr of the best of them."""
    per_image = report.scores.per_image
    if per_image is None or per_image.cider is None:
        raise ScoreError("The captions were scored as a whole only, not image by image.")
    ciders = dict(zip(per_image.image_ids, per_image.cider.tolist(), strict=True))
    return [
        _list_captions(image, captions[image.image_id], ciders[image.image_id]) for image in images
    ]


def _list_captions(
    image: CaptionedImage, captions: "Sequence[GeneratedCaption]", cider: float
) -> "ScoredImage":
    from captioner.report.evaluation import ScoredImage

    best, *others = captions
    return ScoredImage(
        image_id=image.image_id,
        path=image.path,
        caption=" ".join(best.words),
        log_prob=best.log_prob,
        others=tuple((" ".join(other.words), other.log_prob) for other in others),
        references=image.captions,
        cider=cider,
    )


def tell_background(sources: Sources, run: StageRun, seconds: float) -> dict[str, Any]:
    """Returns what the report tells beside captions and scores."""
    from captioner.report.background import describe_background

    statistics = (run.needs["tokenize"] / tokenize.STATISTICS).read_text(encoding="utf-8")
    return describe_background(
        sources.name,
        sources.command,
        sources.settings.model_dump(mode="json", exclude_none=True),
        run.needs,
        json.loads(statistics)["vocabulary"],
        seconds,
    )
