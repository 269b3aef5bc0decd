"""Training on words that the decoder has drawn itself, among the human ones.

A decoder that has only ever read human captions never learns to go on from its own slips
(Bengio et al. 2015, arXiv:1506.03099). Here all words of a caption are replaced at once: the
decoder reads the human caption, draws a word at each place, and some of these take the place of
the human ones before the caption is read again and learnt from (Duckworth et al. 2019,
arXiv:1906.04331). That costs one more reading, without gradients, and no loop over words.

Dimension key: N images, M captions, T positions, X = M x T of them in all, P real ones, V tokens.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from captioner.decoders.batches import CaptionWords
from captioner.decoders.decoder import Decoder
from captioner.decoders.steps import batch_signature
from captioner.decoding.settings import SpecialTokens

MixWords = Callable[..., CaptionWords]


def compile_mixing(decoder: Decoder, tokens: SpecialTokens) -> MixWords:
    """Compiles what puts drawn words among those of human captions.

    Args:
        decoder: draws them.
        tokens: the ids that are no words, and never drawn.

    Returns:
        A function of a batch's features and words, the share of words to replace, float32 (), and
        a seed, int32 (2,), that returns the words to read. What starts a caption and what is
        padding stay.
    """
    signature = [
        *batch_signature(decoder.spec),
        tf.TensorSpec([]),
        tf.TensorSpec([2], tf.int32),
    ]

    @tf.function(autograph=False, input_signature=signature)
    def mix(
        features_N: tf.Tensor, words: CaptionWords, share: tf.Tensor, seed: tf.Tensor
    ) -> CaptionWords:
        tokens_MT = words.tokens_MT
        drawn_P = _draw(decoder.predict(features_N, words).logits_PV, seed, tokens)
        # What is drawn after one word stands in the place of the next.
        drawn_X = tf.scatter_nd(words.positions_P[:, None], drawn_P, [tf.size(tokens_MT)])
        drawn_MT = tf.reshape(drawn_X, tf.shape(tokens_MT))
        drawn_MT = tf.concat([tokens_MT[:, :1], drawn_MT[:, :-1]], axis=1)
        other_seed = tf.random.experimental.stateless_fold_in(seed, 1)
        chance_MT = tf.random.stateless_uniform(tf.shape(tokens_MT), other_seed)
        is_replaced_MT = (chance_MT < share) & (tokens_MT != tokens.padding)
        is_replaced_MT &= tokens_MT != tokens.start
        return words._replace(tokens_MT=tf.where(is_replaced_MT, drawn_MT, tokens_MT))

    return mix


def _draw(logits_PV: tf.Tensor, seed: tf.Tensor, tokens: SpecialTokens) -> tf.Tensor:
    never_V = np.isin(np.arange(logits_PV.shape[-1]), (*tokens.never_said, tokens.end))
    sayable_PV = tf.where(never_V, -np.inf, logits_PV)
    return tf.random.stateless_categorical(sayable_PV, 1, seed, dtype=tf.int32)[:, 0]
