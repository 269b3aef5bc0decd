"""The kinds of decoder, by name. Reading this module loads no TensorFlow; building does."""

import importlib
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from captioner.decoders.spec import DecoderSpec
from captioner.errors import DecoderError
from captioner.names import nearest

if TYPE_CHECKING:
    from captioner.decoders.decoder import Decoder

Precision = Literal["float32", "bfloat16", "mixed_bfloat16"]


class Kind(NamedTuple):
    """A way in which image and words meet.

    Args:
        module: where it is built.
        name: of its class there.
        defaults: what it needs to differ from DecoderSpec's own defaults.
        unread: fields of DecoderSpec that mean nothing to it.
    """

    module: str
    name: str
    defaults: dict[str, Any]
    unread: tuple[str, ...]


_OF_ATTENTION = ("attention_units", "attention_heads", "attention_dropout")

KINDS = {
    "attention": Kind(
        "captioner.decoders.attention",
        "AttentionDecoder",
        {
            "feature_kind": "grid",
            "feature_shape": (7, 7, 1280),
            "standardise_features": True,
            "image_scale": 0.1,
            "image_dropout": 0.3,
            "attention_dropout": 0.3,
        },
        ("gated_image",),
    ),
    "inject": Kind(
        "captioner.decoders.inject",
        "InjectDecoder",
        {"standardise_features": True, "image_scale": 0.2},
        _OF_ATTENTION,
    ),
    "merge": Kind(
        "captioner.decoders.merge",
        "MergeDecoder",
        {"units": 256, "embedding_size": 256, "tied_embeddings": False},
        ("gated_image", *_OF_ATTENTION),
    ),
}


def default_spec(kind: str, vocabulary_size: int, **changes: Any) -> DecoderSpec:
    """Returns the best known description of a kind, with `changes` to single fields.

    Raises:
        DecoderError: the kind is unknown or does not read a field, or a value is out of range.
    """
    found = find_kind(kind)
    unread = [name for name in changes if name in found.unread]
    if unread:
        raise DecoderError(
            f"A decoder of kind {kind!r} does not read {', '.join(unread)}. "
            "Leave that out, or choose another kind."
        )
    return DecoderSpec(kind=kind, vocabulary_size=vocabulary_size, **{**found.defaults, **changes})


def build_decoder(
    spec: DecoderSpec, *, precision: Precision = "float32", seed: int = 0
) -> "Decoder":
    """Builds a decoder with fresh weights that depend on `seed` and `precision` alone.

    Args:
        spec: what to build.
        precision: "bfloat16" for decoding alone: matrix products, and weights too, which then
            need not be cast for every word. "mixed_bfloat16" for training: weights stay
            float32, since steps are smaller than what bfloat16 can add to them. Softmax and
            losses are always float32.
        seed: of the initial weights.

    Raises:
        DecoderError: the kind is unknown, or does not read features of that kind.
    """
    kind = find_kind(spec.kind)
    build = getattr(importlib.import_module(kind.module), kind.name)
    decoder: Decoder = build(spec, precision, seed)
    return decoder


def find_kind(kind: str) -> Kind:
    """Returns a kind of decoder by name.

    Raises:
        DecoderError: there is none of that name; the message lists those there are.
    """
    if kind not in KINDS:
        known = ", ".join(sorted(KINDS))
        raise DecoderError(
            f"Decoder kind {kind!r} is unknown. Known: {known}.{nearest(kind, KINDS)}"
        )
    return KINDS[kind]
