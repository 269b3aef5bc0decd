"""The whole way on a real encoder, with a small decoder whose words are random."""

import doctest
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from random_model import make_model

from captioner.captioning import caption, captioner, existing, file_names
from captioner.captioning.captioner import Captioner
from captioner.captioning.model_folder import SHIPPED, find_model, list_models
from captioner.cli.app import run_command_line
from captioner.errors import DecoderError, ImageError, UsageError
from captioner.files import write_json


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def loaded(model) -> Captioner:
    return Captioner.load(model, batch_size=4, precision="float32")


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    noise = np.random.default_rng(0).integers(0, 256, (6, 50, 60, 3), np.uint8)
    return [Image.fromarray(array) for array in noise]


def test_every_kind_of_source_gives_the_same_caption(loaded, pictures, tmp_path):
    path = tmp_path / "picture.png"
    pictures[0].save(path)
    sources = [path, str(path), path.read_bytes(), pictures[0], np.asarray(pictures[0])]
    captions = [loaded.caption(source) for source in sources]
    assert len(set(captions)) == 1
    assert captions[0].text
    assert 0 < captions[0].confidence <= 1
    assert loaded.caption(sources) == captions


def test_one_graph_whatever_the_number_of_images(loaded, pictures):
    one_by_one = [loaded.caption(picture) for picture in pictures]
    together = loaded.caption(pictures)
    assert [c.text for c in together] == [c.text for c in one_by_one]
    assert loaded.caption([]) == []
    engine = loaded.engine()
    assert loaded.engine() is engine
    assert engine._generator._search._search.experimental_get_tracing_count() == 1
    assert loaded._encoder._encode.experimental_get_tracing_count() == 1


def test_alternatives_are_likely_in_their_order(loaded, pictures):
    found = loaded.caption(pictures[0], beam=3, n_best=3)
    assert len(found.alternatives) == 2
    assert len({found.text, *(c.text for c in found.alternatives)}) == 3
    assert all(c.alternatives == () for c in found.alternatives)


def test_diverse_captions_share_out_the_beams(loaded, pictures):
    engine = loaded.engine(beam=7, n_best=3, diverse=True)
    settings = engine._generator._search.settings
    assert (settings.num_beams, settings.num_groups, settings.num_captions) == (6, 3, 3)


def test_the_recorded_search_is_the_default(loaded, pictures):
    assert loaded.caption(pictures) == loaded.caption(pictures, beam=2)
    assert max(len(c.text.split()) for c in loaded.caption(pictures)) <= 8


def test_requests_that_cannot_be_met(loaded, pictures, tmp_path):
    with pytest.raises(UsageError, match="num_beams=0, expected 1 or more"):
        loaded.caption(pictures[0], beam=0)
    with pytest.raises(UsageError, match="num_captions=5 is more than the 3"):
        loaded.caption(pictures[0], beam=3, n_best=5)
    with pytest.raises(ImageError, match=r"gone\.jpg"):
        loaded.caption([pictures[0], tmp_path / "gone.jpg"])
    with pytest.raises(UsageError, match="There is no folder 'nowhere'"):
        loaded.caption_folder("nowhere")


def test_a_folder_never_raises_for_a_bad_file(loaded, photos):
    (photos / "bad.jpg").write_bytes(b"<html>")
    results = list(loaded.caption_folder(photos, recursive=True))
    assert [result.name for result in results][:3] == ["a.png", "b.JPG", "bad.jpg"]
    assert [result.status for result in results].count("failed") == 1
    assert "HTML" in results[2].error
    assert results[2].caption is None
    assert results[0].caption.text == loaded.caption(photos / "a.png").text


def test_models_are_found_by_folder_and_by_pipeline(model, tmp_path, monkeypatch):
    artifact = make_model(tmp_path / "artifacts" / "train" / "0123456789abcdef")
    pipeline = tmp_path / "artifacts" / "scenes"
    pipeline.mkdir()
    (pipeline / "pipeline.json").write_text(json.dumps({"train": "0123456789abcdef" * 4}))
    assert find_model(model).path == model
    assert find_model("shipped").path == find_model(None).path
    assert find_model(artifact).path == artifact
    assert find_model(pipeline).path == artifact
    assert find_model("scenes", tmp_path / "artifacts").path == artifact
    monkeypatch.setenv("CAPTIONER_ARTIFACTS", str(tmp_path / "artifacts"))
    assert find_model("scenes").path == artifact
    (pipeline / "train").symlink_to(artifact)
    assert find_model(pipeline).path == pipeline / "train"
    assert [listed.name for listed in list_models() if listed.name != "shipped"] == ["scenes"]
    with pytest.raises(UsageError, match=r"Known: .*scenes.* Did you mean 'scenes'\?"):
        find_model("scene")


