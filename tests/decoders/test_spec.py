import json

import pytest

from captioner.decoders.registry import KINDS, build_decoder, default_spec
from captioner.decoders.settings import TrainSettings
from captioner.decoders.spec import DecoderSpec
from captioner.errors import DecoderError, UsageError


@pytest.mark.parametrize("kind", KINDS)
def test_a_description_survives_json(kind):
    spec = default_spec(kind, 100, feature_shape=(7, 7, 12), feature_kind="grid", units=9)
    assert DecoderSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": 0}, "units=0, expected 1 or more"),
        ({"embedding_size": -1}, "embedding_size=-1"),
        ({"vocabulary_size": 4}, "vocabulary_size=4, expected 5 up"),
        ({"feature_shape": (7, 7, 3)}, r"feature_shape=\(7, 7, 3\) does not fit feature_kind='vec"),
        ({"feature_kind": "box"}, "feature_kind='box'"),
        ({"output_dropout": 1.0}, r"output_dropout=1\.0, expected 0 to <1"),
        ({"image_scale": 0.0}, r"image_scale=0\.0, expected a number above 0"),
        ({"image_activation": "tanh"}, "image_activation='tanh', expected 'linear' or 'relu'"),
    ],
)
def test_a_value_out_of_range_is_named(changes, message):
    with pytest.raises(DecoderError, match=message):
        DecoderSpec(**{"kind": "inject", "vocabulary_size": 9, **changes})


def test_an_unknown_kind_is_answered_with_the_nearest():
    with pytest.raises(DecoderError, match=r"'injct' is unknown\. Known: .*Did you mean 'inject'"):
        default_spec("injct", 100)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([], "no decoder description of version 1, but 'list'"),
        ({"version": 2}, "no decoder description of version 1, but 2"),
        ({"version": 1, "kind": "merge", "unit": 3}, "unknown key 'unit'. Did you mean 'units'"),
        ({"version": 1, "kind": "merge"}, "damaged: .*vocabulary_size"),
        ({"version": 1, "kind": "merge", "vocabulary_size": "many"}, "damaged"),
    ],
)
def test_a_damaged_description_is_refused(record, message):
    with pytest.raises(DecoderError, match=message):
        DecoderSpec.from_json(record)


@pytest.mark.parametrize("kind", ["inject", "merge"])
def test_kinds_that_read_vectors_refuse_grids(kind):
    spec = default_spec(kind, 9, feature_kind="grid", feature_shape=(7, 7, 8))
    with pytest.raises(DecoderError, match=r"reads one vector an image.*feature_kind='grid'"):
        build_decoder(spec)


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_that_a_kind_does_not_read_is_refused(kind):
    for name in KINDS[kind].unread:
        with pytest.raises(DecoderError, match=f"kind '{kind}' does not read {name}"):
            default_spec(kind, 9, **{name: getattr(DecoderSpec, name)})


def test_kinds_that_read_grids_refuse_vectors():
    spec = default_spec("attention", 9, feature_kind="vector", feature_shape=(8,))
    with pytest.raises(DecoderError, match=r"reads a grid of every image.*feature_kind='vector'"):
        build_decoder(spec)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"reward_samples": 1}, "reward_samples=1, expected 2 or more"),
        ({"reward_epochs": -1, "reward_bleu": -0.5}, r"reward_epochs=-1.*reward_bleu=-0\.5"),
        ({"epochs": 0}, "epochs=0, expected 1 or more"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"learning_rate": 0.0}, r"learning_rate=0\.0, expected a number above 0"),
        ({"learning_rate": float("nan")}, "learning_rate=nan"),
        ({"label_smoothing": 1.0}, r"label_smoothing=1\.0, expected 0 to <1"),
        ({"ema": 1.0}, r"ema=1\.0"),
        ({"warmup_steps": -1}, "warmup_steps=-1, expected 0 or more"),
        ({"seed": -1}, "seed=-1, expected 0 to 2147483647"),
        ({"precision": "half"}, "precision='half', expected one of auto, float32, bfloat16"),
        ({"patience": 0, "clip_norm": -1.0}, r"patience=0.*clip_norm=-1\.0"),
    ],
)
def test_training_settings_out_of_range_are_named(values, message):
    with pytest.raises(UsageError, match=message):
        TrainSettings(**values)
