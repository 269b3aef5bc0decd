"""Writes small checkpoints with PyTorch, and what a small VGG in PyTorch computes.

python make_torch_checkpoints.py     # PyTorch 2.13, NumPy 2.4
"""

import argparse
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from torch import nn

FOLDER = Path(__file__).parent


def make_tensors() -> OrderedDict[str, torch.Tensor]:
    """Views, offsets, strides and number types; tests/backbones/test_torch_checkpoint.py repeats
    the same in NumPy."""
    numbers = torch.arange(24.0).reshape(4, 6)
    return OrderedDict(
        whole=numbers,
        transposed=numbers.t(),
        part=numbers[1:3, 2:],
        scalar=torch.tensor(5),
        empty=torch.zeros(0, 3),
        parameter=nn.Parameter(numbers[0].clone()),
        double=numbers.double() / 3,
        half=numbers.half(),
        bfloat16=numbers.bfloat16() / 2,
        bytes=numbers.byte(),
        bools=numbers > 3,
    )


def write_checkpoints() -> None:
    tensors = make_tensors()
    wrapped = {
        "epoch": 3,
        "model": {f"module.{name}": tensor for name, tensor in tensors.items()},
        "optimizer": {"param_groups": [{"lr": 0.1, "betas": (0.9, 0.99)}]},
        "args": argparse.Namespace(batch_size=32),
    }
    for kind, is_zip in (("zip", True), ("legacy", False)):
        for name, value in (("tensors", tensors), ("wrapped", wrapped)):
            path = FOLDER / f"{name}_{kind}.pth"
            torch.save(value, path, _use_new_zipfile_serialization=is_zip)
    torch.save(nn.Linear(2, 2), FOLDER / "whole_model.pth")


class SmallVGG(nn.Module):
    """As torchvision builds VGGs, with fewer layers: 8 x 8 images to a grid of 2 x 2."""

    def __init__(self) -> None:
        super().__init__()
        stack = [nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, 2)]
        stack += [nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, 2)]
        self.features = nn.Sequential(*stack)
        dense = [nn.Linear(24, 5), nn.ReLU(), nn.Dropout()]
        dense += [nn.Linear(5, 7), nn.ReLU(), nn.Dropout(), nn.Linear(7, 3)]
        self.classifier = nn.Sequential(*dense)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classifier(torch.flatten(self.features(images), 1))


def write_vgg() -> None:
    torch.manual_seed(0)
    model = SmallVGG().eval()
    images_BHWC = np.random.default_rng(0).standard_normal((4, 8, 8, 3)).astype("float32")
    with torch.no_grad():
        logits = model(torch.from_numpy(images_BHWC.transpose(0, 3, 1, 2).copy())).numpy()
    torch.save(model.state_dict(), FOLDER / "small_vgg.pth")
    np.savez(FOLDER / "small_vgg.npz", images_BHWC=images_BHWC, logits=logits)


if __name__ == "__main__":
    write_checkpoints()
    write_vgg()
