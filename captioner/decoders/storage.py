"""A trained decoder on disk: a description in JSON, weights in HDF5, and no code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from captioner.decoders.decoder import Decoder
from captioner.decoders.registry import Precision, build_decoder
from captioner.decoders.spec import DecoderSpec
from captioner.errors import DecoderError
from captioner.files import parse_json, replace_file, write_json

SPEC_FILE = "decoder.json"
WEIGHTS_FILE = "decoder.weights.h5"


def save_decoder(
    folder: Path, decoder: Decoder, *, dtype: Literal["float32", "float16"] = "float32"
) -> None:
    """Writes `decoder.json` and `decoder.weights.h5`, each whole or not at all.

    Args:
        folder: an existing folder.
        decoder: what to write.
        dtype: of the numbers on disk; float16 halves the file and costs no measurable quality.
    """
    write_json(folder / SPEC_FILE, decoder.spec.to_json())
    arrays = {name: variable.numpy() for name, variable in decoder.weights.items()}
    write_weights(folder / WEIGHTS_FILE, arrays, dtype=dtype)


def load_decoder(folder: Path, *, precision: Precision = "float32") -> Decoder:
    """Rebuilds a decoder from its description and reads its weights.

    Args:
        folder: where `save_decoder` wrote.
        precision: "float32", or "bfloat16" for products and weights.

    Raises:
        DecoderError: a file is missing or damaged, or the weights are another decoder's.
    """
    decoder = build_decoder(load_spec(folder), precision=precision)
    assign_weights(decoder, _read_weights(folder / WEIGHTS_FILE), folder / WEIGHTS_FILE)
    return decoder


def load_spec(folder: Path) -> DecoderSpec:
    """Reads the description of a decoder, without its weights.

    Raises:
        DecoderError: it is missing or damaged.
    """
    path = folder / SPEC_FILE
    try:
        return DecoderSpec.from_json(parse_json(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DecoderError(
            f"{path}: the decoder's description cannot be read: {error.strerror}. "
            "Run the train stage again."
        ) from error
    except (ValueError, DecoderError) as error:
        raise DecoderError(f"{path}: {error} Run the train stage again.") from error


def write_weights(path: Path, arrays: Mapping[str, np.ndarray], *, dtype: str = "float32") -> None:
    """Writes named weights as HDF5, whole or not at all; equal weights give equal bytes."""
    with replace_file(path) as file, h5py.File(file, "w") as h5:
        for name, array in arrays.items():
            h5.create_dataset(name, data=array.astype(dtype), track_times=False)


def assign_weights(decoder: Decoder, arrays: Mapping[str, np.ndarray], origin: Path) -> None:
    """Gives a decoder all of its weights.

    Raises:
        DecoderError: names or shapes differ from the decoder's; the message says which.
    """
    wanted = {name: tuple(variable.shape) for name, variable in decoder.weights.items()}
    found = {name: array.shape for name, array in arrays.items()}
    if wanted != found:
        names = sorted(name for name in wanted | found if wanted.get(name) != found.get(name))
        listed = "; ".join(
            f"{name}: expected {wanted.get(name, 'none')}, found {found.get(name, 'none')}"
            for name in names
        )
        raise DecoderError(
            f"{origin}: these weights belong to another decoder than its description says: "
            f"{listed}. Put the decoder.json beside it that it was trained with, or train again."
        )
    for name, variable in decoder.weights.items():
        variable.assign(arrays[name].astype("float32"))


def _read_weights(path: Path) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}

    def collect(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            if item.dtype.kind != "f":
                raise TypeError(f"{name} holds {item.dtype}, no floating-point numbers")
            arrays[name] = item[()]

    try:
        with h5py.File(path, "r") as h5:
            h5.visititems(collect)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise DecoderError(
            f"{path}: the decoder's weights cannot be read: {error}. Run the train stage again."
        ) from error
    return arrays
