"""Beam search over captions, as in Show and Tell (Vinyals et al. 2015, arXiv:1411.4555).

The likeliest partial captions of an image grow side by side. A caption that ends leaves them
for the image's pool of finished captions, and the search goes on until nothing that still
grows can enter that pool. A wide enough beam therefore finds the best caption there is.

Dimension key: N images, K beams, C = 2K candidates, B = N x K, T words, V tokens.
"""

from typing import NamedTuple

import tensorflow as tf

from captioner.decoding.settings import SearchSettings, SpecialTokens
from captioner.decoding.steps import (
    Step,
    Tree,
    gather_rows,
    mask_words,
    normalise_length,
    repeat_rows,
)


class _Pool(NamedTuple):
    """The best finished captions of each image, best first; a score of -inf is a free place."""

    ids_NKT: tf.Tensor
    lengths_NK: tf.Tensor
    log_probs_NK: tf.Tensor
    scores_NK: tf.Tensor


class _Live(NamedTuple):
    """The partial captions of each image, likeliest first, and the decoder's memory of them."""

    ids_NKT: tf.Tensor
    log_probs_NK: tf.Tensor
    previous_B: tf.Tensor
    state: Tree


class _Candidates(NamedTuple):
    """The likeliest ways to continue by one token, likeliest first."""

    tokens_NC: tf.Tensor
    beams_NC: tf.Tensor
    log_probs_NC: tf.Tensor


def search_beams(
    step: Step, start: tuple[Tree, Tree], settings: SearchSettings, tokens: SpecialTokens
) -> tuple[tf.Tensor, ...]:
    """Finds the likeliest captions of each image.

    Equal candidates are taken in the order of beams and token ids, so results are the same
    every time. Captions that ended rank before captions cut at the longest length.

    Args:
        step: gives the next word's log-probabilities.
        start: (context, state) of the images, first dimension N.
        settings: `num_beams`, `num_captions`, `max_length` and `length_exponent` are used.
        tokens: the ids that are no words.

    Returns:
        ids (N, num_captions, T), lengths, log_probs, scores, finished (N, num_captions): the
        fields of `DecodedCaptions`.
    """
    # One beam has one caption to offer, so there is nothing that lengths could be weighed in.
    exponent = settings.length_exponent if settings.num_beams > 1 else 0.0
    context, state = repeat_rows(start, settings.num_beams)
    num_images = tf.nest.flatten(state)[0].shape[0] // settings.num_beams

    def can_improve(position: tf.Tensor, live: _Live, pool: _Pool) -> tf.Tensor:
        # Words only lower log P, and the longest caption divides it by the most.
        bound_N = normalise_length(live.log_probs_NK[:, 0], settings.max_length + 1, exponent)
        can_enter_N = bound_N > pool.scores_NK[:, settings.num_captions - 1]
        return (position <= settings.max_length) & tf.reduce_any(can_enter_N)

    def add_word(position: tf.Tensor, live: _Live, pool: _Pool) -> tuple[Tree, ...]:
        log_probs_BV, state = step(live.previous_B, live.state, context)
        log_probs_BV = mask_words(log_probs_BV, tokens, position)
        candidates = _find_candidates(live, log_probs_BV)
        pool = _add_finished(pool, live, candidates, position, exponent, tokens)
        is_last = position == settings.max_length
        grown = _keep_growing(live, candidates, state, position, tokens)
        live = tf.nest.map_structure(lambda old, new: tf.where(is_last, old, new), live, grown)
        return position + 1, live, pool

    loop = (
        tf.constant(0),
        _first_beams(num_images, state, settings, tokens),
        _empty_pool(num_images, settings, tokens),
    )
    _, live, pool = tf.while_loop(can_improve, add_word, loop)
    return _take_best(live, pool, settings, exponent, tokens)


def _first_beams(
    num_images: int, state: Tree, settings: SearchSettings, tokens: SpecialTokens
) -> _Live:
    """One beam is the empty caption; the others do not exist, or all would grow alike."""
    num_beams = settings.num_beams
    log_probs_K = tf.constant([0.0] + [float("-inf")] * (num_beams - 1))
    return _Live(
        ids_NKT=tf.fill([num_images, num_beams, settings.max_length], tokens.padding),
        log_probs_NK=tf.tile(log_probs_K[None], [num_images, 1]),
        previous_B=tf.fill([num_images * num_beams], tokens.start),
        state=state,
    )


def _empty_pool(num_images: int, settings: SearchSettings, tokens: SpecialTokens) -> _Pool:
    places = [num_images, settings.num_beams]
    nothing_NK = tf.fill(places, float("-inf"))
    return _Pool(
        ids_NKT=tf.fill([*places, settings.max_length], tokens.padding),
        lengths_NK=tf.zeros(places, tf.int32),
        log_probs_NK=nothing_NK,
        scores_NK=nothing_NK,
    )


