"""Any network of `keras.applications`, built and filled by Keras, under two names of our own.

Whatever Keras calls them, what gives the last grid is named `grid` and the layer that
gives the pooled vector `vector`. The classifier keeps its place; probabilities are float32.
"""

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from keras import layers

from captioner.backbones.applications import make_spec
from captioner.backbones.imagenet import WAYS_OUT
from captioner.backbones.spec import ApplicationWeights, BackboneSpec, Size
from captioner.backbones.trained import read_note
from captioner.errors import WeightsError

# EfficientNet's ImageNet weights want pixels divided once more by the root of these deviations,
# which Keras does in a layer that it only builds together with those weights.
IMAGENET_DEVIATION = np.array([0.229, 0.224, 0.225])
LONGEST_CAUSE = 300


def build(name: str, num_classes: int, input_size: Size) -> keras.Model:
    """Builds a network with fresh weights.

    Args:
        name: a name of `applications.APPLICATION_NAMES`.
        num_classes: that it tells apart.
        input_size: height and width of the images, in pixels.

    Returns:
        A model from (B, H, W, 3) images to class probabilities (B, num_classes).
    """
    base = _find_builder(name)(
        weights=None,
        input_shape=(*input_size, 3),
        classes=num_classes,
        classifier_activation=None,
    )
    _name_features(base)
    x = layers.Softmax(dtype="float32", name="probabilities")(base.output)
    return keras.Model(base.input, x, name=name)


def _find_builder(name: str) -> Callable[..., keras.Model]:
    spec = make_spec(name)
    if spec is None or not isinstance(spec.imagenet, ApplicationWeights):
        raise ValueError(f"'{name}' is no network of keras.applications")
    builder: Callable[..., keras.Model] = getattr(keras.applications, spec.imagenet.class_name)
    return builder


def _name_features(base: keras.Model) -> None:
    """Names the layers that give grid and vector; the last pooling is the classifier's."""
    *_, vector = (x for x in base.layers if isinstance(x, layers.GlobalAveragePooling2D))
    # an operation: ConvNeXt's is a bare addition, which is no layer
    grid = next(operation for operation in base.operations if operation.output is vector.input)
    after = base.layers[base.layers.index(vector) + 1]
    if isinstance(after, layers.LayerNormalization):  # ConvNeXt's, as Keras pools it too
        vector = after
    grid.name, vector.name = "grid", "vector"


def load(
    model: keras.Model, spec: BackboneSpec, path: Path | None, *, without_classifier: bool
) -> None:
    """Gives a network the weights that Keras downloads, or those of a file.

    Args:
        model: what `build` made.
        spec: what it is.
        path: a file that Keras wrote; None for ImageNet.
        without_classifier: leave the classifier as it is.

    Raises:
        WeightsError: they cannot be had, or belong to another network.
    """
    source = _download(spec) if path is None else _read(spec, path)
    num_copied = len(model.weights) - (_count_classifier(model) if without_classifier else 0)
    copied = [*zip(model.weights, source.weights, strict=True)][:num_copied]
    differing = [mine for mine, theirs in copied if mine.shape != theirs.shape]
    if differing:
        raise WeightsError(
            f"These weights of {spec.title} are for {source.output.shape[-1]} classes, and "
            f"{model.output.shape[-1]} are wanted."
        )
    for mine, theirs in copied:
        mine.assign(theirs)
    _finish_normalisation(model, is_published=path is None)


def _download(spec: BackboneSpec) -> keras.Model:
    try:
        with contextlib.redirect_stdout(sys.stderr):  # Keras draws its bar on stdout
            return _find_builder(spec.name)(weights="imagenet")
    except Exception as error:  # Keras raises whatever the network or the disk leads to
        raise WeightsError(
            f"The ImageNet weights of {spec.title} could not be downloaded: {error}\n"
            "Three ways out:\n"
            "  - save them elsewhere, keras.applications."
            f"{spec.title}().save_weights('{spec.name}.weights.h5'), and name the file: "
            f"--set backbone.weights=PATH\n{WAYS_OUT}"
        ) from error


def _read(spec: BackboneSpec, path: Path) -> keras.Model:
    """Reads a file as Keras does, since some layers have other names each time they are built."""
    note = read_note(path)
    source = spec.at(spec.num_classes if note is None else note.num_classes).build()
    try:
        source.load_weights(path)
    except Exception as error:  # Keras raises whatever a foreign or damaged file leads to
        raise WeightsError(
            f"{path} does not hold the weights of {spec.title}: {str(error)[:LONGEST_CAUSE]}\n"
            "Give the weights of this very network, classifier included, as Keras saved them."
        ) from error
    return source


def _count_classifier(model: keras.Model) -> int:
    return next(len(layer.weights) for layer in reversed(model.layers) if layer.weights)


def _finish_normalisation(model: keras.Model, *, is_published: bool) -> None:
    """Lets EfficientNet's layer of mean and variance see its new values, mended once."""
    for layer in model.layers:
        if isinstance(layer, layers.Normalization) and layer.weights:
            variance = keras.ops.convert_to_numpy(layer.adapt_variance)
            if is_published or np.allclose(variance, IMAGENET_DEVIATION**2, atol=1e-4):
                layer.adapt_variance.assign(variance * IMAGENET_DEVIATION)
            layer.finalize_state()
