"""torchvision's AlexNet and VGG in NumPy: channels first, flattened channel by channel.

After torchvision/models/alexnet.py and vgg.py; shares nothing with captioner. A network is a
sequence of `features`, of which numbers are convolutions, and of `classifier` modules.
"""

from collections.abc import Sequence

import numpy as np

POOL = "pool"
ALEXNET = [(64, 11, 4, 2), POOL, (192, 5, 1, 2), POOL, (384, 3, 1, 1), (256, 3, 1, 1)]
ALEXNET += [(256, 3, 1, 1), POOL]
ALEXNET_DENSE = ("classifier.1", "classifier.4", "classifier.6")
VGG_DENSE = ("classifier.0", "classifier.3", "classifier.6")
VGG16 = [64, 64, POOL, 128, 128, POOL, 256, 256, 256, POOL, 512, 512, 512, POOL, 512, 512, 512]
VGG16 = [step if step == POOL else (step, 3, 1, 1) for step in [*VGG16, POOL]]

Step = str | tuple[int, int, int, int]  # a pooling, or filters, kernel, stride, padding


def list_modules(steps: Sequence[Step]) -> list[str]:
    """Returns `features.N` of every convolution: a ReLU follows it and counts as a module."""
    names, number = [], 0
    for step in steps:
        if step != POOL:
            names.append(f"features.{number}")
        number += 1 if step == POOL else 2
    return names


def draw_tensors(
    steps: Sequence[Step], dense: Sequence[str], side: int, widths: Sequence[int]
) -> dict[str, np.ndarray]:
    """Draws a state dict whose signals neither die nor explode."""
    generator, tensors, channels = np.random.default_rng(0), {}, 3

    def draw(name: str, shape: tuple[int, ...]) -> None:
        scale = np.float32(np.sqrt(2 / np.prod(shape[1:])))
        tensors[f"{name}.weight"] = generator.standard_normal(shape, np.float32) * scale
        tensors[f"{name}.bias"] = generator.standard_normal(shape[:1], np.float32) * 0.1

    convolutions = [step for step in steps if step != POOL]
    for name, (filters, kernel, _, _) in zip(list_modules(steps), convolutions, strict=True):
        draw(name, (filters, channels, kernel, kernel))
        channels = filters
    inputs = channels * side * side
    for name, width in zip(dense, widths, strict=True):
        draw(name, (width, inputs))
        inputs = width
    tensors[f"{dense[-1]}.weight"] *= np.float32(0.1)  # so that no class is certain
    return tensors


def compute(
    steps: Sequence[Step],
    dense: Sequence[str],
    tensors: dict[str, np.ndarray],
    images_BCHW: np.ndarray,
    pool: tuple[int, int],
) -> np.ndarray:
    """Returns class probabilities; dropout does nothing outside training."""
    x, names = images_BCHW, iter(list_modules(steps))
    for step in steps:
        if step == POOL:
            x = _pool(x, *pool)
        else:
            name = next(names)
            x = _convolve(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"], *step[2:])
            x = np.maximum(x, 0)
    x = x.reshape(len(x), -1)
    for name in dense:
        x = x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]
        x = x if name == dense[-1] else np.maximum(x, 0)
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _windows(x: np.ndarray, size: int, stride: int) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))
    return windows[:, :, ::stride, ::stride]  # (B, C, H, W, size, size)


def _convolve(
    x: np.ndarray, kernel_OIKK: np.ndarray, bias_O: np.ndarray, stride: int, padding: int
) -> np.ndarray:
    padded = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    windows = _windows(padded, kernel_OIKK.shape[-1], stride)
    result = np.tensordot(windows, kernel_OIKK, axes=[(1, 4, 5), (1, 2, 3)])  # (B, H, W, O)
    return (result + bias_O).transpose(0, 3, 1, 2)


def _pool(x: np.ndarray, size: int, stride: int) -> np.ndarray:
    return _windows(x, size, stride).max(axis=(4, 5))
