"""Captions grown word by word without looking back: the likeliest word, or a drawn one.

Dimension key: N images, K captions of an image, B = N x K, T words, V tokens.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from captioner.decoding.rules import rule_out_words
from captioner.decoding.settings import SearchSettings, SpecialTokens
from captioner.decoding.steps import Step, Tree, count_rows, normalise_length, repeat_rows

ChooseWord = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]  # (log_probs_BV, position) -> tokens_B


def decode_greedily(
    step: Step, start: tuple[Tree, Tree], settings: SearchSettings, tokens: SpecialTokens
) -> tuple[tf.Tensor, ...]:
    """Takes the likeliest next word until the caption ends; equal words go to the lower id.

    Args:
        step: gives the next word's log-probabilities.
        start: (context, state) of the images, first dimension N.
        settings: `max_length` and what is ruled out are used.
        tokens: the ids that are no words.

    Returns:
        ids (N, 1, T), lengths, log_probs, scores, finished (N, 1): the fields of
        `DecodedCaptions`.
    """
    return _grow(step, start, settings, tokens, lambda log_probs_BV, _: _likeliest(log_probs_BV))


def sample_captions(
    step: Step, start: tuple[Tree, Tree], settings: SearchSettings, tokens: SpecialTokens
) -> tuple[tf.Tensor, ...]:
    """Draws each word from the decoder's distribution; the same seed draws the same captions.

    Args:
        step: gives the next word's log-probabilities.
        start: (context, state) of the images, first dimension N.
        settings: `num_captions`, `temperature`, `top_k`, `top_p`, `seed`, `max_length` and what is
            ruled out are used.
        tokens: the ids that are no words.

    Returns:
        The fields of `DecodedCaptions`, the captions of an image ranked best first.
    """

    def draw(log_probs_BV: tf.Tensor, position: tf.Tensor) -> tf.Tensor:
        logits_BV = _keep_likeliest(log_probs_BV, settings.top_k) / settings.temperature
        logits_BV = _keep_nucleus(logits_BV, settings.top_p)
        seed = tf.stack([settings.seed, position])
        drawn_B1 = tf.random.stateless_categorical(logits_BV, 1, seed, dtype=tf.int32)
        return tf.squeeze(drawn_B1, axis=1)

    return _rank(*_grow(step, start, settings, tokens, draw))


def _grow(
    step: Step,
    start: tuple[Tree, Tree],
    settings: SearchSettings,
    tokens: SpecialTokens,
    choose_word: ChooseWord,
) -> tuple[tf.Tensor, ...]:
    context, state = start[0], repeat_rows(start[1], settings.width)
    num_rows = count_rows(state)

    def is_growing(position: tf.Tensor, *loop: Tree) -> tf.Tensor:
        finished_B = loop[-1]
        return tf.logical_and(position < settings.max_length + 1, ~tf.reduce_all(finished_B))

    def add_word(
        position: tf.Tensor,
        previous_B: tf.Tensor,
        state: Tree,
        ids_BT: tf.Tensor,
        log_probs_B: tf.Tensor,
        finished_B: tf.Tensor,
    ) -> tuple[Tree, ...]:
        log_probs_BV, state = step(previous_B, state, context)
        log_probs_BV = rule_out_words(log_probs_BV, ids_BT, previous_B, position, settings, tokens)
        chosen_B = choose_word(log_probs_BV, position)
        ends_B = chosen_B == tokens.end
        # One step beyond the longest caption asks only whether it ends there.
        counts_B = ~finished_B & (ends_B | (position < settings.max_length))
        gained_B = tf.gather(log_probs_BV, chosen_B, batch_dims=1)
        log_probs_B += tf.where(counts_B, gained_B, 0.0)
        word_B = tf.where(counts_B & ~ends_B, chosen_B, tokens.padding)
        is_here_T = tf.range(settings.max_length) == position
        ids_BT = tf.where(is_here_T, word_B[:, None], ids_BT)
        return position + 1, chosen_B, state, ids_BT, log_probs_B, finished_B | ends_B

    loop = (
        tf.constant(0),
        tf.fill([num_rows], tokens.start),
        state,
        tf.fill([num_rows, settings.max_length], tokens.padding),
        tf.zeros([num_rows]),
        tf.zeros([num_rows], tf.bool),
    )
    *_, ids_BT, log_probs_B, finished_B = tf.while_loop(is_growing, add_word, loop)
    return _describe(ids_BT, log_probs_B, finished_B, settings, tokens)


def _describe(
    ids_BT: tf.Tensor,
    log_probs_B: tf.Tensor,
    finished_B: tf.Tensor,
    settings: SearchSettings,
    tokens: SpecialTokens,
) -> tuple[tf.Tensor, ...]:
    lengths_B = tf.math.count_nonzero(ids_BT != tokens.padding, axis=1, dtype=tf.int32)
    num_tokens_B = lengths_B + tf.cast(finished_B, tf.int32)
    scores_B = normalise_length(log_probs_B, num_tokens_B, settings.rank_exponent)
    columns = (ids_BT, lengths_B, log_probs_B, scores_B, finished_B)
    # (B, ...) -> (N, K, ...)
    return tuple(tf.reshape(c, [-1, settings.width, *c.shape[1:]]) for c in columns)


def _rank(*columns: tf.Tensor) -> tuple[tf.Tensor, ...]:
    scores_NK = columns[3]
    best_NK = tf.argsort(scores_NK, axis=1, direction="DESCENDING", stable=True)
    return tuple(tf.gather(column, best_NK, batch_dims=1) for column in columns)


def _likeliest(log_probs_BV: tf.Tensor) -> tf.Tensor:
    return tf.argmax(log_probs_BV, axis=1, output_type=tf.int32)


def _keep_likeliest(log_probs_BV: tf.Tensor, top_k: int) -> tf.Tensor:
    if not 0 < top_k < log_probs_BV.shape[-1]:
        return log_probs_BV
    least_B = tf.math.top_k(log_probs_BV, top_k).values[:, -1:]
    return tf.where(log_probs_BV < least_B, float("-inf"), log_probs_BV)


def _keep_nucleus(logits_BV: tf.Tensor, top_p: float) -> tf.Tensor:
    """Keeps the likeliest words until their probabilities add to `top_p`, and one more.

    Nucleus sampling, Holtzman et al. 2020, arXiv:1904.09751.
    """
    if top_p >= 1:
        return logits_BV
    sorted_BV = tf.sort(logits_BV, axis=1, direction="DESCENDING")
    before_BV = tf.cumsum(tf.nn.softmax(sorted_BV), axis=1, exclusive=True)
    least_B = tf.reduce_min(tf.where(before_BV < top_p, sorted_BV, np.inf), axis=1)
    return tf.where(logits_BV < least_B[:, None], float("-inf"), logits_BV)
