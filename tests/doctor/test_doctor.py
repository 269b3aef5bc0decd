"""What doctor finds, check by check."""

import numpy as np
import pytest
from PIL import Image

from captioner.backbones.registry import find_spec
from captioner.backbones.spec import DownloadedWeights
from captioner.config import Pipeline
from captioner.datasets.records import CaptionDataset, CaptionedImage, CaptionedImages
from captioner.doctor import encoder, golden, machine
from captioner.doctor.dataset import check_dataset
from captioner.doctor.installation import _explain_failure, _judge_tensorflow, check_packages
from captioner.doctor.machine import available_memory, check_disk, check_memory, estimate_features
from captioner.settings import BackboneSection

SOUND = {
    "gpus": [],
    "total": 512.0,
    "backend": "tensorflow",
    "order": "channels_last",
    "bfloat16": None,
    "uses_bfloat16": False,
}


def problems(findings):
    return {f.subject: f for f in findings if f.verdict == "problem"}


def test_packages_are_compared_with_what_is_asked_for():
    assert check_packages(["numpy>=1.26", "nowhere>=3; extra == 'test'"]).verdict == "ok"
    finding = check_packages(["numpy>=99", "no-such-package>=1.0"])
    assert finding.verdict == "problem"
    assert "numpy" in finding.found
    assert "no-such-package is not installed" in finding.found
    assert finding.remedy == "pip install --upgrade 'numpy>=99' 'no-such-package>=1.0'"
    assert check_packages(None).verdict == "note"


def test_tensorflow_is_judged_by_what_its_own_process_tells():
    assert not problems(_judge_tensorflow(SOUND))
    jax = problems(_judge_tensorflow({**SOUND, "backend": "jax"}))
    assert "KERAS_BACKEND" in jax["keras backend"].remedy
    first = problems(_judge_tensorflow({**SOUND, "order": "channels_first", "total": 0.0}))
    assert set(first) == {"keras images", "tensorflow"}
    assert "signal 4" in _explain_failure(-4, "").found
    assert "AVX" in _explain_failure(-4, "").remedy
    assert _explain_failure(1, "a\nImportError: x\n").found.endswith("ImportError: x")


@pytest.mark.parametrize(
    ("speedup", "told"),
    [(None, "not on this processor"), (0.5, "but at 50% of float32's speed"), (3.0, "3.0 times")],
)
def test_bfloat16_is_told_by_its_speed(speedup, told):
    facts = {**SOUND, "bfloat16": speedup, "uses_bfloat16": speedup == 3.0}
    findings = {f.subject: f for f in _judge_tensorflow(facts)}
    assert told in findings["bfloat16"].found


def test_weights_that_are_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    vgg = BackboneSection(name="vgg16")
    monkeypatch.setattr(encoder, "_answers", lambda host: False)
    (finding,) = encoder.check_encoder(vgg, None)
    assert finding.verdict == "problem"
    assert "VGG-16 are not on this machine, and storage.googleapis.com cannot" in finding.found
    assert "--set backbone.weights=PATH" in finding.remedy
    monkeypatch.setattr(encoder, "_answers", lambda host: True)
    (finding,) = encoder.check_encoder(vgg, None)
    assert (finding.verdict, "the first run fetches them" in finding.found) == ("note", True)


def test_a_damaged_download_is_noticed_without_being_fetched_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    source = encoder.find_spec("vgg16").imagenet
    assert isinstance(source, DownloadedWeights)
    (tmp_path / "models").mkdir()
    cached = tmp_path / "models" / source.file_name
    cached.write_bytes(b"half a download")
    (finding,) = encoder.check_encoder(BackboneSection(name="vgg16"), pytest.fail)
    assert finding.verdict == "problem"
    assert finding.remedy == f"remove {cached}"
    assert cached.read_bytes() == b"half a download"


