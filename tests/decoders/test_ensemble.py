import numpy as np
import pytest
import tensorflow as tf
from toys import small_spec

from captioner.decoders.batches import CaptionWords
from captioner.decoders.ensemble import Ensemble, load_decoders
from captioner.decoders.members import list_members, member_folder
from captioner.decoders.registry import build_decoder
from captioner.decoders.storage import save_decoder
from captioner.decoding.search import CaptionSearch
from captioner.decoding.settings import SearchSettings
from captioner.errors import DecoderError

V, N = 11, 3
TOKENS_MT = np.array([[1, 4, 5, 6], [1, 7, 8, 0], [1, 9, 0, 0]], np.int32)
POSITIONS_P = np.flatnonzero(TOKENS_MT).astype(np.int32)


@pytest.fixture(params=["inject", "attention"])
def members(request):
    return [build_decoder(small_spec(request.param, V), seed=seed) for seed in (1, 2, 3)]


@pytest.fixture
def features_N(members):
    shape = (N, *members[0].spec.feature_shape)
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_the_next_word_has_the_mean_probability_of_all_members(members, features_N):
    ensemble = Ensemble(members)
    context, state = ensemble.start(features_N)
    tokens_N = tf.constant([4, 5, 6])
    for _ in range(2):
        log_probs_NV, state = ensemble.step(tokens_N, state, context)
    expected_NV = np.zeros((N, V))
    for member in members:
        own_context, own_state = member.start(features_N)
        for _ in range(2):
            own_NV, own_state = member.step(tokens_N, own_state, own_context)
        expected_NV += np.exp(own_NV) / len(members)
    np.testing.assert_allclose(np.exp(log_probs_NV), expected_NV, rtol=1e-5)


def test_reading_captions_at_once_averages_as_well(members, features_N):
    words = CaptionWords(TOKENS_MT, np.arange(N, dtype=np.int32), POSITIONS_P)
    together = Ensemble(members).predict(features_N, words)
    alone = [member.predict(features_N, words) for member in members]
    expected_PV = np.mean([tf.nn.softmax(own.logits_PV) for own in alone], axis=0)
    np.testing.assert_allclose(np.exp(together.logits_PV), expected_PV, rtol=1e-5)
    assert (together.looks_MTL is None) == (alone[0].looks_MTL is None)
    if together.looks_MTL is not None:
        expected_MTL = np.mean([own.looks_MTL for own in alone], axis=0)
        np.testing.assert_allclose(together.looks_MTL, expected_MTL, atol=1e-6)


def test_members_that_are_alike_write_what_one_would(members, features_N):
    settings = SearchSettings(num_beams=3, num_captions=3, max_length=6)
    one, twins = members[0], Ensemble([members[0], members[0]])
    alone = CaptionSearch(one.start, one.step, settings, batch_size=4)(features_N)
    together = CaptionSearch(twins.start, twins.step, settings, batch_size=4)(features_N)
    np.testing.assert_array_equal(together.ids, alone.ids)
    np.testing.assert_allclose(together.log_probs, alone.log_probs, atol=1e-5)


def test_where_it_looked_is_the_mean_of_all_members(features_N, members):
    ensemble = Ensemble(members)
    if not ensemble.attends:
        with pytest.raises(DecoderError, match="attends to no place"):
            ensemble.look(features_N, TOKENS_MT)
        return
    looks = [member.look(features_N, TOKENS_MT).numpy() for member in members]
    found = ensemble.look(features_N, TOKENS_MT).numpy()
    np.testing.assert_allclose(found, np.mean(looks, axis=0), atol=1e-6)


def test_a_folder_with_members_is_an_ensemble_and_one_without_a_decoder(tmp_path, members):
    save_decoder(tmp_path, members[0])
    assert load_decoders(tmp_path).spec == members[0].spec
    assert list_members(tmp_path) == [tmp_path]
    for place, member in enumerate(members):
        own = member_folder(tmp_path, place)
        own.mkdir(parents=True, exist_ok=True)
        save_decoder(own, member)
    loaded = load_decoders(tmp_path)
    for ours, theirs in zip(loaded.members, members, strict=True):
        name = "lstm/kernel"
        np.testing.assert_array_equal(ours.weights[name].numpy(), theirs.weights[name].numpy())


def test_members_must_read_the_same(members):
    other = build_decoder(small_spec("inject", V + 1), seed=1)
    with pytest.raises(DecoderError, match=r"read the same features and words.*12 words"):
        Ensemble([members[0], other])
    with pytest.raises(DecoderError, match="at least one decoder"):
        Ensemble([])
