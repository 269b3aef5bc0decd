"""Beam search over captions, as in Show and Tell (Vinyals et al. 2015, arXiv:1411.4555).

The likeliest partial captions of an image grow side by side. A caption that ends leaves them
for the image's pool of finished captions, and the search goes on until nothing that still
grows can enter that pool. A wide enough beam therefore finds the best caption there is. An
image whose search is over leaves the batch, so that no work is done for it while others go on.

Dimension key: N images of the batch, A of them still searched for, K beams, B = A x K, G groups
of beams, P = K / G places in the pool of each group, T words, V tokens, Q captions returned.
"""

from typing import NamedTuple

import tensorflow as tf

from captioner.decoding.choices import Grown, choose_words
from captioner.decoding.pool import Pool, add_finished, empty_pool, take_best
from captioner.decoding.rules import rule_out_words
from captioner.decoding.settings import SearchSettings, SpecialTokens
from captioner.decoding.steps import (
    Step,
    Tree,
    count_rows,
    gather_rows,
    normalise_length,
    repeat_rows,
)

Columns = tuple[tf.Tensor, ...]  # the fields of DecodedCaptions

# For each number of rows the library of matrix products makes and keeps kernels of its own, and
# those for very few rows round differently. So images are searched for in multiples of this.
GRAIN = 16


class _Search(NamedTuple):
    """The images still searched for: who they are, what grows, and what is finished.

    Images whose captions are found stay, unwanted, where they fill the number up to a multiple of
    `GRAIN`.
    """

    images_A: tf.Tensor
    wanted_A: tf.Tensor
    context: Tree
    state: Tree
    ids_AKT: tf.Tensor
    log_probs_AK: tf.Tensor
    previous_AK: tf.Tensor
    pool: Pool


def search_beams(
    step: Step, start: tuple[Tree, Tree], settings: SearchSettings, tokens: SpecialTokens
) -> Columns:
    """Finds the likeliest captions of each image.

    Equal candidates are taken in the order of beams and token ids, so results are the same
    every time. Captions that ended rank before captions cut at the longest length.

    Args:
        step: gives the next word's log-probabilities.
        start: (context, state) of the images, first dimension N.
        settings: everything is used that is not for "sample" alone.
        tokens: the ids that are no words.

    Returns:
        ids (N, num_captions, T), lengths, log_probs, scores, finished (N, num_captions): the
        fields of `DecodedCaptions`.
    """

    def is_searching(position: tf.Tensor, search: _Search, found: Columns) -> tf.Tensor:
        return (position <= settings.max_length) & tf.reduce_any(search.wanted_A)

    def add_word(position: tf.Tensor, search: _Search, found: Columns) -> tuple[Tree, ...]:
        search = _add_word(step, position, search, settings, tokens)
        goes_on_A = search.wanted_A & _can_improve(search, position, settings)
        goes_on_A &= position < settings.max_length
        search, found = tf.cond(
            tf.reduce_all(goes_on_A == search.wanted_A),
            lambda: (search, found),
            lambda: _let_go(search, found, goes_on_A, settings, tokens),
        )
        return position + 1, search, found

    search = _begin(start, settings, tokens)
    found = _nothing_found(tf.shape(search.images_A)[0], settings, tokens)
    loop = (tf.constant(0), search, found)
    invariants = (tf.TensorShape([]), _any_number(search), _any_number(found))
    return tf.while_loop(is_searching, add_word, loop, shape_invariants=invariants)[2]


def _begin(start: tuple[Tree, Tree], settings: SearchSettings, tokens: SpecialTokens) -> _Search:
    """One beam of a group is the empty caption; the others do not exist, or all would be alike.

    So there is one state for an image before its first word, and one for each beam after it.
    """
    context, state = start
    num_images = count_rows(state)
    beams = [num_images, settings.num_beams]
    is_first_K = tf.range(settings.num_beams) % settings.group_size == 0
    log_probs_K = tf.where(is_first_K, 0.0, float("-inf"))
    return _Search(
        images_A=tf.range(num_images),
        wanted_A=tf.ones([num_images], tf.bool),
        context=context,
        state=state,
        ids_AKT=tf.fill([*beams, settings.max_length], tokens.padding),
        log_probs_AK=tf.tile(log_probs_K[None], [num_images, 1]),
        previous_AK=tf.fill(beams, tokens.start),
        pool=empty_pool(num_images, settings, tokens),
    )


def _nothing_found(
    num_images: tf.Tensor, settings: SearchSettings, tokens: SpecialTokens
) -> Columns:
    places = [num_images, settings.num_captions]
    nothing_NQ = tf.fill(places, float("-inf"))
    return (
        tf.fill([*places, settings.max_length], tokens.padding),
        tf.zeros(places, tf.int32),
        nothing_NQ,
        nothing_NQ,
        tf.zeros(places, tf.bool),
    )


