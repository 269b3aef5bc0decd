"""Which words the beams of an image take next: the likeliest, or ones unlike their neighbours'.

Diverse beam search (Vijayakumar et al. 2016, arXiv:1610.02424) splits the beams into groups that
choose one after another; a word that an earlier group has just chosen loses some of its
log-probability (Hamming diversity). One group alone is plain beam search.

Dimension key: A images, K beams, B = A x K, G groups of P = K / G beams, V tokens, C = 2P
candidates of a group, D words that earlier groups have chosen.
"""

from typing import NamedTuple

import tensorflow as tf

from captioner.decoding.likeliest import find_likeliest
from captioner.decoding.settings import SearchSettings, SpecialTokens


class Grown(NamedTuple):
    """Partial captions one token longer; a log-probability of -inf is none at all.

    Args:
        tokens_AK: int32 (A, K), the token.
        beams_AK: int32 (A, K), the beam of 0 to K - 1 that it was added to.
        log_probs_AK: float32 (A, K), of the longer caption.
    """

    tokens_AK: tf.Tensor
    beams_AK: tf.Tensor
    log_probs_AK: tf.Tensor


class _Candidates(NamedTuple):
    """The most wanted ways to continue a group by one token, the most wanted first."""

    tokens_AC: tf.Tensor
    beams_AC: tf.Tensor
    log_probs_AC: tf.Tensor
    wanted_AC: tf.Tensor


def choose_words(
    log_probs_AK: tf.Tensor,
    log_probs_BV: tf.Tensor,
    settings: SearchSettings,
    tokens: SpecialTokens,
) -> tuple[Grown, Grown]:
    """Chooses how the beams of each image go on.

    Args:
        log_probs_AK: float32 (A, K), of the partial captions.
        log_probs_BV: float32 (B, V), of the tokens that may follow each.
        settings: the number of groups and how much they avoid each other.
        tokens: the ids that are no words.

    Returns:
        Those among the likeliest that end, and the likeliest that grow by a word.
    """
    num_beams, size = settings.num_beams, settings.group_size
    num_tokens = log_probs_BV.shape[-1]
    log_probs_AKV = tf.reshape(log_probs_BV, [-1, num_beams, num_tokens])
    ended: list[Grown] = []
    grown: list[Grown] = []
    for first in range(0, num_beams, size):
        own = slice(first, first + size)
        taken_AD = tf.concat([group.tokens_AK for group in grown], axis=1) if grown else None
        found = _find_candidates(
            log_probs_AK[:, own], log_probs_AKV[:, own], taken_AD, settings.diversity
        )
        found = found._replace(beams_AC=found.beams_AC + first)
        ended.append(_take_ended(found, size, tokens))
        grown.append(_take_grown(found, size, tokens))
    return _side_by_side(ended), _side_by_side(grown)


def _find_candidates(
    log_probs_AP: tf.Tensor, log_probs_APV: tf.Tensor, taken_AD: tf.Tensor | None, diversity: float
) -> _Candidates:
    """Finds the 2P most wanted: P may end, and P are left to grow."""
    if taken_AD is not None:
        log_probs_APV = _lower_taken(log_probs_APV, taken_AD, diversity)
    count = 2 * log_probs_APV.shape[1]
    wanted_AC, beams_AC, tokens_AC = find_likeliest(log_probs_AP, log_probs_APV, count)
    log_probs_AC = wanted_AC
    if taken_AD is not None:
        log_probs_AC = wanted_AC + diversity * _count_taken(tokens_AC, taken_AD)
    return _Candidates(tokens_AC, beams_AC, log_probs_AC, wanted_AC)


def _lower_taken(log_probs_APV: tf.Tensor, taken_AD: tf.Tensor, diversity: float) -> tf.Tensor:
    num_images = tf.shape(taken_AD)[0]
    num_beams, num_taken = log_probs_APV.shape[1], taken_AD.shape[1]
    shape = [num_images, num_beams, num_taken]
    images = tf.broadcast_to(tf.range(num_images)[:, None, None], shape)
    beams = tf.broadcast_to(tf.range(num_beams)[None, :, None], shape)
    indices = tf.stack([images, beams, tf.broadcast_to(taken_AD[:, None], shape)], axis=-1)
    return tf.tensor_scatter_nd_sub(log_probs_APV, indices, tf.fill(shape, diversity))


def _count_taken(tokens_AC: tf.Tensor, taken_AD: tf.Tensor) -> tf.Tensor:
    is_taken_ACD = tokens_AC[:, :, None] == taken_AD[:, None]
    return tf.reduce_sum(tf.cast(is_taken_ACD, tf.float32), axis=2)


def _take_ended(found: _Candidates, size: int, tokens: SpecialTokens) -> Grown:
    ends_AP = found.tokens_AC[:, :size] == tokens.end
    log_probs_AP = tf.where(ends_AP, found.log_probs_AC[:, :size], float("-inf"))
    return Grown(found.tokens_AC[:, :size], found.beams_AC[:, :size], log_probs_AP)


def _take_grown(found: _Candidates, size: int, tokens: SpecialTokens) -> Grown:
    grows_AC = found.tokens_AC != tokens.end
    wanted_AC = tf.where(grows_AC, found.wanted_AC, float("-inf"))
    wanted_AP, chosen_AP = tf.math.top_k(wanted_AC, size)
    tokens_AP, beams_AP, log_probs_AP = (
        tf.gather(column, chosen_AP, batch_dims=1)
        for column in (found.tokens_AC, found.beams_AC, found.log_probs_AC)
    )
    exists_AP = wanted_AP > float("-inf")
    return Grown(tokens_AP, beams_AP, tf.where(exists_AP, log_probs_AP, float("-inf")))


def _side_by_side(groups: list[Grown]) -> Grown:
    if len(groups) == 1:
        return groups[0]
    return Grown(*(tf.concat(column, axis=1) for column in zip(*groups, strict=True)))
