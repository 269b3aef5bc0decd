"""The network of a joint encoder: each part on the same images, their features side by side."""

import keras
from keras import layers

from captioner.backbones.registry import find_spec
from captioner.backbones.spec import BackboneSpec, Size
from captioner.errors import UsageError


def build(name: str, num_classes: int, input_size: Size) -> keras.Model:
    """Builds the networks of a joint encoder with fresh weights.

    Args:
        name: the names of the networks, joined by "+".
        num_classes: means nothing, since a joint encoder is no classifier.
        input_size: height and width of the images, in pixels.

    Returns:
        A model from (B, H, W, 3) images to the layers `vector`, one network's after another, and
        `grid`, the channels of all networks at each place. Each network is a layer of its name.

    Raises:
        UsageError: the networks' grids have different numbers of places.
    """
    spec = find_spec(name).resized(input_size)
    images = keras.Input((*input_size, 3), name="images")
    parts = [_build_part(part)(images) for part in spec.parts]
    vectors, grids = [part[0] for part in parts], [part[1] for part in parts]
    _check_places(spec, grids)
    outputs = [layers.Concatenate(name="vector")(vectors), layers.Concatenate(name="grid")(grids)]
    return keras.Model(images, outputs, name="joint")


def _build_part(part: BackboneSpec) -> keras.Model:
    """Builds one network, classifier included: its files of weights hold that as well."""
    network = part.build()
    features = {layer.name: layer.output for layer in network.operations}
    outputs = [features[part.vector_layer], features[part.grid_layer], network.output]
    return keras.Model(network.inputs, outputs, name=part.name)


def _check_places(spec: BackboneSpec, grids: list[keras.KerasTensor]) -> None:
    places = {
        part.name: tuple(grid.shape[1:3]) for part, grid in zip(spec.parts, grids, strict=True)
    }
    if len(set(places.values())) > 1:
        listed = ", ".join(f"{name}: {side[0]} x {side[1]}" for name, side in places.items())
        raise UsageError(
            "The grids of a joint encoder must have the same places for images of "
            f"{spec.rule.height} x {spec.rule.width} pixels. Received: {listed}"
        )
