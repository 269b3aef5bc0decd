import numpy as np
import pytest
import tensorflow as tf
from lattices import (
    CAT,
    DOG,
    END,
    LATTICE,
    PAD,
    START,
    UNKNOWN,
    A,
    enumerate_captions,
    markov_decoder,
    table_decoder,
)

from captioner.decoding.search import CaptionSearch
from captioner.decoding.settings import SearchSettings, SpecialTokens
from captioner.errors import DecoderError

ONE_IMAGE = np.zeros((1, 1), np.float32)
THREE_IMAGES = np.array([[0.0], [1.0], [2.0]], np.float32)


def search_lattice(table=LATTICE, **settings):
    start, step = table_decoder(table)
    return CaptionSearch(start, step, SearchSettings(**settings), batch_size=2)(ONE_IMAGE)


def search_markov(images=THREE_IMAGES, seed=0, num_tokens=7, batch_size=4, **settings):
    start, step, _ = markov_decoder(num_tokens, seed)
    return CaptionSearch(start, step, SearchSettings(**settings), batch_size=batch_size)(images)


def test_looking_far_enough_ahead_is_exact_and_looking_less_far_stops_earlier():
    """One word stands at -0.16; twelve words, all but the first certain, would come to -0.12."""
    table = {(START,): {DOG: 0.8, A: 0.2}, (START, DOG): {END: 0.9, CAT: 0.1}}
    long = [A, CAT] * 6
    for length in range(1, 12):
        table[START, *long[:length]] = {long[length]: 1.0}
    table[START, *long] = {END: 1.0}
    start, step = table_decoder(table, max_length=14)
    found = []
    for lookahead in (None, 11, 3):
        settings = SearchSettings(
            num_beams=2, max_length=12, length_exponent=1.0, lookahead=lookahead
        )
        found.append(CaptionSearch(start, step, settings)(ONE_IMAGE).words_of(0))
    assert found == [long, long, [DOG]]


def test_greedy_walks_past_the_better_caption():
    captions = search_lattice(method="greedy", max_length=6)
    assert captions.words_of(0) == [A, CAT, CAT]
    assert np.exp(captions.log_probs[0, 0]) == pytest.approx(0.30)


def test_two_beams_find_what_greedy_walks_past():
    captions = search_lattice(num_beams=2, max_length=6, length_exponent=0.0)
    assert captions.words_of(0) == [A, DOG]
    assert np.exp(captions.log_probs[0, 0]) == pytest.approx(0.36)
    assert captions.finished[0, 0]


def test_the_n_best_come_in_order_with_their_probabilities():
    captions = search_lattice(num_beams=4, num_captions=4, max_length=6, length_exponent=0.0)
    words = [captions.words_of(0, k) for k in range(4)]
    assert words == [[A, DOG], [A, CAT, CAT], [A, CAT, DOG], [A, CAT]]
    assert np.exp(captions.log_probs[0]) == pytest.approx([0.36, 0.30, 0.18, 0.12])
    assert captions.lengths[0].tolist() == [2, 3, 3, 2]


def test_length_normalisation_lets_a_longer_caption_win():
    captions = search_lattice(num_beams=4, max_length=6, length_exponent=1.0)
    assert captions.words_of(0) == [A, CAT, CAT]  # log .30 / 4 tokens > log .36 / 3 tokens
    assert captions.scores[0, 0] == pytest.approx(np.log(0.30) / 4)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("max_length", [1, 12])
