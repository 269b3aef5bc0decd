"""Convolution arithmetic (Dumoulin and Visin 2016, arXiv:1603.07285), one axis at a time.

size = 200
size = convolve(size, kernel=5, stride=2, padding=1)      # 99
size = pool(size, kernel=3, stride=1)                     # 97
size = convolve(size, kernel=3, padding=1)                # 97
"""

from dataclasses import dataclass
from typing import Literal

from captioner.errors import UsageError

Rounding = Literal["floor", "ceil"]


def convolve(
    size: int,
    kernel: int,
    *,
    stride: int = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int = 1,
) -> int:
    """Returns how many places a convolution finds along one axis: a part of a step is no step.

    Args:
        size: pixels of the input, 1 or more.
        kernel: width of the kernel, 1 or more.
        stride: from one place to the next, 1 or more.
        padding: zeros on either side, or before and after.
        dilation: from one tap of the kernel to the next; 1 is a plain kernel.

    Raises:
        UsageError: the kernel is wider than the padded input, or a value is out of range.
    """
    return _count_places(size, kernel, stride, padding, dilation, "floor")


def pool(
    size: int,
    kernel: int,
    *,
    stride: int | None = None,
    padding: int | tuple[int, int] = 0,
    rounding: Rounding = "floor",
) -> int:
    """Returns how many places a pooling finds along one axis.

    Args:
        size: pixels of the input, 1 or more.
        kernel: width of the window, 1 or more.
        stride: from one window to the next; None for windows side by side.
        padding: on either side, or before and after.
        rounding: "ceil" also counts a last window that reaches over the edge, as long as it
            begins inside the input or the padding before it (Caffe, and PyTorch's `ceil_mode`).

    Raises:
        UsageError: the window is wider than the padded input, or a value is out of range.
    """
    stride = kernel if stride is None else stride
    return _count_places(size, kernel, stride, padding, 1, rounding)


def pad_same(size: int, kernel: int, *, stride: int = 1, dilation: int = 1) -> tuple[int, int]:
    """Returns the zeros before and after that "same" means in TensorFlow: odd ones go after."""
    places = -(-size // stride)
    total = max((places - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    return total // 2, total - total // 2


def _count_places(
    size: int,
    kernel: int,
    stride: int,
    padding: int | tuple[int, int],
    dilation: int,
    rounding: Rounding,
) -> int:
    before, after = (padding, padding) if isinstance(padding, int) else padding
    if min(size, kernel, stride, dilation) < 1 or min(before, after) < 0:
        raise UsageError(
            "Sizes, kernels, strides and dilations are 1 or more, paddings 0 or more. Received: "
            f"size={size}, kernel={kernel}, stride={stride}, padding={padding}, "
            f"dilation={dilation}"
        )
    slack = size + before + after - (dilation * (kernel - 1) + 1)
    if slack < 0:
        raise UsageError(
            f"A kernel of {dilation * (kernel - 1) + 1} does not fit into {size} pixels with a "
            f"padding of {padding}: nothing would be left."
        )
    if rounding == "floor":
        return slack // stride + 1
    places = -(-slack // stride) + 1
    return places - 1 if (places - 1) * stride >= size + before else places


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """What one place of a layer sees of the image, along one axis.

    Args:
        size: pixels of the image that reach it.
        jump: pixels of the image from one place to the next.
    """

    size: int = 1
    jump: int = 1

    def through(self, kernel: int, stride: int = 1, dilation: int = 1) -> "ReceptiveField":
        """Returns that of a layer with this kernel on top (Araujo et al. 2019, Distill)."""
        return ReceptiveField(self.size + dilation * (kernel - 1) * self.jump, self.jump * stride)

    def joined(self, other: "ReceptiveField") -> "ReceptiveField":
        """Returns that of a layer that takes both, such as an addition."""
        return ReceptiveField(max(self.size, other.size), max(self.jump, other.jump))
