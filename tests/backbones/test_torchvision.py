from pathlib import Path

import numpy as np
import pytest

from captioner.backbones.torch_checkpoint import read_torch_checkpoint
from captioner.backbones.torchvision import convert_torchvision
from captioner.backbones.vgg import DENSE_MODULES

GOLDEN = Path(__file__).parent / "golden"
CONV_NAMES = ("block1_conv1", "block2_conv1")


@pytest.fixture(scope="module")
def tensors():
    return read_torch_checkpoint(GOLDEN / "small_vgg.pth")


def convolve(images_BHWC: np.ndarray, kernel_33IO: np.ndarray, bias_O: np.ndarray) -> np.ndarray:
    padded = np.pad(images_BHWC, [(0, 0), (1, 1), (1, 1), (0, 0)])
    windows_BHWI33 = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    return np.einsum("bhwiyx,yxio->bhwo", windows_BHWI33, kernel_33IO) + bias_O


def pool(images_BHWC: np.ndarray) -> np.ndarray:
    B, H, W, C = images_BHWC.shape
    return images_BHWC.reshape(B, H // 2, 2, W // 2, 2, C).max(axis=(2, 4))


def apply_small_vgg(images_BHWC: np.ndarray, arrays: dict[str, np.ndarray]) -> np.ndarray:
    """The network of golden/make_torch_checkpoints.py, channels last, in NumPy."""
    x = images_BHWC
    for layer in CONV_NAMES:
        x = pool(np.maximum(convolve(x, arrays[f"{layer}/kernel"], arrays[f"{layer}/bias"]), 0))
    x = x.reshape(len(x), -1)
    for layer in ("fc1", "fc2"):
        x = np.maximum(x @ arrays[f"{layer}/kernel"] + arrays[f"{layer}/bias"], 0)
    return x @ arrays["predictions/kernel"] + arrays["predictions/bias"]


def test_computes_what_pytorch_computes(tensors):
    with np.load(GOLDEN / "small_vgg.npz") as golden:
        logits = apply_small_vgg(
            golden["images_BHWC"], convert_torchvision(tensors, CONV_NAMES, DENSE_MODULES)
        )
        np.testing.assert_allclose(logits, golden["logits"], atol=1e-6)


def test_names_are_those_of_keras_applications(tensors):
    layers = [*CONV_NAMES, "fc1", "fc2", "predictions"]
    expected = [f"{layer}/{weight}" for layer in layers for weight in ("kernel", "bias")]
    assert sorted(convert_torchvision(tensors, CONV_NAMES, DENSE_MODULES)) == sorted(expected)


def test_convolutions_go_by_number_not_by_order_in_the_file(tensors):
    backwards = dict(reversed(tensors.items()))
    expected = convert_torchvision(tensors, CONV_NAMES, DENSE_MODULES)
    for name, array in convert_torchvision(backwards, CONV_NAMES, DENSE_MODULES).items():
        np.testing.assert_array_equal(array, expected[name])


def test_fc1_reads_the_grid_position_by_position():
    """A 7 x 7 grid of 512 channels, flattened channel by channel, becomes place by place."""
    kernel_CHW = np.arange(512 * 7 * 7, dtype="float32").reshape(512, 7, 7)
    tensors = {
        "features.0.weight": np.zeros((512, 3, 3, 3), "float32"),
        "classifier.0.weight": kernel_CHW.reshape(1, -1),
    }
    kernel = convert_torchvision(tensors, ["block1_conv1"], DENSE_MODULES)["fc1/kernel"]
    np.testing.assert_array_equal(kernel.reshape(7, 7, 512), kernel_CHW.transpose(1, 2, 0))


def test_what_the_network_does_not_know_keeps_its_name(tensors):
    more = tensors | {"features.1.weight": np.ones(4), "features.1.running_mean": np.zeros(4)}
    converted = convert_torchvision(more, CONV_NAMES, DENSE_MODULES)
    assert {"features.1.weight", "features.1.running_mean", "fc1/kernel"} <= set(converted)
    assert "features.3.weight" in convert_torchvision(more, CONV_NAMES[:1], DENSE_MODULES)


def test_without_any_known_tensor_nothing_changes():
    tensors = {"stem.weight": np.zeros((4, 3, 3, 3))}
    assert list(convert_torchvision(tensors, CONV_NAMES, DENSE_MODULES)) == ["stem.weight"]
