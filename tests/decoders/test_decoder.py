from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from toys import WIDTH, small_spec

from captioner.decoders.batches import CaptionWords
from captioner.decoders.dropout import NO_DROPOUT, Dropout
from captioner.decoders.registry import KINDS, build_decoder, default_spec
from captioner.decoders.statistics import SMALLEST_DEVIATION
from captioner.decoders.storage import assign_weights
from captioner.decoding.steps import repeat_rows

V, N = 11, 3
TOKENS_MT = np.array([[1, 4, 5, 6], [1, 7, 8, 0], [1, 9, 0, 0], [1, 10, 4, 5]], np.int32)
IMAGE_INDEX_M = np.array([2, 0, 0, 1], np.int32)
POSITIONS_P = np.flatnonzero(TOKENS_MT).astype(np.int32)
WORDS = CaptionWords(TOKENS_MT, IMAGE_INDEX_M, POSITIONS_P)


VARIANTS = [
    *((kind, {"tied_embeddings": tied}) for kind in KINDS for tied in (True, False)),
    ("inject", {"gated_image": True}),
]


@pytest.fixture(params=VARIANTS, ids=str)
def decoder(request):
    kind, changes = request.param
    return build_decoder(small_spec(kind, V, **changes), seed=1)


@pytest.fixture
def features_N(decoder):
    shape = (N, *decoder.spec.feature_shape)
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def predict(decoder, features_N, dropout=None):
    return decoder.predict(features_N, WORDS, dropout or NO_DROPOUT).logits_PV.numpy()


def test_reading_a_caption_at_once_equals_reading_word_by_word(decoder, features_N):
    at_once_PV = tf.nn.log_softmax(predict(decoder, features_N)).numpy()
    context, state = decoder.start(features_N[IMAGE_INDEX_M])
    steps = []
    for tokens_M in TOKENS_MT.T:
        log_probs_MV, state = decoder.step(tokens_M, state, context)
        steps.append(log_probs_MV)
    by_word_PV = tf.reshape(tf.stack(steps, axis=1), [-1, V]).numpy()[POSITIONS_P]
    np.testing.assert_allclose(by_word_PV, at_once_PV, atol=1e-5)


def test_captions_side_by_side_share_the_context_of_their_image(decoder, features_N):
    words_NK = np.arange(2 * N).reshape(N, 2) % V
    context, state = decoder.start(features_N)
    beside_BV, states = decoder.step(words_NK.ravel(), repeat_rows(state, 2), context)
    for column in range(2):
        alone_NV, own = decoder.step(words_NK[:, column], state, context)
        np.testing.assert_allclose(beside_BV[column::2], alone_NV, atol=1e-5)
        for ours, theirs in zip(tf.nest.flatten(states), tf.nest.flatten(own), strict=True):
            np.testing.assert_allclose(ours[column::2], theirs, atol=1e-5)


def test_a_word_sees_only_the_words_before_it(decoder, features_N):
    changed = TOKENS_MT.copy()
    changed[:, 2:] = 3
    before = predict(decoder, features_N)
    words = WORDS._replace(tokens_MT=changed)
    after = decoder.predict(features_N, words).logits_PV.numpy()
    early_P = POSITIONS_P % TOKENS_MT.shape[1] < 2
    np.testing.assert_array_equal(before[early_P], after[early_P])
    assert not np.allclose(before[~early_P], after[~early_P])


