"""The network that learns: its first weights, and which of its layers stay as they are."""

from dataclasses import dataclass

import keras
import tensorflow as tf

from captioner.backbones.encoder import build_network
from captioner.backbones.preprocessing import preprocess
from captioner.backbones.spec import BackboneSpec, Preprocessing
from captioner.backbones.trained import read_note
from captioner.backbones.weights import WeightsOrigin, load_weights
from captioner.classifiers.settings import TrainPrecision
from captioner.errors import UsageError
from captioner.names import nearest
from captioner.processor import ComputePrecision, prefers_bfloat16


@dataclass(frozen=True, eq=False)
class Classifier:
    """A network from RGB images to class probabilities.

    Args:
        spec: what the network is, for its number of classes and its input size.
        model: the network.
        preprocessing: what it does to RGB values first.
    """

    spec: BackboneSpec
    model: keras.Model
    preprocessing: Preprocessing

    def __call__(self, images_BHWC: tf.Tensor, *, training: bool) -> tf.Tensor:
        """Returns class probabilities, float32 (B, C), of RGB images (B, H, W, 3), 0-255."""
        return self.model(preprocess(self.preprocessing, images_BHWC), training=training)

    @property
    def random_state(self) -> list[keras.Variable]:
        """The state of the random numbers of its dropout layers."""
        weights = {id(weight) for weight in self.model.weights}
        return [v for v in self.model.variables if id(v) not in weights]


def start_classifier(
    spec: BackboneSpec,
    origin: WeightsOrigin,
    *,
    seed: int,
    class_names: tuple[str, ...] = (),
    precision: ComputePrecision = "float32",
    freeze_below: str | None = None,
    freeze_norms: bool = False,
) -> Classifier:
    """Builds a network as it is before the first step.

    Args:
        spec: for the number of classes and the input size that are wanted.
        origin: of the first weights. The classifier on top begins at zero, unless these weights
            were trained here for the very same classes: then it goes on from where it was, which
            lets a training of the classifier alone come first, so that the layers below are not
            moved by what it does not know yet (Kumar et al. 2022, arXiv:2202.10054).
        seed: of the random ones.
        class_names: of the classifier's outputs.
        precision: of the arithmetic.
        freeze_below: name of the first layer that learns, or how it begins; None: all learn.
        freeze_norms: whether batch normalisation keeps its scales and statistics everywhere.

    Raises:
        UsageError: there is no such layer; the message names the nearest.
        WeightsError: the weights cannot be had, or belong to another network.
    """
    model = build_network(spec, precision)
    load_weights(model, spec, WeightsOrigin("random", None, None, seed, spec.preprocessing))
    knows_classes = _knows_classes(origin, class_names)
    if origin.source != "random":
        load_weights(model, spec, origin, without_classifier=not knows_classes)
    if not knows_classes:
        _reset_classifier(model)
    if freeze_norms:
        for layer in model.layers:
            layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    if freeze_below is not None:
        _freeze(model, freeze_below)
    return Classifier(spec, model, origin.preprocessing)


def _knows_classes(origin: WeightsOrigin, class_names: tuple[str, ...]) -> bool:
    note = read_note(origin.path) if origin.source == "file" and origin.path else None
    return note is not None and bool(class_names) and note.class_names == class_names


def _reset_classifier(model: keras.Model) -> None:
    """Gives every class the same probability.

    Nothing reaches the layers below before the classifier knows something, so that the first
    steps neither spoil what they have learnt elsewhere nor kill their ReLUs.
    """
    classifier = [layer for layer in model.layers if layer.weights][-1]
    for weight in classifier.weights:
        weight.assign(tf.zeros_like(weight))


def choose_precision(spec: BackboneSpec, wanted: TrainPrecision) -> ComputePrecision:
    """Returns the precision that "auto" stands for on this machine, or the one asked for."""
    if wanted != "auto":
        return wanted
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability")
        return "bfloat16" if capability is not None and capability >= (8, 0) else "float32"
    return "bfloat16" if spec.gains_from_bfloat16 and prefers_bfloat16() else "float32"


def _freeze(model: keras.Model, first: str) -> None:
    names = [layer.name for layer in model.layers]
    matches = [index for index, name in enumerate(names) if name.startswith(first)]
    if not matches:
        with_weights = [layer.name for layer in model.layers if layer.weights]
        raise UsageError(
            f"freeze_below = {first!r}: {model.name} has no layer of that name, nor one that "
            f"begins so.{nearest(first, names)} Layers with weights: {_shown(with_weights)}"
        )
    for layer in model.layers[: matches[0]]:
        layer.trainable = False
    if not model.trainable_weights:
        raise UsageError(f"freeze_below = {first!r}: no layer with weights is left to learn.")


def _shown(names: list[str]) -> str:
    if len(names) <= 12:
        return ", ".join(names)
    return f"{', '.join(names[:6])}, ..., {', '.join(names[-3:])}"
