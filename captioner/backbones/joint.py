"""Several networks that look at the same image, as one encoder: their features side by side.

Networks trained alike still see different things: over the vectors of EfficientNet-Lite0, 1 and 2
together a photograph's caption words are predicted better than over any one of them. A joint
encoder is named by its parts, `efficientnet_lite0+efficientnet_lite2`. Reading this module loads
no TensorFlow.
"""

from collections.abc import Sequence

from captioner.backbone_names import SEPARATOR
from captioner.backbones.spec import BackboneSpec
from captioner.errors import UsageError


def make_joint_spec(parts: Sequence[BackboneSpec]) -> BackboneSpec:
    """Returns the specification of an encoder that is several networks.

    All of them see an image at one size, so that their grids have the same places and an image is
    resized once: the largest that any of them is made for, since a network gains from more
    pixels than it was made for and loses by fewer (Touvron et al. 2019, arXiv:1906.06423).

    Args:
        parts: two or more networks, each once.

    Raises:
        UsageError: a network is named twice, or they want images prepared in different ways.
    """
    _check(parts)
    size = max((part.rule.height, part.rule.width) for part in parts)
    fitted = [part.resized(size) for part in parts]
    return BackboneSpec(
        name=SEPARATOR.join(part.name for part in parts),
        title=" + ".join(part.title for part in parts),
        paper="; ".join(dict.fromkeys(part.paper for part in parts)),
        module="joint_network",
        rule=fitted[0].rule,
        preprocessing=parts[0].preprocessing,
        vector_layer="vector",
        vector_width=sum(part.vector_width for part in parts),
        grid_layer="grid",
        grid_shape=None,
        num_parameters=sum(part.num_parameters or 0 for part in parts),
        gains_from_bfloat16=all(part.gains_from_bfloat16 for part in parts),
        imagenet=None,
        is_rectified=all(part.is_rectified for part in parts),
        parts=tuple(fitted),
    )


def _check(parts: Sequence[BackboneSpec]) -> None:
    names = [part.name for part in parts]
    if len(set(names)) < len(names):
        raise UsageError(f"A joint encoder names each network once. Received: {', '.join(names)}")
    ways = {
        part.name: f"{part.rule.fit}, {part.rule.resample}, {part.preprocessing}" for part in parts
    }
    if len(set(ways.values())) > 1 or any(part.channels != 3 for part in parts):
        listed = "; ".join(f"{name}: {way}" for name, way in ways.items())
        raise UsageError(
            "The networks of a joint encoder see the same image, so they must want it prepared "
            f"alike, in three colours. Received: {listed}"
        )
