"""Trained models on disk: the shipped one, those of pipelines, and folders of one's own.

Nothing here loads TensorFlow.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioner.backbones.spec import Size
from captioner.decoders.members import list_members
from captioner.decoding.settings import SearchSettings
from captioner.errors import DecoderError, UsageError
from captioner.files import hash_file, is_free, parse_json
from captioner.names import nearest
from captioner.pipeline.artifacts import POINTERS

if TYPE_CHECKING:
    from captioner.metrics.expectation import Expectation

DECODER, WEIGHTS, VOCABULARY = "decoder.json", "decoder.weights.h5", "vocabulary.json"
BACKBONE = "backbone.json"
SEARCH = "search.json"  # optional: how captions are best searched for with this model
EXPECTATION = "expectation.npz"  # optional: what people can be expected to say of an image
PARTS = (DECODER, WEIGHTS, VOCABULARY, BACKBONE)
SHIPPED = Path(__file__).resolve().parents[1] / "pretrained"
SHIPPED_NAME = "shipped"
# What a model records of its search; the last three only where they are not as usual.
SEARCH_KEYS = (
    "num_beams",
    "max_length",
    "length_exponent",
    "no_repeat_ngram",
    "no_stutter",
    "never_last",
)


@dataclass(frozen=True)
class BackboneRecord:
    """The encoder that a decoder was trained on.

    Args:
        name: a name of `backbones.registry`.
        weights: "imagenet", "random" or a path, as given when it was trained.
        digest: of the weights' file; None for random weights.
        seed: of random weights.
        input_size: height and width of the images, in pixels.
    """

    name: str
    weights: str
    digest: str | None
    seed: int
    input_size: Size


@dataclass(frozen=True)
class ModelFolder:
    """A folder with a trained model.

    Args:
        path: holds `decoder.json`, `decoder.weights.h5`, `vocabulary.json`, `backbone.json`, and
            where the best search is known `search.json`; `expectation.npz` where captions are to
            be ranked by it.
        name: what to call it: "shipped", a pipeline's name, or the path.
    """

    path: Path
    name: str

    @property
    def size(self) -> int:
        """Bytes of its parts."""
        return sum(path.stat().st_size for path in self._files())

    def digest(self) -> str:
        """Returns what identifies the model: the SHA-256 of all that decides its captions."""
        files = [path for path in self._files() if path.name != BACKBONE]
        parts = {path.relative_to(self.path).as_posix(): hash_file(path) for path in files}
        identity = [parts, vars(self.backbone())]
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    def backbone(self) -> BackboneRecord:
        """Reads which encoder it needs.

        Raises:
            DecoderError: the record is missing or damaged.
        """
        record = self.read_json(BACKBONE)
        try:
            name, weights = record["name"], record["weights"]
            source, digest = weights["source"], weights["digest"]
            if not all(isinstance(text, str) for text in (name, source, digest or "")):
                raise TypeError("names and digests are text")
            seed = 0 if weights["seed"] is None else int(weights["seed"])
            size = int(record["resize"]["height"]), int(record["resize"]["width"])
            return BackboneRecord(name, source, digest, seed, size)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise DecoderError(
                f"{self.path / BACKBONE} does not say which encoder the model needs: {error!r}. "
                "Train the model again."
            ) from error

    def search(self) -> SearchSettings:
        """Returns how captions are best searched for: as recorded with the model, or as usual.

        Raises:
            DecoderError: the record is damaged.
        """
        if not (self.path / SEARCH).exists():
            return SearchSettings()
        record = self.read_json(SEARCH)
        if not isinstance(record, dict) or not set(record) <= set(SEARCH_KEYS):
            raise DecoderError(
                f"{self.path / SEARCH} holds {', '.join(sorted(SEARCH_KEYS))} and nothing else. "
                f"Received: {record}"
            )
        try:
            never_last = tuple(record.pop("never_last", ()))
            return replace(SearchSettings(), **record, never_last=never_last)
        except (TypeError, UsageError) as error:
            raise DecoderError(f"{self.path / SEARCH} is damaged: {error}") from error

    def expectation(self, num_features: int) -> "Expectation | None":
        """Reads what people can be expected to say of an image; None where the model lacks it.

        Args:
            num_features: of an image, that the model's decoder reads.

        Raises:
            DecoderError: it is damaged, or of other features.
        """
        from captioner.metrics.expectation import Expectation

        path = self.path / EXPECTATION
        return Expectation.load(path, num_features) if path.exists() else None

    def read_json(self, name: str) -> Any:
        """Reads one of its JSON files.

        Raises:
            DecoderError: it is missing or no JSON.
        """
        path = self.path / name
        try:
            return parse_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise DecoderError(
                f"{path}: this part of the model cannot be read: {error.strerror}. A model "
                f"consists of {', '.join(PARTS)}."
            ) from error
        except ValueError as error:
            raise DecoderError(f"{path} is damaged: {error}. Train the model again.") from error

    def _files(self) -> Iterator[Path]:
        own = [self.path / name for name in (*PARTS, SEARCH, EXPECTATION)]
        _, *others = list_members(self.path)
        theirs = [member / name for member in others for name in (DECODER, WEIGHTS)]
        return (path for path in (*own, *theirs) if path.exists())


def find_model(model: str | Path | None = None, artifacts: Path | None = None) -> ModelFolder:
    """Finds a trained model.

    Args:
        model: a folder with a model, a pipeline's folder in the artifacts, or a pipeline's name;
            None or "shipped" finds the model that ships with captioner.
        artifacts: where pipelines keep their results; None takes $CAPTIONER_ARTIFACTS or
            `artifacts`.

    Raises:
        UsageError: there is none; the message says what there is.
    """
    if model is None:
        return _find_shipped()
    root = _artifacts_root(artifacts)
    for folder, name in ((Path(model), str(model)), (root / model, str(model))):
        found = _find_in(folder, root)
        if found is not None:
            return ModelFolder(found, name)
    if str(model) == SHIPPED_NAME:
        return _find_shipped()
    known = [listed.name for listed in list_models(artifacts)]
    listed = f" Known: {', '.join(known)}." if known else ""
    raise UsageError(
        f"There is no trained model at {str(model)!r}: it is neither a folder with {DECODER} nor a "
        f"pipeline that was trained in {root}.{listed}{nearest(str(model), known)}"
    )


def list_models(artifacts: Path | None = None) -> list[ModelFolder]:
    """Returns the shipped model, if there is one, and those of the pipelines, by name."""
    shipped = _find_in(SHIPPED, SHIPPED)
    models = [] if shipped is None else [ModelFolder(shipped, SHIPPED_NAME)]
    root = _artifacts_root(artifacts)
    for pointers in sorted(root.glob(f"*/{POINTERS}")):
        found = _find_in(pointers.parent, root)
        if found is not None:
            models.append(ModelFolder(found, pointers.parent.name))
    return models


def check_destination(folder: Path) -> None:
    """Makes sure that a model can be packed into a folder.

    Raises:
        UsageError: there is something at `folder`.
    """
    if not is_free(folder):
        raise UsageError(
            f"{folder} exists, and has something in it. Remove it, or name a new or empty folder."
        )


def _find_shipped() -> ModelFolder:
    found = _find_in(SHIPPED, SHIPPED)
    if found is None:
        raise UsageError(
            "This copy of captioner ships without a trained model. Train one, as with "
            "`captioner run quickstart`, and name it: --model quickstart"
        )
    return ModelFolder(found, SHIPPED_NAME)


def _find_in(folder: Path, root: Path) -> Path | None:
    """Returns the folder with the model: what a pipeline points to, or this one."""
    for candidate in (folder / "train", *_pointed_to(folder, root), folder):
        if (candidate / DECODER).is_file():
            return candidate
    return None


def _pointed_to(folder: Path, root: Path) -> Iterator[Path]:
    """Yields the training artifact that a pipeline points to where links are not to be had."""
    try:
        fingerprint = parse_json((folder / POINTERS).read_text(encoding="utf-8"))["train"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    for parent in (root, folder.parent):
        yield parent / "train" / str(fingerprint)[:16]


def _artifacts_root(artifacts: Path | None) -> Path:
    return (
        Path(os.environ.get("CAPTIONER_ARTIFACTS", "artifacts")) if artifacts is None else artifacts
    )
