"""Captions drawn from a decoder's own distribution, many at once, for training on them.

Dimension key: N images, K captions of an image, M = N x K, T words, V tokens.
"""

import numpy as np
import tensorflow as tf

from captioner.decoding.settings import SpecialTokens
from captioner.decoding.steps import Step, Tree, count_rows, repeat_rows


def draw_captions(
    step: Step,
    start: tuple[Tree, Tree],
    num_captions: int,
    max_tokens: int,
    seed: tf.Tensor,
    tokens: SpecialTokens,
) -> tf.Tensor:
    """Draws captions word by word, each with the probability that the decoder gives it.

    Unlike `sample_captions` it takes the seed as a tensor, so that one graph draws others at each
    call, and leaves out all that only a reader of captions wants.

    Args:
        step: gives the next word's log-probabilities.
        start: (context, state) of the images, first dimension N.
        num_captions: K, drawn for each image.
        max_tokens: after which a caption is cut, the end token counted.
        seed: int32 (2,); the same seed draws the same captions.
        tokens: the ids that are no words; of these only the end token is ever drawn, and not
            before the first word.

    Returns:
        int32 (M, max_tokens): word ids, then the end token unless the caption was cut, then
        padding; an image's captions side by side.
    """
    context, state = start[0], repeat_rows(start[1], num_captions)
    num_rows = count_rows(state)

    def is_growing(position: tf.Tensor, *loop: Tree) -> tf.Tensor:
        ended_M = loop[2]
        return (position < max_tokens) & ~tf.reduce_all(ended_M)

    def add_word(
        position: tf.Tensor,
        previous_M: tf.Tensor,
        state: Tree,
        ended_M: tf.Tensor,
        ids_TM: tf.TensorArray,
    ) -> tuple[Tree, ...]:
        log_probs_MV, state = step(previous_M, state, context)
        num_tokens = log_probs_MV.shape[-1]
        never_V = tf.constant(np.isin(np.arange(num_tokens), tokens.never_said))
        is_end_V = tf.range(num_tokens) == tokens.end
        logits_MV = tf.where(never_V | (is_end_V & (position == 0)), -np.inf, log_probs_MV)
        fold = tf.random.experimental.stateless_fold_in(seed, position)
        drawn_M1 = tf.random.stateless_categorical(logits_MV, 1, fold, dtype=tf.int32)
        word_M = tf.where(ended_M, tokens.padding, drawn_M1[:, 0])
        ended_M |= word_M == tokens.end
        return position + 1, word_M, state, ended_M, ids_TM.write(position, word_M)

    ids_TM = tf.TensorArray(tf.int32, max_tokens, element_shape=[None])
    for position in range(max_tokens):
        ids_TM = ids_TM.write(position, tf.fill([num_rows], tokens.padding))
    loop = (
        tf.constant(0),
        tf.fill([num_rows], tokens.start),
        state,
        tf.zeros([num_rows], tf.bool),
        ids_TM,
    )
    *_, ids_TM = tf.while_loop(is_growing, add_word, loop)
    return tf.transpose(ids_TM.stack())
