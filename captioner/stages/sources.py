"""What the stages of one pipeline work on, and how each part of it enters a fingerprint.

A stage's inputs name the parts that decide its output and no others: a photograph edited in the
test split moves `evaluate` and `extract`, but not `train`.
"""

import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from json.encoder import encode_basestring_ascii
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from captioner.backbones.registry import find_spec
from captioner.backbones.spec import BackboneSpec
from captioner.backbones.trained import fit_spec
from captioner.backbones.weights import WeightsOrigin, resolve_weights
from captioner.datasets.records import SPLITS, CaptionDataset
from captioner.packing import PackedSequence, pack_digests
from captioner.pipeline.digests import DigestCache
from captioner.pipeline.fingerprint import Collection, Inputs
from captioner.pipeline.stage import StageRun
from captioner.progress import track
from captioner.settings import Settings
from captioner.stages.split_collections import collect_splits

ENCODER_WEIGHTS = "encoder.weights.h5"  # what stage `pretrain` leaves
_HEIC_SUFFIXES = (".heic", ".heif")
MANY_IMAGES = 5000  # from here on, reading them all is worth a progress bar


@dataclass(frozen=True)
class Sources:
    """Settings, data set and content digests of one pipeline.

    Args:
        settings: the validated pipeline file.
        dataset: the images and captions that it names.
        digests: content digests of files.
        name: what the pipeline is called; like the command it is told, and decides nothing.
        command: the command line that runs the pipeline, if there is one.
        pretrained: what decides the encoder's weights where stage `pretrain` makes them.
    """

    settings: Settings
    dataset: CaptionDataset
    digests: DigestCache
    name: str = ""
    command: str | None = None
    pretrained: Inputs | None = None

    @cached_property
    def spec(self) -> BackboneSpec:
        """The encoder's specification."""
        backbone = self.settings.backbone
        return fit_spec(find_spec(backbone.name), backbone.weights, backbone.input_size)

    @cached_property
    def weights(self) -> WeightsOrigin:
        """Where the encoder's weights come from, and their digest if it can be known."""
        backbone = self.settings.backbone
        return resolve_weights(
            self.spec, backbone.weights, backbone.seed, digest=self.digests.digest
        )

    @cached_property
    def image_digests(self) -> PackedSequence[str]:
        """SHA-256 of each image's file, in order; of an unreadable file, the reason instead."""
        return pack_digests(digest_images(self.dataset.images.files, self.digests))

    @cached_property
    def caption_digests(self) -> PackedSequence[str]:
        """SHA-256 of each image's split and captions, in order."""
        images = self.dataset.images
        pairs = zip(images.splits, images.captions, strict=True)
        return PackedSequence((_digest([split, *own]) for split, own in pairs), bytes.hex)

    def weights_file(self, run: StageRun) -> str:
        """Returns where a stage that needs the encoder finds its weights."""
        if self.pretrained is None:
            return self.settings.backbone.weights
        return str((run.needs["pretrain"] / ENCODER_WEIGHTS).resolve())

    @property
    def encoder_needs(self) -> tuple[str, ...]:
        """The stages that the encoder's weights come from."""
        return () if self.pretrained is None else ("pretrain",)

    def images(self, splits: Sequence[str] = SPLITS) -> Collection:
        """Returns the content of the photographs in some splits."""
        return self._image_collections[frozenset(splits)]

    def captions(self, splits: Sequence[str] = SPLITS) -> Collection:
        """Returns the captions and the split of each image in some splits."""
        return self._caption_collections[frozenset(splits)]

    @cached_property
    def _image_collections(self) -> Mapping[frozenset[str], Collection]:
        return collect_splits("image", self.dataset.images, self.image_digests)

    @cached_property
    def _caption_collections(self) -> Mapping[frozenset[str], Collection]:
        return collect_splits("captioned image", self.dataset.images, self.caption_digests)

    def backbone_inputs(self) -> dict[str, Any]:
        """Returns what decides the encoder."""
        if self.pretrained is not None:
            return {**self.pretrained, "backbone.name": self.spec.name}
        origin = self.weights
        return {
            "backbone.name": self.spec.name,
            "backbone.weights": origin.source,
            "backbone.weights.digest": origin.digest,
            "backbone.seed": origin.seed,
            "backbone.resize": self.spec.rule.describe(),
            "backbone.preprocessing": origin.preprocessing,
        }

    def encoding_inputs(self) -> dict[str, Any]:
        """Returns what decides the features of a given photograph."""
        extract = self.settings.extract
        # Where grids stay as they are, features made before the setting existed still serve.
        side = {} if extract.grid_side is None else {"extract.grid_side": extract.grid_side}
        return {
            **self.backbone_inputs(),
            "extract.outputs": list(self.settings.feature_kinds),
            **side,
            "extract.precision": extract.precision,
            **library_inputs("pillow", "tensorflow"),
        }

    @cached_property
    def missing_readers(self) -> dict[str, Any]:
        """Returns what is missing to read some photographs: they are tried again once it is there.

        It decides which photographs have features, and not what these are.
        """
        if importlib.util.find_spec("pillow_heif") is not None:
            return {}
        has_heic = any(file.lower().endswith(_HEIC_SUFFIXES) for file in self.dataset.images.files)
        return {"library.pillow_heif": "missing"} if has_heic else {}

    def section(self, name: str, *, without: Sequence[str] = ()) -> dict[str, Any]:
        """Returns one section's settings as inputs, but for those that decide nothing."""
        section: BaseModel = getattr(self.settings, name)
        values = section.model_dump(mode="json", exclude=set(without))
        return {f"{name}.{key}": value for key, value in values.items()}


def digest_images(files: Sequence[str | Path], digests: DigestCache) -> Iterator[str]:
    """Yields the SHA-256 of each file; of an unreadable file, the reason instead."""
    with digests.at_hand():
        for file in track(files, "look at") if len(files) > MANY_IMAGES else files:
            yield _digest_or_reason(file, digests)


def _digest_or_reason(file: str | Path, digests: DigestCache) -> str:
    try:
        return digests.digest(file)
    except OSError as error:
        return f"unreadable: {error.strerror}"


def library_inputs(*packages: str) -> dict[str, str]:
    """Returns the major and minor version of packages whose arithmetic decides an output."""
    versions = {package: importlib.metadata.version(package) for package in packages}
    return {f"library.{name}": ".".join(v.split(".")[:2]) for name, v in versions.items()}


def _digest(texts: Iterable[str]) -> bytes:
    """Returns the SHA-256 of a JSON list, written without the cost of an encoder for each."""
    return hashlib.sha256(f"[{', '.join(map(encode_basestring_ascii, texts))}]".encode()).digest()
