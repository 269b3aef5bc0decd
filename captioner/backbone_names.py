"""The names of the encoders, for pipeline files; `captioner.backbones.registry` knows the rest."""

from pydantic_core import PydanticCustomError

from captioner.names import list_known

BACKBONE_NAMES = (
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_lite2",
    "vgg11",
    "vgg13",
    "vgg16",
    "vgg19",
    "vgg16_small",
    "alexnet",
    "alexnet_tower",
    "alexnet_bn",
    "lenet",
    "lenet_relu",
    "lenet_relu3",
    "convnext_tiny",
    "convnext_small",
    "convnext_base",
    "convnext_large",
    "convnext_xlarge",
    "densenet121",
    "densenet169",
    "densenet201",
    "efficientnetb0",
    "efficientnetb1",
    "efficientnetb2",
    "efficientnetb3",
    "efficientnetb4",
    "efficientnetb5",
    "efficientnetb6",
    "efficientnetb7",
    "efficientnetv2b0",
    "efficientnetv2b1",
    "efficientnetv2b2",
    "efficientnetv2b3",
    "efficientnetv2s",
    "efficientnetv2m",
    "efficientnetv2l",
    "inceptionv3",
    "inceptionresnetv2",
    "mobilenet",
    "mobilenetv2",
    "mobilenetv3small",
    "mobilenetv3large",
    "nasnetmobile",
    "nasnetlarge",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnet50v2",
    "resnet101v2",
    "resnet152v2",
    "xception",
)
SEPARATOR = "+"  # between the networks of a joint encoder


def check_backbone(name: str) -> str:
    """Returns the name of an encoder, or of several that are one, without spaces.

    Raises:
        PydanticCustomError: a name is unknown.
    """
    parts = [part.strip() for part in name.split(SEPARATOR)]
    for part in parts:
        if part not in BACKBONE_NAMES:
            raise PydanticCustomError("unknown_name", list_known(part, BACKBONE_NAMES))
    return SEPARATOR.join(parts)
