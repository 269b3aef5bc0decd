"""Packing a model: half the size, the same captions."""

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from random_model import make_model

from captioner.captioning.captioner import Captioner
from captioner.captioning.export import export_model
from captioner.captioning.model_folder import ModelFolder
from captioner.cli.app import run_command_line
from captioner.decoders.storage import load_decoder
from captioner.decoding.settings import SearchSettings
from captioner.errors import DecoderError, UsageError, VocabularyError
from captioner.metrics.expectation import Expectation
from captioner.metrics.ngrams import count_caption_ngrams
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


@pytest.mark.parametrize("content", ["vocabulary.json", "pipeline.json", "members/1", "notes.txt"])
def test_a_folder_with_something_in_it_is_left_alone(model, tmp_path, content):
    (tmp_path / "packed" / content).mkdir(parents=True)
    with pytest.raises(UsageError, match="exists, and has something in it"):
        export_model(model, tmp_path / "packed", SearchSettings())
    assert [path.name for path in (tmp_path / "packed").iterdir()] == [content.split("/")[0]]
    assert run_command_line(["export", str(model.path), "--to", str(tmp_path / "packed")]) == 2


def test_an_empty_folder_or_a_link_to_one_is_taken(model, tmp_path):
    (tmp_path / "far" / "empty").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "empty")
    export_model(model, tmp_path / "link", SearchSettings())
    assert (tmp_path / "link").is_symlink()
    assert ModelFolder(tmp_path / "far" / "empty", "").search() == SearchSettings()


def test_an_export_that_is_killed_leaves_nothing_that_the_next_one_takes(model, tmp_path):
    """Three members, of which the first export gets through one or two."""
    for member in (1, 2):
        shutil.copytree(model.path, tmp_path / "three" / "members" / str(member))
    shutil.copytree(model.path, tmp_path / "three", dirs_exist_ok=True)
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from captioner.captioning import export\n"
        "from captioner.captioning.model_folder import ModelFolder\n"
        "from captioner.decoding.settings import SearchSettings as Search\n"
        "save, saved = export.save_decoder, []\n"
        "def die(folder, *args, **options):\n"
        "    save(folder, *args, **options)\n"
        "    saved.append(folder)\n"
        "    if len(saved) == 2:\n"
        "        os.kill(os.getpid(), 9)\n"
        "export.save_decoder = die\n"
        "export.export_model(ModelFolder(Path(sys.argv[1]), ''), Path(sys.argv[2]), Search())\n"
    )
    out = tmp_path / "out" / "packed"
    killed = subprocess.run([sys.executable, "-c", script, tmp_path / "three", out])
    assert killed.returncode == -signal.SIGKILL
    assert not out.exists()
    assert len(list(out.parent.iterdir())) == 1, "what was begun lies in a hidden folder"
    export_model(model, out, SearchSettings())
    assert not (out / "members").exists()
    assert list(out.parent.iterdir()) == [out]


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
    "damage",
    [
        {"never_last": 4},
        {"never_last": ["a"]},
        {"num_beams": 0},
        {"max_length": "x"},
        {"num_beams": 2.0},
    ],
)
def test_a_damaged_record_of_the_search_is_said_so(model, tmp_path, damage):
    packed = ModelFolder(export_model(model, tmp_path / "packed", SearchSettings()), "packed")
    (packed.path / "search.json").write_text(json.dumps(damage))
    with pytest.raises(DecoderError, match=r"search\.json is damaged"):
        packed.search()


def test_captions_are_ranked_by_what_people_are_expected_to_say(model, tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    unranked = Captioner(model, precision="float32")
    likeliest = unranked.caption(image, beam=4, n_best=4)
    vocabulary = Vocabulary.load(model.path / "vocabulary.json")
    wanted = likeliest.alternatives[2]
    expectation = expect_only(vocabulary.encode(wanted.words)[1:-1])
    packed = export_model(model, tmp_path / "packed", SearchSettings(), expectation)
    assert ModelFolder(packed, "").digest() != model.digest()
    captioner = Captioner.load(packed, precision="float32")
    first, second = captioner.caption([image] * 2, beam=4, n_best=2)
    assert [first.text, second.text, len(first.alternatives)] == [wanted.text, wanted.text, 1]
    # Diverse captions each lead a group of beams, and stay as they are.
    wish = {"beam": 4, "n_best": 2, "diverse": True}
    assert captioner.caption(image, **wish).text == unranked.caption(image, **wish).text


def test_an_expectation_is_packed_on(model, tmp_path):
    packed = export_model(model, tmp_path / "packed", SearchSettings(), expect_only([4, 5, 6]))
    again = export_model(ModelFolder(packed, ""), tmp_path / "again", SearchSettings())
    first, second = (folder / "expectation.npz" for folder in (packed, again))
    assert first.read_bytes() == second.read_bytes()


def test_a_model_with_a_damaged_expectation_is_refused(model):
    (model.path / "expectation.npz").write_bytes(b"torn")
    with pytest.raises(DecoderError, match=r"expectation\.npz cannot be read"):
        Captioner(model)


def test_an_expectation_of_other_features_is_refused(model, tmp_path):
    expected = expect_only([4, 5, 6])
    wider = replace(
        expected,
        mean_F=np.zeros(1281, np.float32),
        factor_F=np.ones(1281, np.float32),
        map_FR=np.zeros((1281, 1), np.float32),
    )
    wider.save(model.path / "expectation.npz")
    with pytest.raises(DecoderError, match=r"mean_F is float32 \(1281,\), not \(1280,\)"):
        Captioner(model)
    with pytest.raises(DecoderError, match="does not fit the model"):
        export_model(model, tmp_path / "packed", SearchSettings())


@pytest.mark.parametrize("content", [b"[]", b"\0" * 50, b""])
def test_a_model_with_a_damaged_vocabulary_is_not_packed(model, tmp_path, content):
    (model.path / "vocabulary.json").write_bytes(content)
    with pytest.raises(VocabularyError, match="vocabulary"):
        export_model(model, tmp_path / "packed", SearchSettings())
    assert not (tmp_path / "packed").exists()


def test_the_vocabulary_of_another_model_is_not_packed(model, tmp_path):
    Vocabulary.build([["a", "dog"]]).save(model.path / "vocabulary.json")
    with pytest.raises(DecoderError, match="the vocabulary that the decoder was trained with"):
        export_model(model, tmp_path / "packed", SearchSettings())


def test_only_a_pipeline_knows_what_people_say(model, tmp_path, capsys):
    wish = ["export", str(model.path), "--to", str(tmp_path / "packed"), "--expectation"]
    assert run_command_line(wish) == 2
    assert "has no result of tokenize and extract and train" in capsys.readouterr().err
    assert not (tmp_path / "packed").exists()


def expect_only(ids):
    """Returns an expectation that is sure of the n-grams of one caption, whatever the image."""
    ngrams = count_caption_ngrams(np.array([ids]))
    num = len(ngrams.keys_E)
    return Expectation(
        mean_F=np.zeros(1280, np.float32),
        factor_F=np.ones(1280, np.float32),
        map_FR=np.zeros((1280, 1), np.float32),
        table_GR=np.zeros((num, 1), np.float32),
        mean_G=np.ones(num, np.float32),
        keys_G=ngrams.keys_E,
        rarity_G=np.ones(num, np.float32),
        unknown_rarity=np.array(5, np.float32),
        norms_O=np.ones(4, np.float32),
    )
