"""The kinds of features that an encoder gives for an image, by name."""

from typing import Literal

FeatureKind = Literal["vector", "grid"]

_MIRRORED = "_mirrored"


def mirror_kind(kind: str) -> str:
    """Returns the name of the same features of the mirrored image.

    Example:
        >>> mirror_kind("grid")
        'grid_mirrored'
    """
    return kind + _MIRRORED


def is_mirrored(kind: str) -> bool:
    """Says whether these are features of the mirrored image."""
    return kind.endswith(_MIRRORED)


def plain_kind(kind: str) -> str:
    """Returns the name of the features of the image as it is."""
    return kind.removesuffix(_MIRRORED)
