"""Packing a model: half the size, the same captions."""

import json

import numpy as np
import pytest
from random_model import make_model

from captioner.captioning.export import export_model
from captioner.captioning.model_folder import ModelFolder
from captioner.cli.app import run_command_line
from captioner.decoders.storage import load_decoder
from captioner.decoding.settings import SearchSettings
from captioner.errors import DecoderError, UsageError
from captioner.text.dangling import find_dangling_ids
from captioner.text.vocabulary import Vocabulary


@pytest.fixture
def model(tmp_path):
    return ModelFolder(make_model(tmp_path / "model"), "model")


def test_weights_are_halved_and_the_search_is_recorded(model, tmp_path):
    search = SearchSettings(num_beams=4, length_exponent=0.6, max_length=9)
    packed = ModelFolder(export_model(model, tmp_path / "packed", search), "packed")
    assert packed.search() == search
    assert packed.backbone() == model.backbone()
    before, after = (load_decoder(folder.path).weights for folder in (model, packed))
    for name, variable in before.items():
        np.testing.assert_allclose(after[name].numpy(), variable.numpy(), atol=2e-3)
    weights = "decoder.weights.h5"
    assert (packed.path / weights).stat().st_size < (model.path / weights).stat().st_size


def test_a_folder_with_a_model_is_left_alone(model, tmp_path):
    export_model(model, tmp_path / "packed", SearchSettings())
    with pytest.raises(UsageError, match="holds a model already"):
        export_model(model, tmp_path / "packed", SearchSettings())


def test_the_command(model, tmp_path, capsys):
    code = run_command_line(
        ["export", str(model.path), "--to", str(tmp_path / "packed"), "--length-exponent", "0.5"]
    )
    assert code == 0
    assert "captioner caption PATH --model" in capsys.readouterr().out
    recorded = json.loads((tmp_path / "packed" / "search.json").read_text())
    assert recorded == {"num_beams": 2, "max_length": 8, "length_exponent": 0.5}


def test_rules_are_recorded_where_there_are_any(model, tmp_path):
    packed = tmp_path / "packed"
    rules = ["--max-words", "18", "--no-repeat-ngram", "3", "--no-stutter", "--no-dangling"]
    assert run_command_line(["export", str(model.path), "--to", str(packed), *rules]) == 0
    search = ModelFolder(packed, "packed").search()
    assert (search.max_length, search.no_repeat_ngram, search.no_stutter) == (18, 3, True)
    vocabulary = Vocabulary.load(packed / "vocabulary.json")
    assert search.never_last == find_dangling_ids(vocabulary)
    assert hash(search)


@pytest.mark.parametrize(
    "damage", [{"never_last": 4}, {"never_last": ["a"]}, {"num_beams": 0}, {"max_length": "x"}]
)
def test_a_damaged_record_of_the_search_is_said_so(model, tmp_path, damage):
    packed = ModelFolder(export_model(model, tmp_path / "packed", SearchSettings()), "packed")
    (packed.path / "search.json").write_text(json.dumps(damage))
    with pytest.raises(DecoderError, match=r"search\.json is damaged"):
        packed.search()
