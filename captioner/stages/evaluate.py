"""Stage `evaluate`: a trained decoder's captions of one split, scored beside the baselines."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.datasets.records import CaptionDataset, CaptionedImage
from captioner.errors import DatasetError, FeatureError
from captioner.files import replace_file, write_json
from captioner.pipeline.stage import Stage, StageOutcome, StageRun
from captioner.stages import tokenize, train
from captioner.stages.sources import Sources

if TYPE_CHECKING:
    from captioner.decoders.captions import GeneratedCaption
    from captioner.features.reading import Features
    from captioner.metrics.evaluation import EvaluationReport

    Captions = Mapping[str, tuple[GeneratedCaption, ...]]

SCHEMA = 1
CAPTIONS, SCORES = "captions.jsonl", "scores.json"


def declare(sources: Sources) -> Stage:
    """Returns the stage, with everything that decides its output."""
    split = sources.settings.evaluate.split

    def evaluate(run: StageRun) -> StageOutcome:
        features = train.open_features(sources, run)
        images = train.with_features(split_images(sources.dataset, split), features)
        if not images:
            raise FeatureError(f"None of the images of split '{split}' has features to caption.")
        captions = generate_captions(sources, run, images, features)
        report = score(sources, images, captions, features)
        write_captions(run.folder / CAPTIONS, images, captions)
        write_json(run.folder / SCORES, report.to_json())
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


def generate_captions(
    sources: Sources, run: StageRun, images: Sequence[CaptionedImage], features: "Features"
) -> "Captions":
    """Returns for each image the captions that the search found, the best first."""
    from captioner.decoders.captions import CaptionGenerator
    from captioner.decoders.storage import load_decoder
    from captioner.decoding.settings import SearchSettings
    from captioner.text.vocabulary import Vocabulary

    settings = sources.settings.evaluate
    search = SearchSettings(
        num_beams=settings.beam,
        num_captions=settings.beam,
        max_length=settings.max_words,
        length_exponent=settings.length_exponent,
    )
    vocabulary = Vocabulary.load(run.needs["train"] / tokenize.VOCABULARY)
    generator = CaptionGenerator(load_decoder(run.needs["train"]), vocabulary, search)
    return generator.generate(features, [image.image_id for image in images], progress=True)


def score(
    sources: Sources,
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
            beam=settings.evaluate.beam,
            length_normalisation=settings.evaluate.length_exponent,
            seed=settings.train.seed,
        ),
        resampling=Resampling(settings.evaluate.bootstrap, settings.evaluate.seed),
    )


def write_captions(path: Path, images: Sequence[CaptionedImage], captions: "Captions") -> None:
    """Writes each image's captions and references, a JSON object a line."""
    with replace_file(path, "w", newline="\n") as file:
        for image in images:
            best, *others = captions[image.image_id]
            record = {
                "image_id": image.image_id,
                "caption": " ".join(best.words),
                "log_prob": round(best.log_prob, 4),
                "others": [
                    {"caption": " ".join(other.words), "log_prob": round(other.log_prob, 4)}
                    for other in others
                ],
                "references": list(image.captions),
            }
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
