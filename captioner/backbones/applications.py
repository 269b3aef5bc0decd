"""The networks of `keras.applications`, as data. Reading this module loads no Keras.

A specification is made when its name is asked for. VGG-16 and VGG-19 are not among them: they
are built here, see `captioner.backbones.vgg`.
"""

from typing import NamedTuple

from captioner.backbones.spec import ApplicationWeights, BackboneSpec, Preprocessing
from captioner.resizing import ResizeRule


class Family(NamedTuple):
    """What networks of one kind share.

    Args:
        paper: where they were published.
        preprocessing: what is left to do outside; "pixels" where the network scales by itself.
        is_rectified: whether the grid comes out of a ReLU.
        gains_from_bfloat16: whether they are mostly plain convolutions.
    """

    paper: str
    preprocessing: Preprocessing
    is_rectified: bool
    gains_from_bfloat16: bool


class Row(NamedTuple):
    """One network.

    Args:
        class_name: in `keras.applications`.
        family: what kind it is of.
        size: side of the images, in pixels.
        grid: side and channels of the last grid.
        num_parameters: with its classifier of 1000 classes.
    """

    class_name: str
    family: Family
    size: int
    grid: tuple[int, int]
    num_parameters: int


_CONVNEXT = Family("Liu et al. 2022, arXiv:2201.03545", "pixels", False, False)
_DENSENET = Family("Huang et al. 2017, arXiv:1608.06993", "torchvision", True, True)
_EFFICIENTNET = Family("Tan and Le 2019, arXiv:1905.11946", "pixels", False, False)
_EFFICIENTNET_V2 = Family("Tan and Le 2021, arXiv:2104.00298", "pixels", False, False)
_INCEPTION = Family("Szegedy et al. 2016, arXiv:1512.00567", "symmetric", True, True)
_INCEPTION_RESNET = Family("Szegedy et al. 2017, arXiv:1602.07261", "symmetric", True, True)
_MOBILENET = Family("Howard et al. 2017, arXiv:1704.04861", "symmetric", True, False)
_MOBILENET_V2 = Family("Sandler et al. 2018, arXiv:1801.04381", "symmetric", True, False)
_MOBILENET_V3 = Family("Howard et al. 2019, arXiv:1905.02244", "pixels", False, False)
_NASNET = Family("Zoph et al. 2018, arXiv:1707.07012", "symmetric", True, False)
_RESNET = Family("He et al. 2016, arXiv:1512.03385", "caffe", True, True)
_RESNET_V2 = Family("He et al. 2016, arXiv:1603.05027", "symmetric", True, True)
_XCEPTION = Family("Chollet 2017, arXiv:1610.02357", "symmetric", True, False)

