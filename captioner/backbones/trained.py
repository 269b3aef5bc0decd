"""Weights that captioner trained itself: a Keras weights file that says what it is.

The note is an attribute of the HDF5 file, so that it cannot be lost on the way: which network,
for how many classes, at what size and after which pre-processing.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import PositiveInt, TypeAdapter, ValidationError

from captioner.backbones.spec import BackboneSpec, Preprocessing, Size
from captioner.errors import WeightsError

if TYPE_CHECKING:
    import keras

ATTRIBUTE = "captioner_encoder"


@dataclass(frozen=True)
class TrainedNote:
    """What a file of weights says about itself.

    Args:
        name: of the network, as in the registry.
        num_classes: that its classifier tells apart.
        input_size: height and width of the images, in pixels.
        preprocessing: what was done to RGB values 0-255.
        class_names: in the order of the classifier's outputs; empty if they have no names.
    """

    name: str
    num_classes: PositiveInt
    input_size: tuple[PositiveInt, PositiveInt]
    preprocessing: Preprocessing
    class_names: tuple[str, ...] = ()


_NOTE = TypeAdapter(TrainedNote)


def save_trained(model: "keras.Model", path: Path, note: TrainedNote) -> None:
    """Writes a network's weights so that `[backbone] weights` can name the file.

    Args:
        model: as `spec.build(...)` made it.
        path: ends in `.weights.h5`, as Keras wants it; an existing file is overwritten.
        note: what the weights are.
    """
    import h5py

    model.save_weights(path, overwrite=True)
    with h5py.File(path, "r+") as file:
        file.attrs[ATTRIBUTE] = _NOTE.dump_json(note).decode()


def read_note(path: Path) -> TrainedNote | None:
    """Returns what a file says about itself; None if it is not one that captioner wrote.

    Raises:
        WeightsError: it carries a note that makes no sense.
    """
    import h5py  # only here: most weights are none of ours

    try:
        with h5py.File(path, "r") as file:
            text = file.attrs.get(ATTRIBUTE)
    except OSError:  # no HDF5, or damaged: whoever reads the weights will say so
        return None
    if text is None:
        return None
    try:
        return _NOTE.validate_json(text)
    except (ValidationError, TypeError) as error:
        raise WeightsError(
            f"{path} carries a note of captioner that cannot be understood: {str(text)[:200]!r}. "
            "Copy the file again, or train the encoder again."
        ) from error


def fit_spec(spec: BackboneSpec, weights: str, input_size: Size | None = None) -> BackboneSpec:
    """Returns the network for the classes that its weights were trained for, and the size.

    Args:
        spec: the published network.
        weights: "imagenet", "random" or a path.
        input_size: height and width of the images, in pixels; None for the size that the weights
            were trained for.

    Raises:
        WeightsError: the file says that it is another network's.
    """
    trained = _as_trained(spec, weights)
    return trained if input_size is None else trained.resized(input_size)


def _as_trained(spec: BackboneSpec, weights: str) -> BackboneSpec:
    note = None if weights in ("imagenet", "random") else read_note(Path(weights))
    if note is None:
        return spec
    if note.name != spec.name:
        raise WeightsError(
            f"{weights} holds weights of {note.name}, not of {spec.name}. "
            f"Name that network: --set backbone.name={note.name}"
        )
    return spec.at(note.num_classes, note.input_size)