def test_each_caption_sees_its_own_image(decoder, features_N):
    before = predict(decoder, features_N)
    changed = features_N.copy()
    changed[0] += 1.0
    differs_P = np.any(predict(decoder, changed) != before, axis=1)
    belongs_P = np.isin(POSITIONS_P // TOKENS_MT.shape[1], [1, 2])
    np.testing.assert_array_equal(differs_P, belongs_P)


def test_the_length_of_an_image_vector_does_not_matter(decoder, features_N):
    twice = predict(decoder, 2 * features_N)
    np.testing.assert_allclose(twice, predict(decoder, features_N), atol=1e-5)


def test_dropout_is_a_function_of_its_seed(decoder, features_N):
    one, same, other = (
        predict(decoder, features_N, Dropout(tf.constant(seed)))
        for seed in ([3, 1], [3, 1], [3, 2])
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_dropout_keeps_the_mean_and_differs_from_call_to_call():
    dropout = Dropout(tf.constant([0, 0]))
    first, second = (dropout(tf.ones([100, 100]), 0.25).numpy() for _ in range(2))
    assert set(np.unique(first)) == {0.0, np.float32(1 / 0.75)}
    assert np.mean(first == 0) == pytest.approx(0.25, abs=0.02)
    assert (first != second).any()


def test_weights_depend_on_the_seed_alone(decoder):
    same = build_decoder(decoder.spec, seed=1).weights
    other = build_decoder(decoder.spec, seed=2).weights
    for name, variable in decoder.weights.items():
        np.testing.assert_array_equal(variable, same[name])
    assert (other["lstm/kernel"].numpy() != decoder.weights["lstm/kernel"].numpy()).any()


def test_every_weight_is_trained(decoder, features_N):
    variables = [variable.value for variable in decoder.weights.values()]
    with tf.GradientTape() as tape:
        logits_PV = decoder.predict(features_N, WORDS).logits_PV
        loss = tf.reduce_sum(logits_PV[:, 4])
    for name, gradient in zip(decoder.weights, tape.gradient(loss, variables), strict=True):
        assert np.any(tf.convert_to_tensor(gradient)), name


@pytest.mark.parametrize("precision", ["bfloat16", "mixed_bfloat16"])
def test_bfloat16_predicts_nearly_the_same(decoder, features_N, precision):
    quick = build_decoder(decoder.spec, precision=precision, seed=2)
    assign_weights(quick, {name: v.numpy() for name, v in decoder.weights.items()}, Path("here"))
    kept = "float32" if precision.startswith("mixed") else "bfloat16"
    assert keras.backend.standardize_dtype(quick.weights["lstm/kernel"].dtype) == kept
    logits_PV = predict(quick, features_N)
    assert logits_PV.dtype == np.float32
    np.testing.assert_allclose(logits_PV, predict(decoder, features_N), atol=0.02)


def test_published_merge_equals_keras_layers():
    """The course's model, written with Keras' functional interface and given our weights."""
    features_N = np.random.default_rng(0).normal(size=(N, WIDTH)).astype(np.float32)
    spec = default_spec(
        "merge",
        V,
        feature_shape=(WIDTH,),
        units=6,
        embedding_size=5,
        image_activation="relu",
        normalise_features=False,
    )
    decoder = build_decoder(spec, seed=4)
    image, words = keras.Input((WIDTH,)), keras.Input((3,), dtype="int32")
    embedded = keras.layers.Embedding(V, 5, name="embedding")(words)
    merged = keras.layers.add(
        [
            keras.layers.Dense(6, "relu", name="image")(image),
            keras.layers.LSTM(6, name="lstm")(embedded),
        ]
    )
    mixed = keras.layers.Dense(6, "relu", name="mix")(merged)
    outputs = keras.layers.Dense(V, "softmax", name="words")(mixed)
    course = keras.Model([image, words], outputs)
    for name in ("embedding", "image", "lstm", "mix", "words"):
        ours = [v.numpy() for key, v in decoder.weights.items() if key.startswith(f"{name}/")]
        scale = 5**0.5 if name == "embedding" else 1.0  # ours scales words as they are read
        course.get_layer(name).set_weights([scale * array for array in ours])
    prefix = TOKENS_MT[[0, 1, 3], :3]
    words = CaptionWords(prefix, np.arange(3, dtype=np.int32), np.array([2, 5, 8], np.int32))
    logits_PV = decoder.predict(features_N, words).logits_PV
    expected = course([features_N, prefix]).numpy()
    np.testing.assert_allclose(tf.nn.softmax(logits_PV).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_standardised_features_forget_scale_and_offset_of_the_training_images(kind):
    random = np.random.default_rng(2)
    spec = small_spec(kind, V, normalise_features=False, standardise_features=True)
    images_N = random.normal(size=(50, *spec.feature_shape)).astype(np.float32)
    moved_N = images_N * random.uniform(0.5, 2, spec.feature_shape[-1]).astype(np.float32) + 3
    outputs = []
    for features_N in (images_N, moved_N):
        decoder = build_decoder(spec, seed=1)
        decoder.fit([features_N[:20], features_N[20:]])
        outputs.append(predict(decoder, features_N[:N]))
    np.testing.assert_allclose(outputs[0], outputs[1], atol=0.05)
    assert "image_statistics/mean" in decoder.weights


@pytest.mark.parametrize("kind", KINDS)
def test_scaled_features_are_as_smaller_features(kind):
    spec = small_spec(kind, V, normalise_features=False)
    images_N = np.random.default_rng(2).normal(size=(N, *spec.feature_shape)).astype(np.float32)
    scaled = build_decoder(replace(spec, image_scale=0.25), seed=1)
    expected = predict(build_decoder(spec, seed=1), images_N / 4)
    np.testing.assert_allclose(predict(scaled, images_N), expected, atol=1e-6)
    assert np.abs(predict(scaled, 4 * images_N) - expected).max() > 1e-3


def test_places_and_mean_of_a_standardised_grid_have_statistics_of_their_own():
    spec = small_spec("attention", V, normalise_features=False, standardise_features=True)
    random = np.random.default_rng(3)
    grids_NHWC = random.normal(2, 3, size=(400, *spec.feature_shape)).astype(np.float32)
    decoder = build_decoder(spec)
    decoder.fit(iter(np.split(grids_NHWC, 8)))
    found = {name: weight.numpy() for name, weight in decoder.weights.items()}
    means_NC = grids_NHWC.mean(axis=(1, 2))
    for name, features in (("place", grids_NHWC), ("image", means_NC)):
        rows = features.reshape(-1, features.shape[-1])
        np.testing.assert_allclose(found[f"{name}_statistics/mean"], rows.mean(axis=0), rtol=1e-4)
        deviation = rows.std(axis=0) + SMALLEST_DEVIATION
        np.testing.assert_allclose(found[f"{name}_statistics/deviation"], deviation, rtol=1e-4)


def test_statistics_are_taken_once_and_not_trained(tmp_path):
    from toys import toy_task

    from captioner.decoders.settings import TrainSettings
    from captioner.decoders.storage import load_decoder
    from captioner.decoders.training import train_decoder

    vocabulary, captions, features = toy_task()
    spec = default_spec(
        "inject", len(vocabulary), feature_shape=(WIDTH,), units=8, standardise_features=True
    )
    settings = TrainSettings(epochs=1, batch_size=32, precision="float32")
    train_decoder(spec, features, captions, settings, tmp_path, lambda decoder: 1.0)
    vectors_NF = features.read("vector", captions.image_ids_in("train"))
    vectors_NF *= WIDTH**0.5 / np.linalg.norm(vectors_NF, axis=1, keepdims=True)
    mean_F = load_decoder(tmp_path).weights["image_statistics/mean"].numpy()
    np.testing.assert_allclose(mean_F, vectors_NF.mean(axis=0), atol=1e-5)
