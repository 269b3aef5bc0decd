"""What decides a trained decoder, and what does not."""

import importlib.util
from pathlib import Path

import pytest

from captioner.config import Pipeline
from captioner.datasets.records import CaptionDataset, CaptionedImage, CaptionedImages
from captioner.decoders.spec import DecoderSpec
from captioner.errors import ConfigError
from captioner.pipeline.digests import DigestCache
from captioner.pipeline.fingerprint import summarise
from captioner.stages import evaluate, extract, train
from captioner.stages.sources import Sources


@pytest.fixture
def inputs_of(tmp_path):
    images = []
    for split in ("train", "dev", "test"):
        path = tmp_path / f"{split}.jpg"
        path.write_text(split)
        images.append(CaptionedImage(split, str(path), ("a dog", "one dog"), split))

    def compute(*overrides, captions=None, declare=train.declare):
        settings = Pipeline.load("quickstart", overrides).settings
        changed = [
            CaptionedImage(
                i.image_id, i.file, (captions or {}).get(i.image_id, i.captions), i.split
            )
            for i in images
        ]
        dataset = CaptionDataset("toy", CaptionedImages(*zip(*changed, strict=True)))
        sources = Sources(settings, dataset, DigestCache(tmp_path / "digests"))
        return summarise(declare(sources).inputs)

    return compute


def test_defaults_of_the_decoder_are_part_of_the_fingerprint(inputs_of):
    """A default that a new version changes must not find the artifact of the old one."""
    inputs = inputs_of("decoder.kind=merge")
    assert inputs["decoder.tied_embeddings"] is False
    assert inputs["decoder.image_activation"] == DecoderSpec.image_activation
    assert None not in [value for name, value in inputs.items() if name.startswith("decoder.")]


def test_what_a_kind_does_not_read_is_no_part_of_its_fingerprint(inputs_of):
    assert "decoder.attention_units" in inputs_of("decoder.kind=attention")
    assert "decoder.attention_units" not in inputs_of("decoder.kind=inject")
    assert "decoder.gated_image" not in inputs_of("decoder.kind=attention")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["train.attention_penalty=1"], "attention_penalty=1.0 is for decoders that attend"),
        (["decoder.kind=merge", "decoder.gated_image=true"], "'merge' does not read gated_image"),
        (["decoder.kind=attention", "decoder.attention_heads=7"], "cannot be split into"),
    ],
)
def test_settings_that_do_not_fit_each_other_are_a_fault_of_the_pipeline(
    inputs_of, overrides, message
):
    with pytest.raises(ConfigError, match=rf"\[(decoder|train)\] .*{message}"):
        inputs_of(*overrides)


def test_options_that_are_off_change_no_fingerprint(inputs_of):
    for name in ("train.scheduled_sampling", "train.members", "decoder.variational_dropout"):
        assert name not in inputs_of()
    assert "train.mirrored" not in inputs_of()
    mirrored = inputs_of("train.mirrored=true")
    assert (mirrored["train.mirrored"], mirrored["extract.outputs"][-1]) == (
        True,
        "vector_mirrored",
    )
    assert inputs_of("train.scheduled_sampling=0.2")["train.scheduled_sampling"] == 0.2
    assert inputs_of("decoder.variational_dropout=true")["decoder.variational_dropout"] is True


@pytest.mark.parametrize(
    ("overrides", "together"),
    [
        (["decoder.kind=inject"], None),
        (["decoder.kind=attention"], 3),
        (["decoder.kind=attention", "train.captions_together=1"], None),
        (["decoder.kind=inject", "train.captions_together=5"], 5),
    ],
)
def test_captions_that_go_together_decide_the_decoder_unless_each_goes_alone(
    inputs_of, overrides, together
):
    assert inputs_of(*overrides).get("train.captions_together") == together


def test_captions_of_the_test_split_do_not_decide_the_decoder(inputs_of):
    other = {"test": ("something else",)}
    assert inputs_of() == inputs_of(captions=other)
    declare = evaluate.declare
    assert inputs_of(declare=declare) != inputs_of(captions=other, declare=declare)


@pytest.mark.parametrize("split", ["train", "dev"])
def test_captions_of_train_and_dev_do(inputs_of, split):
    assert inputs_of() != inputs_of(captions={split: ("something else",)})


@pytest.mark.parametrize(
    "override", ["extract.batch_size=3", "extract.workers=1", "evaluate.beam=1"]
)
def test_what_cannot_change_the_weights_stays_out(inputs_of, override):
    assert inputs_of() == inputs_of(override)


def test_features_made_elsewhere_stand_for_encoder_and_photographs(inputs_of, tmp_path):
    pickle = Path(tmp_path / "features.pkl")
    pickle.write_bytes(b"one")
    inputs = inputs_of(f"train.features={pickle}")
    assert not any(name.startswith(("backbone", "extract", "images")) for name in inputs)
    pickle.write_bytes(b"another")
    assert inputs_of(f"train.features={pickle}") != inputs


@pytest.mark.parametrize(
    ("overrides", "names_it"),
    [
        (["tokenize.scheme=tutorial"], False),
        (["tokenize.scheme=default", "train.reward_epochs=1"], False),
        (["tokenize.scheme=brownlee", "train.reward_epochs=1"], True),
        (["tokenize.scheme=tutorial", "train.scheduled_sampling=0.2"], True),
    ],
)
def test_decoders_from_before_every_word_was_drawn_are_trained_again(
    inputs_of, overrides, names_it
):
    assert ("train.draws_every_word" in inputs_of(*overrides)) == names_it


@pytest.mark.parametrize("name", ["lake.heic", "LAKE.HEIF", "lake.jpg"])
def test_photographs_that_a_missing_package_reads_are_tried_again_once_it_is_there(
    tmp_path, monkeypatch, name
):
    path = tmp_path / name
    path.write_bytes(b"x")
    image = CaptionedImage("lake", str(path), ("a lake",), "train")

    find_spec = importlib.util.find_spec

    def finder(found):
        return lambda name: found if name == "pillow_heif" else find_spec(name)

    def inputs(declare):
        settings = Pipeline.load("quickstart").settings
        dataset = CaptionDataset("toy", CaptionedImages(*zip(image, strict=True)))
        stage = declare(Sources(settings, dataset, DigestCache(tmp_path / "digests")))
        return stage.reuse_on, summarise(stage.inputs)

    for declare in (extract.declare, train.declare):
        monkeypatch.setattr("importlib.util.find_spec", finder(None))
        reuse_on, without = inputs(declare)
        monkeypatch.setattr("importlib.util.find_spec", finder("there"))
        _, there = inputs(declare)
        assert (without != there) == (name != "lake.jpg")
        assert "library.pillow_heif" not in (*reuse_on, *there)
