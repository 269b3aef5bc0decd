"""The kinds of decoder, by name. Reading this module loads no TensorFlow; building does."""

import importlib
from typing import TYPE_CHECKING, Any, Literal

from captioner.decoders.spec import DecoderSpec
from captioner.errors import DecoderError
from captioner.names import nearest

if TYPE_CHECKING:
    from captioner.decoders.decoder import Decoder

Precision = Literal["float32", "bfloat16"]

# kind -> (module, class, what it needs to differ from DecoderSpec's own defaults)
KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "attention": (
        "captioner.decoders.attention",
        "AttentionDecoder",
        {"feature_kind": "grid", "feature_shape": (7, 7, 1280)},
    ),
    "inject": ("captioner.decoders.inject", "InjectDecoder", {}),
    "merge": (
        "captioner.decoders.merge",
        "MergeDecoder",
        {"units": 256, "embedding_size": 256, "tied_embeddings": False},
    ),
}


def default_spec(kind: str, vocabulary_size: int, **changes: Any) -> DecoderSpec:
    """Returns the best known description of a kind, with `changes` to single fields.

    Raises:
        DecoderError: the kind is unknown, or a value is out of range.
    """
    _, _, defaults = _find_kind(kind)
    return DecoderSpec(kind=kind, vocabulary_size=vocabulary_size, **{**defaults, **changes})


def build_decoder(
    spec: DecoderSpec, *, precision: Precision = "float32", seed: int = 0
) -> "Decoder":
    """Builds a decoder with fresh weights that depend on `seed` alone.

    Args:
        spec: what to build.
        precision: of the matrix products; weights, softmax and losses are always float32.
        seed: of the initial weights.

    Raises:
        DecoderError: the kind is unknown, or does not read features of that kind.
    """
    module, name, _ = _find_kind(spec.kind)
    decoder: Decoder = getattr(importlib.import_module(module), name)(spec, precision, seed)
    return decoder


def _find_kind(kind: str) -> tuple[str, str, dict[str, Any]]:
    if kind not in KINDS:
        known = ", ".join(sorted(KINDS))
        raise DecoderError(
            f"Decoder kind {kind!r} is unknown. Known: {known}.{nearest(kind, KINDS)}"
        )
    return KINDS[kind]