def test_one_beam_is_greedy(seed, max_length):
    one_beam = search_markov(seed=seed, num_beams=1, max_length=max_length, length_exponent=0.7)
    greedy = search_markov(seed=seed, method="greedy", max_length=max_length)
    for ours, theirs in zip(one_beam._arrays(), greedy._arrays(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(("seed", "exponent"), [(0, 0.0), (1, 0.7), (2, 1.5)])
def test_a_wide_beam_equals_exhaustive_search(seed, exponent):
    num_tokens, max_length, num_best = 7, 4, 10
    start, step, table = markov_decoder(num_tokens, seed, sharpness=1.0)
    settings = SearchSettings(
        num_beams=81, num_captions=num_best, max_length=max_length, length_exponent=exponent
    )
    captions = CaptionSearch(start, step, settings, batch_size=3)(THREE_IMAGES)
    for image in range(3):
        everything = enumerate_captions(table, image, range(4, num_tokens), max_length)
        ranked = sorted(everything, key=lambda item: -item[1] / (len(item[0]) + 1) ** exponent)
        found = [tuple(captions.words_of(image, k)) for k in range(num_best)]
        assert found == [words for words, _ in ranked[:num_best]]
        expected = [log_prob for _, log_prob in ranked[:num_best]]
        np.testing.assert_allclose(captions.log_probs[image], expected, rtol=1e-5)


@pytest.mark.parametrize("method", ["greedy", "beam", "sample"])
def test_special_tokens_never_appear_however_likely(method):
    likes_specials = {PAD: 0.3, START: 0.2, UNKNOWN: 0.2, END: 0.2, A: 0.1}
    table = {(START,): likes_specials, (START, A): likes_specials, (START, A, A): likes_specials}
    captions = search_lattice(table, method=method, max_length=5)
    words = captions.words_of(0)
    assert words
    assert set(words) == {A}


def test_ids_above_end_are_words_where_there_is_no_unknown_token():
    start, step = table_decoder({(START,): {UNKNOWN: 0.9, A: 0.1}})
    tokens = SpecialTokens(unknown=None)
    captions = CaptionSearch(start, step, SearchSettings(), tokens=tokens)(ONE_IMAGE)
    assert captions.words_of(0) == [UNKNOWN]


@pytest.mark.parametrize("method", ["greedy", "beam", "sample"])
def test_a_decoder_that_never_ends_gives_a_cut_caption(method):
    endless = np.full(7, -np.inf, np.float32)
    endless[CAT] = 0.0

    def step(tokens_B, state, context):
        return tf.tile(endless[None], [tf.shape(tokens_B)[0], 1]), state

    settings = SearchSettings(method=method, max_length=5)
    search = CaptionSearch(lambda x: (x, x), step, settings)
    captions = search(ONE_IMAGE)
    assert captions.words_of(0) == [CAT] * 5
    assert not captions.finished[0, 0]
    assert captions.log_probs[0, 0] == pytest.approx(0.0)


def test_finished_captions_rank_before_cut_ones():
    table = {(START,): {A: 0.6, DOG: 0.4}, (START, DOG): {END: 1.0}}
    table |= {(START, A): {A: 0.95, CAT: 0.05}, (START, A, A): {A: 0.5, CAT: 0.5}}
    table |= {(START, A, CAT): {A: 0.5, CAT: 0.5}}
    captions = search_lattice(table, num_beams=2, num_captions=2, max_length=2)
    assert [captions.words_of(0, k) for k in range(2)] == [[DOG], [A, A]]
    assert captions.finished[0].tolist() == [True, False]


def test_ties_go_to_the_lower_id_every_time():
    table = {(START,): {CAT: 0.5, DOG: 0.5}, (START, CAT): {END: 1.0}, (START, DOG): {END: 1.0}}
    for _ in range(3):
        captions = search_lattice(table, num_beams=2, num_captions=2, max_length=3)
        assert [captions.words_of(0, k) for k in range(2)] == [[CAT], [DOG]]


@pytest.mark.parametrize("method", ["greedy", "beam"])
def test_a_caption_does_not_depend_on_its_companions(method):
    images = np.tile(THREE_IMAGES, (3, 1))
    together = search_markov(images, method=method, batch_size=4)
    alone = [search_markov(image[None], method=method, batch_size=4) for image in images]
    for row, single in enumerate(alone):
        assert together.words_of(row) == single.words_of(0)
        assert together.log_probs[row, 0] == single.log_probs[0, 0]
    assert len(together) == 9


def test_one_graph_serves_all_numbers_of_images():
    traces = []
    start, step, _ = markov_decoder(7, seed=0)

    def counted_start(images_N1):
        traces.append(images_N1.shape)
        return start(images_N1)

    search = CaptionSearch(counted_start, step, SearchSettings(), batch_size=4)
    for num_images in (1, 4, 7, 0):
        assert len(search(np.zeros((num_images, 1), np.float32))) == num_images
    assert len(traces) == 1


def test_sampling_is_seeded_and_follows_the_distribution():
    settings = {"method": "sample", "num_captions": 400, "max_length": 4}
    first, again = search_lattice(**settings, seed=1), search_lattice(**settings, seed=1)
    np.testing.assert_array_equal(first.ids, again.ids)
    assert (first.ids != search_lattice(**settings, seed=2).ids).any()
    share_of_dog = np.mean(first.ids[0, :, 1] == DOG)
    assert share_of_dog == pytest.approx(0.4, abs=0.08)
    assert (np.diff(first.scores[0]) <= 0).all()


def test_sampling_among_the_likeliest_one_is_greedy():
    sampled = search_markov(method="sample", top_k=1, max_length=6)
    greedy = search_markov(method="greedy", max_length=6)
    np.testing.assert_array_equal(sampled.ids, greedy.ids)


@pytest.mark.parametrize("method", ["greedy", "beam"])
def test_log_probabilities_that_are_no_numbers_are_an_error(method):
    def step(tokens_B, state, context):
        return tf.fill([tf.shape(tokens_B)[0], 7], float("nan")), state

    search = CaptionSearch(lambda x: (x, x), step, SearchSettings(method=method, max_length=3))
    with pytest.raises(DecoderError, match="No caption was found for 1 of 1 images"):
        search(ONE_IMAGE)


def test_end_ids_are_not_part_of_the_words():
    captions = search_lattice(num_beams=3, max_length=6)
    assert END not in captions.ids


def test_groups_of_beams_say_different_things():
    table = {(START,): {A: 1.0}, (START, A): {CAT: 0.6, DOG: 0.4}}
    table |= {(START, A, CAT): {END: 1.0}, (START, A, DOG): {END: 1.0}}
    alike = search_lattice(table, num_beams=2, num_groups=2, num_captions=2, diversity=0.1)
    unlike = search_lattice(table, num_beams=2, num_groups=2, num_captions=2, diversity=0.5)
    assert [alike.words_of(0, k) for k in range(2)] == [[A, CAT], [A, CAT]]
    assert [unlike.words_of(0, k) for k in range(2)] == [[A, CAT], [A, DOG]]
    assert np.exp(unlike.log_probs[0]) == pytest.approx([0.6, 0.4])  # what diversity took is back


def test_the_best_of_each_group_come_first():
    captions = search_markov(num_tokens=9, num_beams=6, num_groups=3, num_captions=6)
    for scores in captions.scores:
        assert (np.diff(scores[:3]) <= 0).all()
        assert (np.diff(scores[3:]) <= 0).all()
    narrow = search_markov(num_tokens=9, num_beams=2, num_captions=2)
    first_group = {tuple(narrow.words_of(0, k)) for k in range(2)}
    assert first_group <= {tuple(captions.words_of(0, k)) for k in range(6)}


@pytest.mark.parametrize("diversity", [0.0, 2.0])
def test_one_group_is_plain_beam_search_whatever_the_diversity(diversity):
    plain = search_markov(num_beams=4, num_captions=4)
    grouped = search_markov(num_beams=4, num_captions=4, num_groups=1, diversity=diversity)
    np.testing.assert_array_equal(grouped.ids, plain.ids)


def test_an_image_that_is_done_early_leaves_the_others_alone():
    """The images of a batch end at different lengths, and each as if it were alone."""
    short = np.full((7, 7), -30.0, np.float32)
    short[:, END] = 0.0
    short[START, A] = 30.0
    _, step, _ = markov_decoder(7, seed=3)

    def start(images_N1):
        image_N = tf.cast(images_N1[:, 0], tf.int32)
        return image_N, tf.zeros_like(image_N)

    def step_or_stop(tokens_B, before_B, image_N):
        log_probs_BV, state = step(tokens_B, before_B, tf.minimum(image_N, 2))
        image_B = tf.repeat(image_N, tf.size(tokens_B) // tf.size(image_N))
        stop_BV = tf.gather(tf.constant(short), tokens_B)
        return tf.where(image_B[:, None] == 3, stop_BV, log_probs_BV), state

    images = np.array([[0], [3], [1], [3], [2]], np.float32)
    settings = SearchSettings(num_beams=3, num_captions=3, max_length=9)
    together = CaptionSearch(start, step_or_stop, settings, batch_size=5)(images)
    alone = CaptionSearch(start, step_or_stop, settings, batch_size=1)(images)
    for ours, theirs in zip(together._arrays(), alone._arrays(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert together.words_of(1) == [A]
