"""Several decoders that write a caption together: they agree on each word before the next.

After each word the decoders' probabilities of the next one are averaged, as in Show and Tell
(Vinyals et al. 2015, arXiv:1411.4555, section 4.3.1), so a search sees one decoder. The members
differ in their initial weights and in the order of training, and err in different places.
"""

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from captioner.decoders.batches import CaptionWords
from captioner.decoders.decoder import Decoder, Prediction, Tree
from captioner.decoders.members import list_members
from captioner.decoders.registry import Precision
from captioner.decoders.spec import DecoderSpec
from captioner.decoders.storage import load_decoder
from captioner.errors import DecoderError


class Ensemble:
    """Decoders that read the same features and words, as one.

    It offers what a decoder offers to whoever wants captions: `start` and `step`, `predict` and
    `look`.

    Args:
        members: one decoder or more.

    Attributes:
        spec: of the first; the others read and say the same.
        attends: whether all members do.

    Raises:
        DecoderError: there is no member, or they read different features or words.
    """

    def __init__(self, members: Sequence[Decoder]) -> None:
        _check(members)
        self.members = tuple(members)
        self.spec: DecoderSpec = members[0].spec
        self.attends = all(member.attends for member in members)

    def start(self, features_N: tf.Tensor) -> tuple[Tree, Tree]:
        """Encodes images for each member, see `Decoder.start`."""
        contexts, states = zip(*(member.start(features_N) for member in self.members), strict=True)
        return contexts, states

    def step(self, tokens_B: tf.Tensor, state: Tree, context: Tree) -> tuple[tf.Tensor, Tree]:
        """Reads one word of each partial caption, see `Decoder.step`."""
        steps = [
            member.step(tokens_B, own_state, own_context)
            for member, own_state, own_context in zip(self.members, state, context, strict=True)
        ]
        return self._mean([log_probs_BV for log_probs_BV, _ in steps]), tuple(s for _, s in steps)

    def predict(self, features_N: tf.Tensor, words: CaptionWords) -> Prediction:
        """Predicts the token after each word, see `Decoder.predict`; as log-probabilities."""
        predictions = [member.predict(features_N, words) for member in self.members]
        log_probs = [tf.nn.log_softmax(own.logits_PV) for own in predictions]
        looks = [own.looks_MTL for own in predictions]
        return Prediction(self._mean(log_probs), _average(looks) if self.attends else None)

    def look(self, features_N: tf.Tensor, tokens_NT: tf.Tensor) -> tf.Tensor:
        """Says where each word looked, the mean of all members, see `Decoder.look`."""
        return _average([member.look(features_N, tokens_NT) for member in self.members])

    def _mean(self, log_probs: Sequence[tf.Tensor]) -> tf.Tensor:
        """Averages probabilities, given and returned as logarithms."""
        total = tf.reduce_logsumexp(tf.stack(log_probs), axis=0)
        return total - tf.math.log(float(len(log_probs)))


def _average(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    return tf.add_n(tensors) / len(tensors)


AnyDecoder = Decoder | Ensemble


def load_decoders(folder: Path, *, precision: Precision = "float32") -> AnyDecoder:
    """Loads what training left: a decoder, or the ensemble of several.

    Args:
        folder: where `save_decoder` wrote, perhaps with a folder `members` of such folders.
        precision: "float32", or "bfloat16" for products and weights.

    Raises:
        DecoderError: a file is missing or damaged, or the members do not fit each other.
    """
    members = [load_decoder(member, precision=precision) for member in list_members(folder)]
    return members[0] if len(members) == 1 else Ensemble(members)


def _check(members: Sequence[Decoder]) -> None:
    if not members:
        raise DecoderError("An ensemble needs at least one decoder, and received none.")
    first = members[0].spec
    for member in members[1:]:
        if _reads(member.spec) != _reads(first):
            raise DecoderError(
                "The decoders of an ensemble read the same features and words. Received: "
                f"{_reads(first)} and {_reads(member.spec)}."
            )


def _reads(spec: DecoderSpec) -> str:
    shape = " x ".join(map(str, spec.feature_shape))
    return f"a {spec.feature_kind} of {shape} with {spec.vocabulary_size:,} words"