def test_photographs_come_to_the_size_that_the_model_was_trained_on(tmp_path, pictures):
    model = make_model(tmp_path)
    record = json.loads((model / "backbone.json").read_text())
    record["resize"] |= {"height": 64, "width": 96}
    write_json(model / "backbone.json", record)
    captioner = Captioner.load(model)
    assert captioner.loader()(pictures[0]).shape == (64, 96, 3)
    assert captioner.caption(pictures[0]).text


def test_other_encoder_weights_are_refused(tmp_path):
    model = make_model(tmp_path)
    record = json.loads((model / "backbone.json").read_text())
    record["weights"]["digest"] = "sha256:0123"
    write_json(model / "backbone.json", record)
    with pytest.raises(DecoderError, match="with the weights sha256:0123, and 'imagenet' now"):
        Captioner.load(model)


def test_a_model_without_an_encoder_is_refused(tmp_path):
    model = make_model(tmp_path)
    (model / "backbone.json").unlink()
    with pytest.raises(DecoderError, match=r"backbone\.json: this part of the model cannot be"):
        Captioner.load(model)


def test_pictures_come_in_any_collection_and_numbers_from_numpy(loaded, pictures):
    text = loaded.caption(pictures[0]).text
    several = loaded.caption(picture for picture in pictures[:1] * 2)
    assert [caption.text for caption in several] == [text] * 2
    assert loaded.caption(pictures[0], beam=np.int64(2)).text == text
    content = io.BytesIO()
    pictures[0].save(content, "PNG")
    assert loaded.caption(bytearray(content.getvalue())).text == text


@pytest.mark.parametrize("wrong", [None, 3, [3], [None], 2.5])
def test_what_is_no_picture_is_told(loaded, wrong):
    """Numbers above all: to the system they are open files."""
    with pytest.raises(ImageError, match=r"expected a path, a file's content, a PIL image or an"):
        loaded.caption(wrong)


@pytest.mark.parametrize("beam", [2.0, True, "2"])
def test_a_beam_that_is_no_whole_number_is_told(loaded, pictures, beam):
    with pytest.raises(UsageError, match=f"num_beams={beam!r}, expected a whole number"):
        loaded.caption(pictures[0], beam=beam)


@pytest.mark.parametrize(
    ("key", "value"),
    [("name", ["a"]), ("weights", 3), ("weights", {}), ("resize", {"height": 1e999, "width": 2})],
)
def test_a_damaged_record_of_the_encoder_is_told_and_hides_no_other_model(
    tmp_path, capsys, key, value
):
    for name in ("one", "two"):
        make_model(tmp_path / "artifacts" / name)
        write_json(tmp_path / "artifacts" / name / "pipeline.json", {})
    record = tmp_path / "artifacts" / "one" / "backbone.json"
    write_json(record, {**json.loads(record.read_text()), key: value})
    with pytest.raises(DecoderError, match="does not say which encoder the model needs"):
        Captioner.load(tmp_path / "artifacts" / "one")
    assert run_command_line(["models", "--artifacts", str(tmp_path / "artifacts")]) == 0
    out = capsys.readouterr().out
    assert re.search(r"one +no encoder", out)
    assert re.search(r"two +needs efficientnet_lite0", out)


def test_a_model_packed_where_a_pipeline_keeps_its_results_does_not_hide_its_model(tmp_path):
    trained = make_model(tmp_path / "train" / "0123456789abcdef")
    make_model(tmp_path / "scenes")
    write_json(tmp_path / "scenes" / "pipeline.json", {"train": "0123456789abcdef" * 4})
    assert find_model("scenes", tmp_path).path == trained


def test_the_digest_moves_with_everything_that_decides_captions(tmp_path):
    model = find_model(make_model(tmp_path))
    digests = {model.digest()}
    assert model.digest() in digests
    write_json(tmp_path / "search.json", {"num_beams": 5})
    digests.add(model.digest())
    make_model(tmp_path, seed=1)
    digests.add(model.digest())
    assert len(digests) == 3


@pytest.mark.parametrize("module", [caption, existing, file_names])
def test_examples(module):
    assert doctest.testmod(module).failed == 0
    assert doctest.testmod(module).attempted > 0


def test_examples_with_the_shipped_model():
    assert (SHIPPED / "decoder.json").exists()
    assert doctest.testmod(captioner).failed == 0