_ROWS = (
    Row("ConvNeXtTiny", _CONVNEXT, 224, (7, 768), 28_589_128),
    Row("ConvNeXtSmall", _CONVNEXT, 224, (7, 768), 50_223_688),
    Row("ConvNeXtBase", _CONVNEXT, 224, (7, 1024), 88_591_464),
    Row("ConvNeXtLarge", _CONVNEXT, 224, (7, 1536), 197_767_336),
    Row("ConvNeXtXLarge", _CONVNEXT, 224, (7, 2048), 350_196_968),
    Row("DenseNet121", _DENSENET, 224, (7, 1024), 8_062_504),
    Row("DenseNet169", _DENSENET, 224, (7, 1664), 14_307_880),
    Row("DenseNet201", _DENSENET, 224, (7, 1920), 20_242_984),
    Row("EfficientNetB0", _EFFICIENTNET, 224, (7, 1280), 5_330_571),
    Row("EfficientNetB1", _EFFICIENTNET, 240, (8, 1280), 7_856_239),
    Row("EfficientNetB2", _EFFICIENTNET, 260, (9, 1408), 9_177_569),
    Row("EfficientNetB3", _EFFICIENTNET, 300, (10, 1536), 12_320_535),
    Row("EfficientNetB4", _EFFICIENTNET, 380, (12, 1792), 19_466_823),
    Row("EfficientNetB5", _EFFICIENTNET, 456, (15, 2048), 30_562_527),
    Row("EfficientNetB6", _EFFICIENTNET, 528, (17, 2304), 43_265_143),
    Row("EfficientNetB7", _EFFICIENTNET, 600, (19, 2560), 66_658_687),
    Row("EfficientNetV2B0", _EFFICIENTNET_V2, 224, (7, 1280), 7_200_312),
    Row("EfficientNetV2B1", _EFFICIENTNET_V2, 240, (8, 1280), 8_212_124),
    Row("EfficientNetV2B2", _EFFICIENTNET_V2, 260, (9, 1408), 10_178_374),
    Row("EfficientNetV2B3", _EFFICIENTNET_V2, 300, (10, 1536), 14_467_622),
    Row("EfficientNetV2S", _EFFICIENTNET_V2, 384, (12, 1280), 21_612_360),
    Row("EfficientNetV2M", _EFFICIENTNET_V2, 480, (15, 1280), 54_431_388),
    Row("EfficientNetV2L", _EFFICIENTNET_V2, 480, (15, 1280), 119_027_848),
    Row("InceptionV3", _INCEPTION, 299, (8, 2048), 23_851_784),
    Row("InceptionResNetV2", _INCEPTION_RESNET, 299, (8, 1536), 55_873_736),
    Row("MobileNet", _MOBILENET, 224, (7, 1024), 4_253_864),
    Row("MobileNetV2", _MOBILENET_V2, 224, (7, 1280), 3_538_984),
    Row("MobileNetV3Small", _MOBILENET_V3, 224, (7, 576), 2_554_968),
    Row("MobileNetV3Large", _MOBILENET_V3, 224, (7, 960), 5_507_432),
    Row("NASNetMobile", _NASNET, 224, (7, 1056), 5_326_716),
    Row("NASNetLarge", _NASNET, 331, (11, 4032), 88_949_818),
    Row("ResNet50", _RESNET, 224, (7, 2048), 25_636_712),
    Row("ResNet101", _RESNET, 224, (7, 2048), 44_707_176),
    Row("ResNet152", _RESNET, 224, (7, 2048), 60_419_944),
    Row("ResNet50V2", _RESNET_V2, 224, (7, 2048), 25_613_800),
    Row("ResNet101V2", _RESNET_V2, 224, (7, 2048), 44_675_560),
    Row("ResNet152V2", _RESNET_V2, 224, (7, 2048), 60_380_648),
    Row("Xception", _XCEPTION, 299, (10, 2048), 22_910_480),
)


def _name(class_name: str) -> str:
    """resnet50, efficientnetv2b0, but convnext_tiny, which is how Keras itself spells it."""
    head, found, tail = class_name.partition("ConvNeXt")
    return f"convnext_{tail.lower()}" if found else head.lower()


_ROW_OF_NAME = {_name(row.class_name): row for row in _ROWS}
APPLICATION_NAMES = tuple(_ROW_OF_NAME)


def make_spec(name: str) -> BackboneSpec | None:
    """Returns the specification of a network of `keras.applications`; None if it has none such."""
    row = _ROW_OF_NAME.get(name)
    if row is None:
        return None
    side, channels = row.grid
    return BackboneSpec(
        name=name,
        title=row.class_name,
        paper=row.family.paper,
        module="keras_applications",
        rule=ResizeRule(row.size, row.size, "squash", "bilinear"),
        preprocessing=row.family.preprocessing,
        vector_layer="vector",
        vector_width=channels,
        grid_layer="grid",
        grid_shape=(side, side, channels),
        num_parameters=row.num_parameters,
        gains_from_bfloat16=row.family.gains_from_bfloat16,
        imagenet=ApplicationWeights(row.class_name),
        is_rectified=row.family.is_rectified,
    )
