"""Weights from Keras' HDF5 files, read without loading a model and without executing anything.

Three layouts: Keras 2's weights (`layer_names` and `weight_names` as attributes), its whole
models (the same under `model_weights`; their configuration is ignored), and Keras 3's
`.weights.h5` (`layers/<class>/vars/0`, the layer's name being an attribute).

HDF5 carries no checksums, and its library can crash or loop on a file whose inner structures are
damaged: a file from elsewhere should be checked by its digest before it is read.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from captioner.errors import WeightsError

_LONGEST_CAUSE = 200
_MOST_CHUNKS = 1000
_GROUP_NAME = re.compile(r"(conv2d|dense)(?:_(\d{1,6}))?")


class _ForeignFileError(Exception):
    """The file is HDF5 but not such weights; the text says what is wrong."""


def read_keras_checkpoint(path: Path, layers: Sequence[str] = ()) -> dict[str, list[np.ndarray]]:
    """Reads the weights of each layer.

    Args:
        path: an `.h5` or `.weights.h5` file that Keras 2 or 3 wrote.
        layers: the network's layers that have weights, from input to output. Only needed for
            files of Keras before 3.6, which do not tell the names of layers; such files can be
            read if all of these are convolutions, then dense layers.

    Returns:
        Layer name -> weights in Keras' order: kernel, bias; gamma, beta, moving mean, moving
        variance. Layers without weights are left out.

    Raises:
        WeightsError: the file is missing, damaged, or holds no such weights.
    """
    try:
        with h5py.File(path, "r") as file:
            return _read_layers(file, path.stat().st_size, layers)
    except FileNotFoundError:
        raise WeightsError(f"{path} does not exist. Expected Keras weights.") from None
    except _ForeignFileError as foreign:
        raise WeightsError(
            f"{path} {foreign}. Expected weights as model.save_weights(path) writes them, or a "
            "whole model in an .h5 file."
        ) from None
    except Exception as fault:  # a damaged file can fail in any way
        cause = f"{type(fault).__name__}: {fault}"[:_LONGEST_CAUSE]
        raise WeightsError(
            f"{path} cannot be read as Keras weights ({cause}). It is damaged or something else, "
            "such as a .keras archive. Download or copy it again."
        ) from fault


def _read_layers(
    file: h5py.File, num_bytes: int, layers: Sequence[str]
) -> dict[str, list[np.ndarray]]:
    root = _open_group(file, "model_weights") if _has(file, "model_weights") else file
    if "layer_names" in root.attrs or "layer_names0" in root.attrs:
        found = _find_keras2_weights(root)
    elif _has(root, "layers"):
        found = _find_keras3_weights(_open_group(root, "layers"), layers)
    else:
        raise _ForeignFileError("is an HDF5 file, but not one of Keras: it lists no layers")
    if sum(weight.nbytes for weights in found.values() for weight in weights) > num_bytes:
        raise _ForeignFileError("is a compressed or hostile file: it unpacks to more than it is")
    return {layer: [weight[()] for weight in weights] for layer, weights in found.items()}


def _find_keras2_weights(root: h5py.Group) -> dict[str, list[h5py.Dataset]]:
    found = {}
    for layer in _read_names(root, "layer_names"):
        group = _open_group(root, layer)
        weights = [_open_weight(group, name) for name in _read_names(group, "weight_names")]
        if weights:
            found[layer] = weights
    return found


def _read_names(group: h5py.Group, attribute: str) -> list[str]:
    """Reads a list of strings; Keras cuts long ones into `layer_names0`, `layer_names1`, ..."""
    if attribute in group.attrs:
        return _decode(group.attrs[attribute])
    names: list[str] = []
    for chunk in range(_MOST_CHUNKS):
        if f"{attribute}{chunk}" not in group.attrs:
            break
        names += _decode(group.attrs[f"{attribute}{chunk}"])
    return names


def _decode(names: Any) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _find_keras3_weights(
    groups: h5py.Group, layers: Sequence[str]
) -> dict[str, list[h5py.Dataset]]:
    found: dict[str, list[h5py.Dataset]] = {}
    nameless: dict[str, list[h5py.Dataset]] = {}
    for group_name in groups:
        variables = _open_group(_open_group(groups, group_name), "vars")
        weights = [_open_weight(variables, name) for name in sorted(variables, key=int)]
        if weights and "name" in variables.attrs:
            (layer,) = _decode([variables.attrs["name"]])
            found[layer] = weights
        elif weights:
            nameless[group_name] = weights
    return found | _name_layers(nameless, layers)


def _name_layers(
    nameless: dict[str, list[h5py.Dataset]], layers: Sequence[str]
) -> dict[str, list[h5py.Dataset]]:
    """Names the groups conv2d, conv2d_1, ..., dense, ... by the order of layers."""
    if nameless and len(nameless) != len(layers):
        raise _ForeignFileError(
            f"holds {len(nameless)} layers without names where {len(layers)} are wanted"
        )
    ordered = sorted(nameless, key=_order_group)
    return {layer: nameless[group] for layer, group in zip(layers, ordered, strict=False)}


def _order_group(name: str) -> tuple[str, int]:
    match = _GROUP_NAME.fullmatch(name)
    if match is None:
        raise _ForeignFileError(
            "was written by Keras before 3.6, which does not tell the names of layers; load it "
            "with that Keras, and save it as .h5"
        )
    return match[1], int(match[2]) if match[2] is not None else 0


def _open_group(parent: h5py.Group, name: str) -> h5py.Group:
    child = _open_child(parent, name)
    if not isinstance(child, h5py.Group):
        raise _ForeignFileError(f"has no group '{name[:_LONGEST_CAUSE]}'")
    return child


def _open_weight(parent: h5py.Group, name: str) -> h5py.Dataset:
    child = _open_child(parent, name)
    if not isinstance(child, h5py.Dataset) or child.dtype.kind not in "fiu":
        raise _ForeignFileError(f"has no numbers under '{name[:_LONGEST_CAUSE]}'")
    if child.external is not None or child.is_virtual:
        raise _ForeignFileError("takes its numbers from other files, which is not followed")
    return child


def _open_child(parent: h5py.Group, name: str) -> Any:
    """Opens what lies in this very file: links into other files are not followed."""
    for part in name.strip("/").split("/"):
        if not isinstance(parent, h5py.Group) or not _has(parent, part):
            raise _ForeignFileError(f"lacks '{name[:_LONGEST_CAUSE]}', which it lists")
        if isinstance(parent.get(part, getlink=True), h5py.ExternalLink):
            raise _ForeignFileError("links to other files, which are not followed")
        parent = parent[part]
    return parent


def _has(group: h5py.Group, name: str) -> bool:
    """`name in group` would follow a link."""
    return group.get(name, getlink=True) is not None
