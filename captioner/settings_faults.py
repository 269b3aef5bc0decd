"""What is wrong with settings that are right one by one: sections that do not fit each other."""

from collections.abc import Mapping
from os.path import dirname, exists, isfile, join
from typing import Any, TypeGuard, get_args

from captioner.settings import NAMED_WEIGHTS, PRETRAINED, DatasetFormat, Settings

PATH_KEYS = {
    ("dataset", "path"): "name it with --set dataset.path=DIR; "
    "`captioner data flickr8k --to DIR` fetches Flickr8k",
    ("dataset", "images"): "the folder of images",
    ("pretrain", "path"): "a folder with a folder of images for each class",
    ("pretrain", "dev"): "a folder with a folder of images for each class",
    ("pretrain", "weights"): "neither 'imagenet' nor 'random' nor a file",
    ("backbone", "weights"): "neither 'imagenet' nor 'random' nor a file",
    ("train", "features"): "a features.pkl",
}

_NUM_FRACTIONS = 3  # of train, dev and test


def find_pretrain_faults(raw: Mapping[str, Any]) -> list[str]:
    """Finds an encoder that nobody trains, or that is trained and not used."""
    pretrain, backbone = raw.get("pretrain"), raw.get("backbone")
    weights = backbone.get("weights") if isinstance(backbone, dict) else None
    if pretrain is None:
        return _unused_weights_faults(weights, raw)
    faults = []
    if (
        isinstance(pretrain, dict)
        and pretrain.get("format") != "objects"
        and "path" not in pretrain
    ):
        faults.append("[pretrain] path is missing: where the class folders lie")
    if weights != PRETRAINED:
        faults.append(
            f"[backbone] weights = {weights!r}: with a section [pretrain] the encoder is the one "
            "that it trains; the weights to begin with are [pretrain] weights"
        )
    if isinstance(backbone, dict) and backbone.get("input_size") is not None:
        faults.append(
            f"[backbone] input_size = {backbone['input_size']}: the encoder sees images of the "
            "size that it is trained on; set [pretrain] input_size"
        )
    return faults


def _unused_weights_faults(weights: Any, raw: Mapping[str, Any]) -> list[str]:
    if weights == PRETRAINED:
        return [f"[backbone] weights = {PRETRAINED!r}: there is no section [pretrain] to make them"]
    return [] if "dataset" in raw else ["[dataset] is missing"]


def find_dataset_faults(raw: Mapping[str, Any]) -> list[str]:
    """Finds a data set without a place, and shares of it that do not add up."""
    dataset = raw.get("dataset")
    if not isinstance(dataset, dict):
        return []
    faults = []
    form = dataset.get("format")
    if form in get_args(DatasetFormat) and form != "scenes" and "path" not in dataset:
        faults.append(f"[dataset] path is missing: where the {form} data set lies")
    fractions = dataset.get("split_fractions")
    if _are_fractions(fractions) and not _add_to_one(fractions):
        faults.append(f"[dataset] split_fractions = {fractions}: expected shares that add to 1")
    return faults


def find_feature_faults(settings: Settings) -> list[str]:
    """Finds decoders whose features are not there."""
    faults = []
    kind, reads = settings.decoder.kind, settings.decoder.reads
    if reads not in settings.feature_kinds:
        faults.append(
            f"[extract] outputs = {list(settings.feature_kinds)}: decoder.kind '{kind}' reads the "
            f"{reads}; add '{reads}', or leave outputs out"
        )
    if "vector" not in settings.feature_kinds:
        faults.append(
            f"[extract] outputs = {list(settings.feature_kinds)}: the nearest-neighbour baseline "
            "reads the vector; add 'vector', or leave outputs out"
        )
    if settings.extract.grid_side is not None and "grid" not in settings.feature_kinds:
        faults.append(
            f"[extract] grid_side = {settings.extract.grid_side}: no grid is extracted, since "
            f"decoder.kind '{kind}' reads the {reads}; leave it out, or set decoder.kind to "
            "'attention'"
        )
    if settings.train.features is not None and settings.train.mirrored:
        faults.append(
            f"[train] features = {settings.train.features!r}: a features.pkl holds no features of "
            "mirrored photographs; set train.mirrored to false, or leave features out"
        )
    if settings.train.features is not None and reads == "grid":
        faults.append(
            f"[train] features = {settings.train.features!r}: a features.pkl holds vectors, and "
            f"decoder.kind '{kind}' reads grids; set decoder.kind to 'inject' or 'merge'"
        )
    return faults


def _are_fractions(value: Any) -> TypeGuard[list[float]]:
    is_whole = isinstance(value, list) and len(value) == _NUM_FRACTIONS
    return is_whole and all(isinstance(part, int | float) for part in value)


def _exists(path: str, key: str, section: Any) -> bool:
    """Tells whether there is such a file or folder; images may lie below the data set's."""
    root = section.get("path") if key == "images" else None
    if exists(path) or not isinstance(root, str):
        return exists(path)
    return exists(join(dirname(root) if isfile(root) else root, path))


def _add_to_one(fractions: list[float]) -> bool:
    return all(part >= 0 for part in fractions) and abs(sum(fractions) - 1) <= 1e-6  # no NaN


def find_path_faults(raw: Mapping[str, Any]) -> list[str]:
    """Finds files and folders that are named and do not exist."""
    faults = []
    for (section, key), meaning in PATH_KEYS.items():
        values = raw.get(section)
        value = values.get(key) if isinstance(values, dict) else None
        if (
            isinstance(value, str)
            and value not in NAMED_WEIGHTS
            and not _exists(value, key, values)
        ):
            faults.append(f"[{section}] {key} = {value!r}: no such file or folder ({meaning})")
    return faults