def _add_word(
    step: Step,
    position: tf.Tensor,
    search: _Search,
    settings: SearchSettings,
    tokens: SpecialTokens,
) -> _Search:
    """Lets every beam end or grow by a word; the longest captions may only end."""
    previous_B = tf.reshape(search.previous_AK, [-1])
    ids_BT = tf.reshape(search.ids_AKT, [-1, settings.max_length])
    log_probs_BV, state = _read_word(step, search, previous_B)
    log_probs_BV = rule_out_words(log_probs_BV, ids_BT, previous_B, position, settings, tokens)
    ended, grown = choose_words(search.log_probs_AK, log_probs_BV, settings, tokens)
    search = search._replace(
        pool=add_finished(search.pool, search.ids_AKT, ended, position, settings)
    )
    return tf.cond(
        position < settings.max_length,
        lambda: _grow(search, grown, state, position),
        lambda: search,
    )


def _read_word(step: Step, search: _Search, previous_B: tf.Tensor) -> tuple[tf.Tensor, Tree]:
    """Reads the last word of all beams; the start, which they share, once for each image."""
    num_read = count_rows(search.state)
    read = step(previous_B[:num_read], search.state, search.context)
    num_alike = tf.size(previous_B) // num_read
    log_probs_BV, state = tf.cond(num_alike > 1, lambda: repeat_rows(read, num_alike), lambda: read)
    return log_probs_BV, state


def _grow(search: _Search, grown: Grown, state: Tree, position: tf.Tensor) -> _Search:
    num_images, num_beams, max_length = tf.unstack(tf.shape(search.ids_AKT))
    rows_B = tf.reshape(tf.range(num_images)[:, None] * num_beams + grown.beams_AK, [-1])
    ids_AKT = tf.gather(search.ids_AKT, grown.beams_AK, batch_dims=1)
    is_here_T = tf.range(max_length) == position
    return search._replace(
        state=gather_rows(state, rows_B),
        ids_AKT=tf.where(is_here_T, grown.tokens_AK[:, :, None], ids_AKT),
        log_probs_AK=grown.log_probs_AK,
        previous_AK=grown.tokens_AK,
    )


def _can_improve(search: _Search, position: tf.Tensor, settings: SearchSettings) -> tf.Tensor:
    """Says of each image whether what still grows can enter its pool, bool (A,)."""
    # Words only lower log P, and the longest caption divides it by the most.
    longest = tf.constant(settings.max_length + 1)
    if settings.lookahead is not None:
        longest = tf.minimum(position + 1 + settings.lookahead, longest)
    log_probs_AGP = tf.reshape(search.log_probs_AK, [-1, settings.num_groups, settings.group_size])
    bound_AG = normalise_length(
        tf.reduce_max(log_probs_AGP, axis=2), longest, settings.rank_exponent
    )
    num_needed = -(-settings.num_captions // settings.num_groups)
    return tf.reduce_any(bound_AG > search.pool.scores_AGP[:, :, num_needed - 1], axis=1)


def _let_go(
    search: _Search,
    found: Columns,
    goes_on_A: tf.Tensor,
    settings: SearchSettings,
    tokens: SpecialTokens,
) -> tuple[_Search, Columns]:
    """Writes down what was found for the images whose search is over, and drops them.

    They stay while dropping them would leave as many images, since the rest would be copied for
    nothing.
    """
    over_X = tf.where(search.wanted_A & ~goes_on_A)[:, 0]
    captions = take_best(
        tf.nest.map_structure(lambda column: tf.gather(column, over_X), search.pool),
        tf.gather(search.ids_AKT, over_X),
        tf.gather(search.log_probs_AK, over_X),
        settings,
        tokens,
    )
    images_X1 = tf.gather(search.images_A, over_X)[:, None]
    found = tuple(
        tf.tensor_scatter_nd_update(column, images_X1, own)
        for column, own in zip(found, captions, strict=True)
    )
    kept_A = _choose_kept(goes_on_A)
    search = search._replace(wanted_A=goes_on_A)
    search = tf.cond(
        tf.size(kept_A) < tf.size(goes_on_A), lambda: _keep(search, kept_A), lambda: search
    )
    return search, found


def _keep(search: _Search, kept_A: tf.Tensor) -> _Search:
    num_beams = search.log_probs_AK.shape[1]
    rows_B = tf.reshape(kept_A[:, None] * num_beams + tf.range(num_beams), [-1])
    rest: _Search = gather_rows(search._replace(state=()), kept_A)
    return rest._replace(state=gather_rows(search.state, rows_B))


def _choose_kept(goes_on_A: tf.Tensor) -> tf.Tensor:
    """Returns the images that go on, in order, and others up to a multiple of `GRAIN`."""
    num_going = tf.math.count_nonzero(goes_on_A, dtype=tf.int32)
    num_kept = tf.minimum(-(-num_going // GRAIN) * GRAIN, tf.size(goes_on_A))
    return tf.argsort(tf.cast(~goes_on_A, tf.int32), stable=True)[:num_kept]


def _any_number(tree: Tree) -> Tree:
    """The shapes of tensors whose first dimension may shrink."""
    return tf.nest.map_structure(lambda x: tf.TensorShape([None, *x.shape[1:]]), tree)
