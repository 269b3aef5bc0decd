"""captioner probe, from the command line down, on features written by hand."""

import json
import pickle

import numpy as np
import pytest

from captioner.cli.app import run_command_line
from captioner.datasets.scenes.drawing import draw_scenes
from captioner.features.pickles import PickledFeatures, write_features_pickle
from captioner.features.store import FeatureWriter

NUM_IMAGES = 120
PIPELINE = """
[dataset]
format = "flickr8k"
path = "photos"
[train]
features = "features.pkl"
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Drawn scenes; features that count colours, and a feature store of noise."""
    folder = tmp_path_factory.mktemp("project")
    draw_scenes(folder / "photos", num_images=NUM_IMAGES, seed=3)
    (folder / "mine.toml").write_text(PIPELINE)
    captions = (folder / "photos" / "Flickr8k.token.txt").read_text().splitlines()
    image_ids = sorted({line.split(".")[0] for line in captions})
    text = {name: " ".join(c for c in captions if c.startswith(name)) for name in image_ids}
    generator = np.random.default_rng(0)
    noise = generator.normal(size=(len(image_ids), 6)).astype(np.float32)
    known = np.array([[word in text[name] for word in ("red", "blue")] for name in image_ids])
    told = np.concatenate([noise, 5 * known], axis=1).astype(np.float32)
    write_features_pickle(folder / "features.pkl", PickledFeatures("x", image_ids, told))
    writer = FeatureWriter(folder / "artifacts" / "extract" / "noise", {"vector": (6,)})
    writer.append(image_ids, ["00"] * len(image_ids), {"vector": noise})
    writer.seal()
    return folder


@pytest.fixture
def call(project, monkeypatch, capsys):
    monkeypatch.chdir(project)

    def run(*arguments):
        code = run_command_line(["probe", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_pipelines_and_folders_are_ranked_side_by_side(call):
    code, out, _ = call("artifacts/extract/noise", "mine.toml", "--words", 12, "--folds", 3)
    assert code == 0
    assert out.startswith("12 words, 108 images of train and dev, 3-fold")
    assert "mine knows best: " in out
    assert "mine above artifacts/extract/noise by 0." in out


def test_json_of_a_pickle_with_the_captions_of_a_pipeline(call):
    code, out, _ = call("features.pkl", "--pipeline", "mine.toml", "--words", 4, "--json")
    content = json.loads(out)
    assert code == 0
    (encoder,) = content["encoders"]
    assert encoder["name"] == "features.pkl"
    assert encoder["health"]["width"] == 8
    assert len(content["words"]) == len(encoder["words"]) == 4


def test_a_page_is_written_beside_the_table(call, project):
    arguments = ("mine.toml", "--words", 4, "--folds", 2, "--html", "probe.html")
    code, out, err = call(*arguments)
    assert code == 0
    assert "probe.html: the probe as a page\n" in err
    assert "mine knows best: " in out
    assert "<title>mine: probe</title>" in (project / "probe.html").read_text(encoding="utf-8")
    code, _, err = call("mine.toml", "--html", "no/probe.html")
    assert (code, err.partition(":")[2]) == (
        2,
        " no/probe.html cannot be written: there is no folder no.\n",
    )


def test_a_foreign_pickle_is_refused(call, project):
    (project / "evil.pkl").write_bytes(pickle.dumps({"1": print}))
    code, _, err = call("evil.pkl", "--pipeline", "mine.toml")
    assert code == 1
    assert "evil.pkl" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("features.pkl",), 2, "as with --pipeline flickr8k"),
        (("mine.toml", "mine.toml"), 2, "Received twice: mine"),
        (("nothing",), 2, "no pipeline named 'nothing'"),
        (("photos/Flickr8k.token.txt", "--pipeline", "mine.toml"), 1, "Flickr8k.token.txt"),
        (("quickstart",), 2, "not been drawn yet"),
        (("mine.toml", "--folds", "1"), 2, "--folds"),
    ],
)
def test_slips_are_told_in_words(call, arguments, code, message):
    found, out, err = call(*arguments)
    assert (found, out) == (code, "")
    assert message in err
    assert "Traceback" not in err
