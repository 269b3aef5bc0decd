"""What no caption may contain: tokens that are no words, and words said again or left hanging.

Dimension key: B partial captions, T words, V tokens, S places where an n-gram may begin, R tokens
ruled out for one caption.
"""

import tensorflow as tf

from captioner.decoding.settings import SearchSettings, SpecialTokens


def rule_out_words(
    log_probs_BV: tf.Tensor,
    ids_BT: tf.Tensor,
    previous_B: tf.Tensor,
    position: tf.Tensor,
    settings: SearchSettings,
    tokens: SpecialTokens,
) -> tf.Tensor:
    """Gives -inf to every token that may not come next.

    Rules that the settings leave out cost nothing. Tokens that are no words are always ruled
    out, as is the end before the first word: a decoder gives some probability to padding and
    unknown words, and a caption with a hole in it, or an empty one, helps nobody. A caption that
    has reached the longest length and may not end is cut there, as any other that has not ended.

    Args:
        log_probs_BV: (B, V), of the next token.
        ids_BT: int32 (B, T), the words so far, then padding.
        previous_B: int32 (B,), the last of them, or the start token.
        position: number of words so far.
        settings: which rules there are.
        tokens: the ids that are no words.
    """
    log_probs_BV = tf.cast(log_probs_BV, tf.float32)
    ruled_out = [_find_unsayable(previous_B, position, tokens)]
    if settings.no_repeat_ngram:
        ruled_out.append(_find_repeated(ids_BT, position, settings, tokens))
    if settings.no_stutter:
        ruled_out.append(previous_B[:, None])
    if settings.never_last:
        is_hanging_B = tf.reduce_any(previous_B[:, None] == list(settings.never_last), axis=1)
        ruled_out.append(tf.where(is_hanging_B, tokens.end, tokens.padding)[:, None])
    return _forbid(log_probs_BV, tf.concat(ruled_out, axis=1))


def _find_unsayable(previous_B: tf.Tensor, position: tf.Tensor, tokens: SpecialTokens) -> tf.Tensor:
    """Returns what is no word, and before the first word the end, int32 (B, R)."""
    end = tf.where(tf.equal(position, 0), tokens.end, tokens.padding)
    unsayable_R = tf.stack([*tokens.never_said, end])
    return tf.repeat(unsayable_R[None], tf.size(previous_B), axis=0)


def _find_repeated(
    ids_BT: tf.Tensor, position: tf.Tensor, settings: SearchSettings, tokens: SpecialTokens
) -> tf.Tensor:
    """Returns the words that would end an n-gram a second time, int32 (B, S); else padding."""
    length = settings.no_repeat_ngram
    num_places = ids_BT.shape[1] - length + 1
    if num_places < 1:
        return ids_BT[:, :0]
    is_same_BS = tf.ones_like(ids_BT[:, :num_places], tf.bool)
    for offset in range(length - 1):
        # The word that stands as far into the n-gram that is about to end.
        newest = tf.maximum(position - length + 1 + offset, 0)
        newest_B1 = tf.gather(ids_BT, newest[None], axis=1)
        is_same_BS &= ids_BT[:, offset : offset + num_places] == newest_B1
    # Behind the words so far there is padding, which is ruled out anyway.
    return tf.where(is_same_BS, ids_BT[:, length - 1 :], tokens.padding)


def _forbid(log_probs_BV: tf.Tensor, ruled_out_BR: tf.Tensor) -> tf.Tensor:
    num_rows, num_ruled_out = tf.unstack(tf.shape(ruled_out_BR))
    rows_BR = tf.repeat(tf.range(num_rows)[:, None], num_ruled_out, axis=1)
    indices = tf.stack([rows_BR, ruled_out_BR], axis=-1)
    never = tf.fill([num_rows, num_ruled_out], float("-inf"))
    return tf.tensor_scatter_nd_update(log_probs_BV, indices, never)