@pytest.mark.parametrize(("weights", "words"), [("no.h5", "no weights file"), ("x.txt", ".txt")])
def test_weights_files_that_cannot_be_used(tmp_path, monkeypatch, weights, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.txt").write_text("x")
    (finding,) = encoder.check_encoder(BackboneSection(weights=weights), None)
    assert finding.verdict == "problem"
    assert words in finding.found


def test_an_encoder_that_sees_wrongly_departs_from_the_golden_values(monkeypatch):
    lite0 = BackboneSection()
    findings = {f.subject: f for f in encoder.check_encoder(lite0, lambda: None)}
    assert [f.verdict for f in findings.values()] == ["ok", "ok", "ok"]
    assert set(findings) == {"weights", "encoder", "golden image"}
    picture = golden.draw_photograph()
    monkeypatch.setattr(golden, "draw_photograph", lambda: picture[:, :, ::-1])
    swapped = {f.subject: f for f in encoder.check_encoder(lite0, lambda: None)}
    assert swapped["golden image"].verdict == "problem"


def test_recorded_features_are_those_of_the_network_s_own_size():
    small = BackboneSection(input_size=96)
    findings = {f.subject: f for f in encoder.check_encoder(small, lambda: None)}
    assert findings["encoder"].verdict == "ok"
    assert findings["golden image"].verdict == "note"


def test_golden_values_are_known_by_digest():
    assert golden.compare(np.ones(1280), None) is None
    assert golden.compare(np.ones(1280), "sha256:0") is None


def make_dataset(folder, splits, broken=()):
    images = []
    for number, split in enumerate(splits):
        path = folder / f"{number}.png"
        Image.new("RGB", (8, 8)).save(path)
        if number in broken:
            path.write_bytes(b"no picture")
        images.append(CaptionedImage(str(number), str(path), ("a dog",) * (1 + number % 2), split))
    return CaptionDataset("table", CaptionedImages(*zip(*images, strict=True)))


def test_a_sound_data_set_is_counted(tmp_path):
    dataset = make_dataset(tmp_path, ["train", "train", "dev", "test"])
    findings = list(check_dataset(dataset, "test"))
    assert not problems(findings)
    assert [f.found for f in findings] == [
        "table: 4 images (train 2, dev 1, test 1)",
        "6, 1 to 2 an image",
        "4 of 4 looked at can be opened",
    ]


def test_missing_splits_and_broken_photographs(tmp_path):
    dataset = make_dataset(tmp_path, ["train"] * 3, broken=(0, 1, 2))
    found = problems(check_dataset(dataset, "test"))
    assert set(found) == {"splits", "photographs"}
    splits = [f.found for f in check_dataset(dataset, "test") if f.subject == "splits"]
    assert splits == ["no image is in split test", "no image is in split dev"]
    one_broken = make_dataset(tmp_path, ["train", "dev", "test"], broken=(1,))
    (note,) = [f for f in check_dataset(one_broken, "test") if f.verdict == "note"]
    assert note.found.startswith("2 of 3 looked at can be opened; ")


def test_disk_and_memory(tmp_path, monkeypatch):
    artifacts = tmp_path / "deep" / "artifacts"
    assert not problems(check_disk(artifacts, 1))
    assert "captioner clean" in problems(check_disk(artifacts, 10**18))["disk"].remedy
    (tmp_path / "file").write_text("")
    assert "cannot be written" in problems(check_disk(tmp_path / "file", 1))["disk"].found
    assert not artifacts.parent.exists()
    monkeypatch.setattr(machine, "available_memory", lambda: 10**9)
    assert check_memory(10**10).verdict == "problem"
    assert check_memory(10**8).verdict == "ok"
    monkeypatch.setattr(machine, "available_memory", lambda: None)
    assert check_memory(10**10).verdict == "note"


def test_memory_is_what_the_machine_and_the_container_allow(tmp_path):
    assert available_memory(tmp_path) is None
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    2000 kB\n")
    assert available_memory(tmp_path) == 2_048_000
    group = tmp_path / "sys" / "fs" / "cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("max\n")
    assert available_memory(tmp_path) == 2_048_000
    (group / "memory.max").write_text("1000000\n")
    assert available_memory(tmp_path) == 1_000_000


def test_features_are_estimated_by_their_layout():
    shapes = {"vector": (1280,), "grid": (7, 7, 1280)}
    settings = Pipeline.load("quickstart", ["extract.outputs=['vector','grid']"]).settings
    assert estimate_features(settings, shapes, 10) == 10 * (2 * 1280 * 4 + 49 * 1280 * 2 + 200)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("efficientnet_lite0", (7, 7, 1280)),
        ("efficientnet_lite0+efficientnet_lite2", (9, 9, 2560)),
        ("resnet50+resnet101", (7, 7, 4096)),
    ],
)
def test_the_grid_of_joined_networks_follows_from_theirs(name, shape):
    assert machine.estimate_grid(find_spec(name)) == shape


def test_more_pixels_have_more_places():
    spec = find_spec("efficientnet_lite0").resized((320, 224))
    assert machine.estimate_grid(spec) == (10, 7, 1280)
