"""What a decoder is, apart from its weights: everything needed to rebuild it."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal

from captioner.errors import DecoderError
from captioner.feature_kinds import FeatureKind
from captioner.names import nearest

VERSION = 1
SMALLEST_VOCABULARY = 5  # the special tokens and one word


@dataclass(frozen=True)
class DecoderSpec:
    """The description of a decoder; with its weights it is the whole decoder.

    Args:
        kind: how image and words meet: a name of `registry.KINDS`.
        vocabulary_size: V, number of token ids, special tokens included; at least 5.
        feature_kind: which features of an image are read, "vector" or "grid".
        feature_shape: their shape, such as (1280,) or (7, 7, 1280).
        units: U, width of the LSTM.
        embedding_size: E, width of a word.
        tied_embeddings: one matrix reads words and predicts them (Press and Wolf 2017,
            arXiv:1608.05859), behind a layer that maps the LSTM's output to E.
        normalise_features: divide the image vector by its L2 norm, the largest single gain
            known for LSTM captioners on frozen features (Tanti et al. 2018, arXiv:1703.09137).
        standardise_features: then subtract the training images' mean and divide by their
            deviation, entry by entry (of a grid, channel by channel), so that what all images
            share does not drown what differs.
        image_scale: then multiply by this, above 0. A step of Adam moves each weight of the image
            projection about as far, so that its outcome moves by the learning rate times the sum
            of all entries: thousands of entries of about 1 learn too fast, and words badly.
        image_activation: what follows the image projection, "linear" or "relu".
        image_dropout: share of the image features dropped in training, 0 to below 1.
        embedding_dropout: the same for the words that the LSTM reads.
        output_dropout: the same for the LSTM's output.
        variational_dropout: both drop the same entries at all words of a caption, not others at
            each (Gal and Ghahramani 2016, arXiv:1512.05287).
        gated_image: for kind "inject", also add the projected image, gated by the LSTM's output,
            to that output; what the LSTM forgets of the image is then there still.
        attention_units: width of keys, queries and values, for kinds that attend to a grid.
        attention_heads: into how many parts that width is split, each with weights of its own.
        attention_dropout: share of the attention weights dropped in training.

    Raises:
        DecoderError: a value is outside its range; all such faults are named.
    """

    kind: str
    vocabulary_size: int
    feature_kind: FeatureKind = "vector"
    feature_shape: tuple[int, ...] = (1280,)
    units: int = 512
    embedding_size: int = 256
    tied_embeddings: bool = True
    normalise_features: bool = True
    standardise_features: bool = False
    image_scale: float = 1.0
    image_activation: Literal["linear", "relu"] = "linear"
    image_dropout: float = 0.0
    embedding_dropout: float = 0.5
    output_dropout: float = 0.5
    variational_dropout: bool = False
    gated_image: bool = False
    attention_units: int = 512
    attention_heads: int = 8
    attention_dropout: float = 0.0

    def __post_init__(self) -> None:
        faults = [text for is_wrong, text in self._checks() if is_wrong]
        if faults:
            raise DecoderError("This decoder cannot be built: " + "; ".join(faults) + ".")

    def to_json(self) -> dict[str, Any]:
        """Returns what `from_json` takes."""
        return {"version": VERSION, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, record: Any) -> "DecoderSpec":
        """Rebuilds a description that `to_json` made.

        Raises:
            DecoderError: it is of another version, lacks something, or holds unknown keys.
        """
        if not isinstance(record, dict) or record.get("version") != VERSION:
            found = record.get("version") if isinstance(record, dict) else type(record).__name__
            raise DecoderError(
                f"This is no decoder description of version {VERSION}, but {found!r}. "
                "Train the decoder again, or use the captioner that wrote it."
            )
        values = {key: value for key, value in record.items() if key != "version"}
        _check_keys(values)
        try:
            return cls(**{**values, "feature_shape": tuple(values.get("feature_shape", (1280,)))})
        except TypeError as error:
            raise DecoderError(f"The decoder description is damaged: {error}.") from error

    def _checks(self) -> list[tuple[bool, str]]:
        shares = ("image_dropout", "embedding_dropout", "output_dropout", "attention_dropout")
        widths = {"vector": 1, "grid": 3}
        return [
            (
                self.vocabulary_size < SMALLEST_VOCABULARY,
                f"vocabulary_size={self.vocabulary_size}, expected 5 up",
            ),
            (self.units < 1, f"units={self.units}, expected 1 or more"),
            (self.embedding_size < 1, f"embedding_size={self.embedding_size}, expected 1 or more"),
            (
                self.attention_heads < 1 or self.attention_units % self.attention_heads != 0,
                f"attention_units={self.attention_units} cannot be split into "
                f"attention_heads={self.attention_heads}, expected a whole number of units each",
            ),
            (
                len(self.feature_shape) != widths.get(self.feature_kind)
                or any(size < 1 for size in self.feature_shape),
                f"feature_shape={self.feature_shape} does not fit "
                f"feature_kind={self.feature_kind!r}: a vector has 1 dimension, a grid 3",
            ),
            (
                not 0 < self.image_scale < math.inf,
                f"image_scale={self.image_scale}, expected a number above 0",
            ),
            (
                self.image_activation not in ("linear", "relu"),
                f"image_activation={self.image_activation!r}, expected 'linear' or 'relu'",
            ),
            *(
                (not 0 <= getattr(self, key) < 1, f"{key}={getattr(self, key)}, expected 0 to <1")
                for key in shares
            ),
        ]


def _check_keys(values: dict[str, Any]) -> None:
    known = [field.name for field in dataclasses.fields(DecoderSpec)]
    for key in values:
        if key not in known:
            hint = nearest(key, known)
            raise DecoderError(f"The decoder description has an unknown key {key!r}.{hint}")
