"""The finished captions of each image, and which of them, or of the cut ones, are given out.

Dimension key: A images, K beams, G groups of P = K / G beams, T words, X = 2K finished and cut
captions, Q captions given out.
"""

from typing import NamedTuple

import tensorflow as tf

from captioner.decoding.choices import Grown
from captioner.decoding.settings import SearchSettings, SpecialTokens
from captioner.decoding.steps import normalise_length

_FINISHED, _CUT, _NOTHING = 0, 1, 2


class Pool(NamedTuple):
    """The best captions of each group of beams, best first; a score of -inf is a free place."""

    ids_AGPT: tf.Tensor
    lengths_AGP: tf.Tensor
    log_probs_AGP: tf.Tensor
    scores_AGP: tf.Tensor


def empty_pool(num_images: tf.Tensor, settings: SearchSettings, tokens: SpecialTokens) -> Pool:
    """Returns pools without captions."""
    places = [num_images, settings.num_groups, settings.group_size]
    nothing_AGP = tf.fill(places, float("-inf"))
    return Pool(
        ids_AGPT=tf.fill([*places, settings.max_length], tokens.padding),
        lengths_AGP=tf.zeros(places, tf.int32),
        log_probs_AGP=nothing_AGP,
        scores_AGP=nothing_AGP,
    )


def add_finished(
    pool: Pool, ids_AKT: tf.Tensor, ended: Grown, position: tf.Tensor, settings: SearchSettings
) -> Pool:
    """Admits captions that have ended to the pool of their group, and drops the worst.

    Args:
        pool: the captions so far.
        ids_AKT: int32 (A, K, T), the partial captions.
        ended: which of them end here.
        position: words of these captions.
        settings: the number of groups, and how lengths are weighed.
    """
    places = [-1, settings.num_groups, settings.group_size]
    log_probs_AGP = tf.reshape(ended.log_probs_AK, places)
    ids_AKT = tf.gather(ids_AKT, ended.beams_AK, batch_dims=1)
    new = Pool(
        ids_AGPT=tf.reshape(ids_AKT, [*places, settings.max_length]),
        lengths_AGP=tf.fill(tf.shape(log_probs_AGP), position),
        log_probs_AGP=log_probs_AGP,
        scores_AGP=normalise_length(log_probs_AGP, position + 1, settings.rank_exponent),
    )
    both = tf.nest.map_structure(lambda old, own: tf.concat([old, own], axis=2), pool, new)
    best_AGP = tf.math.top_k(both.scores_AGP, settings.group_size).indices
    return tf.nest.map_structure(lambda column: tf.gather(column, best_AGP, batch_dims=2), both)


def take_best(
    pool: Pool,
    ids_AKT: tf.Tensor,
    log_probs_AK: tf.Tensor,
    settings: SearchSettings,
    tokens: SpecialTokens,
) -> tuple[tf.Tensor, ...]:
    """Takes finished captions first; partial ones, cut, only where those are too few.

    Of several groups, the best of each come first, so that few captions differ as much as many.

    Args:
        pool: the finished captions.
        ids_AKT: int32 (A, K, T), the partial captions.
        log_probs_AK: float32 (A, K), theirs.
        settings: how many captions to give out, and how lengths are weighed.
        tokens: the ids that are no words.

    Returns:
        ids (A, Q, T), lengths, log_probs, scores, finished (A, Q).
    """
    columns = _side_by_side(pool, _cut(ids_AKT, log_probs_AK, settings, tokens))
    scores_AX = columns[3]
    exists_AX = scores_AX > float("-inf")
    finished_AX = exists_AX & tf.repeat([[True, False]], settings.num_beams, axis=1)
    kind_AX = tf.where(finished_AX, _FINISHED, tf.where(exists_AX, _CUT, _NOTHING))
    place_X = tf.tile(tf.range(settings.num_beams) % settings.group_size, [2])
    best_AX = _order(kind_AX * settings.group_size + place_X, scores_AX)
    best_AQ = best_AX[:, : settings.num_captions]
    return tuple(tf.gather(column, best_AQ, batch_dims=1) for column in (*columns, finished_AX))


def _cut(
    ids_AKT: tf.Tensor, log_probs_AK: tf.Tensor, settings: SearchSettings, tokens: SpecialTokens
) -> tuple[tf.Tensor, ...]:
    words_AK = tf.math.count_nonzero(ids_AKT != tokens.padding, axis=2, dtype=tf.int32)
    lengths_AK = tf.where(log_probs_AK > float("-inf"), words_AK, 0)
    scores_AK = normalise_length(log_probs_AK, words_AK, settings.rank_exponent)
    return ids_AKT, lengths_AK, log_probs_AK, scores_AK


def _side_by_side(pool: Pool, cut: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
    """Puts both into one row an image: (A, G, P, ...) and (A, K, ...) -> (A, X, ...)."""
    return tuple(
        tf.concat([tf.reshape(finished, tf.shape(partial)), partial], axis=1)
        for finished, partial in zip(pool, cut, strict=True)
    )


def _order(ranks_AX: tf.Tensor, scores_AX: tf.Tensor) -> tf.Tensor:
    """Returns columns in the order of their ranks, those of one rank by falling score."""
    by_score_AX = tf.argsort(scores_AX, axis=1, direction="DESCENDING", stable=True)
    by_rank_AX = tf.argsort(tf.gather(ranks_AX, by_score_AX, batch_dims=1), axis=1, stable=True)
    return tf.gather(by_score_AX, by_rank_AX, batch_dims=1)