def _find_candidates(live: _Live, log_probs_BV: tf.Tensor) -> _Candidates:
    """Finds the 2K likeliest: K may end, and K are left to grow."""
    num_images, num_beams = live.log_probs_NK.shape
    num_tokens = log_probs_BV.shape[-1]
    # (B, V) -> (N, K, V) -> (N, K * V)
    log_probs_NKV = tf.reshape(log_probs_BV, [num_images, num_beams, num_tokens])
    totals_NKV = live.log_probs_NK[:, :, None] + log_probs_NKV
    totals_NX = tf.reshape(totals_NKV, [num_images, num_beams * num_tokens])
    log_probs_NC, flat_NC = tf.math.top_k(totals_NX, 2 * num_beams)
    return _Candidates(flat_NC % num_tokens, flat_NC // num_tokens, log_probs_NC)


def _add_finished(
    pool: _Pool,
    live: _Live,
    candidates: _Candidates,
    position: tf.Tensor,
    exponent: float,
    tokens: SpecialTokens,
) -> _Pool:
    """Admits what ends among the K likeliest, and drops the worst beyond K."""
    num_beams = pool.scores_NK.shape[1]
    ends_NK = candidates.tokens_NC[:, :num_beams] == tokens.end
    log_probs_NK = tf.where(ends_NK, candidates.log_probs_NC[:, :num_beams], float("-inf"))
    ended = _Pool(
        ids_NKT=tf.gather(live.ids_NKT, candidates.beams_NC[:, :num_beams], batch_dims=1),
        lengths_NK=tf.fill(ends_NK.shape, position),
        log_probs_NK=log_probs_NK,
        scores_NK=normalise_length(log_probs_NK, position + 1, exponent),
    )
    both = tf.nest.map_structure(lambda a, b: tf.concat([a, b], axis=1), pool, ended)
    best_NK = tf.math.top_k(both.scores_NK, num_beams).indices
    return tf.nest.map_structure(lambda column: tf.gather(column, best_NK, batch_dims=1), both)


def _keep_growing(
    live: _Live, candidates: _Candidates, state: Tree, position: tf.Tensor, tokens: SpecialTokens
) -> _Live:
    """Makes the K likeliest candidates that do not end the next partial captions."""
    num_images, num_beams, max_length = live.ids_NKT.shape
    grows_NC = candidates.tokens_NC != tokens.end
    log_probs_NC = tf.where(grows_NC, candidates.log_probs_NC, float("-inf"))
    log_probs_NK, chosen_NK = tf.math.top_k(log_probs_NC, num_beams)
    words_NK = tf.gather(candidates.tokens_NC, chosen_NK, batch_dims=1)
    beams_NK = tf.gather(candidates.beams_NC, chosen_NK, batch_dims=1)
    rows_B = tf.reshape(tf.range(num_images)[:, None] * num_beams + beams_NK, [-1])
    ids_NKT = tf.gather(live.ids_NKT, beams_NK, batch_dims=1)
    is_here_T = tf.range(max_length) == position
    return _Live(
        ids_NKT=tf.where(is_here_T, words_NK[:, :, None], ids_NKT),
        log_probs_NK=log_probs_NK,
        previous_B=tf.reshape(words_NK, [-1]),
        state=gather_rows(state, rows_B),
    )


def _take_best(
    live: _Live, pool: _Pool, settings: SearchSettings, exponent: float, tokens: SpecialTokens
) -> tuple[tf.Tensor, ...]:
    """Takes finished captions first; partial ones, cut, only where those are too few."""
    exists_NK = live.log_probs_NK > float("-inf")
    words_NK = tf.math.count_nonzero(live.ids_NKT != tokens.padding, axis=2, dtype=tf.int32)
    cut = _Pool(
        ids_NKT=live.ids_NKT,
        lengths_NK=tf.where(exists_NK, words_NK, 0),
        log_probs_NK=live.log_probs_NK,
        scores_NK=normalise_length(live.log_probs_NK, words_NK, exponent),
    )
    both = tf.nest.map_structure(lambda a, b: tf.concat([a, b], axis=1), pool, cut)
    finished_NX = tf.concat([pool.scores_NK > float("-inf"), tf.zeros_like(exists_NK)], axis=1)
    # Finished, then cut, then nothing; stable, so each group keeps its order.
    rank_NX = tf.where(finished_NX, 0, tf.where(both.scores_NK > float("-inf"), 1, 2))
    best_NK = tf.argsort(rank_NX, axis=1, stable=True)[:, : settings.num_captions]
    columns = (both.ids_NKT, both.lengths_NK, both.log_probs_NK, both.scores_NK, finished_NX)
    return tuple(tf.gather(column, best_NK, batch_dims=1) for column in columns)
