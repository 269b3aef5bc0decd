"""Stage `pretrain`: class folders in, an encoder's weights out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioner.backbones.registry import find_spec
from captioner.backbones.spec import BackboneSpec
from captioner.backbones.weights import WeightsOrigin, resolve_weights
from captioner.classifiers.class_folders import ClassFolders, LabelledImage
from captioner.classifiers.settings import Augmentation, ClassifierSettings
from captioner.errors import DatasetError
from captioner.files import replace_file, write_json, write_text
from captioner.pipeline.digests import DigestCache
from captioner.pipeline.fingerprint import Collection
from captioner.pipeline.stage import Stage, StageOutcome, StageRun
from captioner.settings import BackboneSection, PretrainSection
from captioner.stages.sources import digest_images, library_inputs

if TYPE_CHECKING:
    from captioner.classifiers.training import LabelledSplits
    from captioner.features.journal import Failure

SCHEMA = 1
STAGE = "pretrain"
WEIGHTS = "encoder.weights.h5"
SCORES, TABLE, FAILURES = "scores.json", "scores.txt", "failures.jsonl"


@dataclass(frozen=True)
class Pretraining:
    """What an encoder is trained from.

    Args:
        backbone: names the network.
        settings: how it is trained.
        folders: the labelled images.
        digests: content digests of files.
    """

    backbone: BackboneSection
    settings: PretrainSection
    folders: ClassFolders
    digests: DigestCache

    @cached_property
    def spec(self) -> BackboneSpec:
        """The network, for these classes and this size of images."""
        size = self.settings.input_size
        return find_spec(self.backbone.name).at(len(self.folders.class_names), size)

    @cached_property
    def origin(self) -> WeightsOrigin:
        """Where its first weights come from."""
        weights, seed = self.settings.weights, self.settings.seed
        return resolve_weights(self.spec, weights, seed, digest=self.digests.digest)

    @cached_property
    def image_digests(self) -> dict[str, str]:
        """Name of each image -> SHA-256 of its file."""
        images = self.folders.images
        found = digest_images([image.path for image in images], self.digests)
        return dict(zip([image.name for image in images], found, strict=True))

    def inputs(self) -> dict[str, Any]:
        """Returns what decides the weights: number of threads and folder names are not among it."""
        settings = self.settings.model_dump(mode="json", exclude=set(NOT_DECIDING))
        return {
            "backbone.name": self.spec.name,
            **{f"pretrain.{key}": value for key, value in settings.items()},
            "pretrain.weights": self.origin.source,
            "pretrain.weights.digest": self.origin.digest,
            "pretrain.preprocessing": self.origin.preprocessing,
            "pretrain.resize": self.spec.rule.describe(),
            "pretrain.images": Collection("labelled image", self.image_digests),
            **library_inputs("keras", "pillow", "tensorflow"),
        }

    def classifier_settings(self) -> ClassifierSettings:
        """Returns how the classifier is trained."""
        values = self.settings.model_dump()
        moved = {key: values[key] for key in Augmentation.__dataclass_fields__}
        fields = set(ClassifierSettings.__dataclass_fields__) - {"augmentation"}
        return ClassifierSettings(
            **{key: values[key] for key in fields}, augmentation=Augmentation(**moved)
        )


# What these lead to, the images and their split, is among the inputs instead.
NOT_DECIDING = (
    "format",
    "path",
    "dev",
    "dev_fraction",
    "split_seed",
    "num_images",
    "input_size",
    "weights",
    "workers",
)


def declare(pretraining: Pretraining) -> Stage:
    """Returns the stage, with everything that decides its output."""

    def pretrain_encoder(run: StageRun) -> StageOutcome:
        from captioner.checkpoint import remove_checkpoint
        from captioner.classifiers.scores import format_scores
        from captioner.classifiers.training import train_classifier

        failures, splits = open_splits(pretraining)
        write_failures(run.folder / FAILURES, failures)
        summary = train_classifier(
            pretraining.spec,
            pretraining.origin,
            splits,
            pretraining.classifier_settings(),
            run.folder,
        )
        write_json(run.folder / SCORES, summary.scores.to_json())
        write_text(run.folder / TABLE, format_scores(summary.scores))
        remove_checkpoint(run.folder)
        return StageOutcome(
            f"best of {len(summary.history)} epochs: {summary.best.epoch}, "
            f"dev accuracy {summary.scores.accuracy:.1%}{_count_failures(failures)}",
            len(failures),
        )

    return Stage(STAGE, SCHEMA, pretraining.inputs(), pretrain_encoder)


def open_splits(pretraining: Pretraining) -> "tuple[list[Failure], LabelledSplits]":
    """Returns the images that cannot be used, and the others in batches.

    Raises:
        DatasetError: a class is left without an image to learn from, or dev without any.
    """
    from captioner.classifiers.batches import LabelledBatches, find_unreadable
    from captioner.classifiers.training import LabelledSplits

    folders, digests, settings = (
        pretraining.folders,
        pretraining.image_digests,
        pretraining.settings,
    )
    rule = pretraining.spec.rule
    failures = find_unreadable(folders.images, digests, rule, settings.workers)
    failed = {failure.image_id for failure in failures}
    train, dev = (
        [image for image in folders.in_split(split) if image.name not in failed]
        for split in ("train", "dev")
    )
    _check_left(folders, train, dev, failures)
    batches = (
        LabelledBatches(images, digests, rule, settings.batch_size, settings.workers)
        for images in (train, dev)
    )
    return failures, LabelledSplits(folders.class_names, *batches)


def write_failures(path: Path, failures: "Sequence[Failure]") -> None:
    """Lists the images that could not be used, a JSON object a line."""
    with replace_file(path, "w") as file:
        for failure in failures:
            record = {"image": failure.image_id, "path": failure.path, "cause": failure.cause}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def _check_left(
    folders: ClassFolders,
    train: Sequence[LabelledImage],
    dev: Sequence[LabelledImage],
    failures: "Sequence[Failure]",
) -> None:
    labels = {image.label for image in train}
    lost = [name for label, name in enumerate(folders.class_names) if label not in labels]
    what = "; ".join(f"'{name}' has no image left to learn from" for name in lost[:5])
    if not dev:
        what = "no image is left to judge by"
    if what:
        raise DatasetError(
            f"{len(failures):,} of {len(folders.images):,} images cannot be used, and {what}. "
            f"The first of them: {failures[0].path}: {failures[0].cause}"
        )


def _count_failures(failures: "Sequence[Failure]") -> str:
    if not failures:
        return ""
    count = "1 image" if len(failures) == 1 else f"{len(failures):,} images"
    return f"; {count} could not be used, listed in {FAILURES}"
