"""EfficientNet-Lite0 in PyTorch or OpenVINO, from files to features on disk; see bench_extraction.

    python tests/benchmarks/rival_encoders.py torch|openvino float32|bfloat16 FOLDER

Runs under a Python of its own that has the library, NumPy and Pillow but no captioner. FOLDER
holds what bench_extraction left there: `files.txt`, the folded weights `weights.npz` and the
network `saved_model/`. Photographs are decoded by two threads while the network works.
"""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from harness import answer_rounds
from PIL import Image

BATCH_SIZE, SIDE, NUM_THREADS = 32, 224, 2
# number of blocks, kernel, stride, expansion, filters
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
Encode = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def decode(path: str) -> np.ndarray:
    """Returns uint8 (224, 224, 3), reduced while decoding where that is possible."""
    with Image.open(path) as image:
        image.draft("RGB", (2 * SIDE, 2 * SIDE))
        return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def read_batches(paths: list[str]) -> Iterator[np.ndarray]:
    """Yields float32 (B, 224, 224, 3), always full, decoded ahead by threads."""
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        images = pool.map(decode, paths)
        for start in range(0, len(paths), BATCH_SIZE):
            batch = [next(images) for _ in paths[start : start + BATCH_SIZE]]
            batch += batch[:1] * (BATCH_SIZE - len(batch))
            yield (np.stack(batch).astype(np.float32) - 127) / 128


def load_torch(folder: Path, precision: str) -> Encode:
    """Returns the network in PyTorch, channels last, normalisation folded as in ours."""
    import torch
    from torch import nn

    torch.set_num_threads(NUM_THREADS)
    dtype = getattr(torch, precision)

    class Convolve(nn.Module):
        def __init__(
            self,
            inputs: int,
            outputs: int,
            kernel: int,
            stride: int = 1,
            groups: int = 1,
            rectify: bool = True,
        ) -> None:
            super().__init__()
            self.kernel, self.stride, self.rectify = kernel, stride, rectify
            self.conv = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups)

        def forward(self, x: torch.Tensor) -> torch.Tensor:  # TensorFlow's "same" padding
            total = max((-(-x.shape[-1] // self.stride) - 1) * self.stride, 0)
            total = max(total + self.kernel - x.shape[-1], 0)
            before, after = total // 2, total - total // 2
            if total:
                x = nn.functional.pad(x, (before, after, before, after))
            x = self.conv(x)
            return nn.functional.relu6(x, inplace=True) if self.rectify else x

    class Block(nn.Module):
        def __init__(
            self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int
        ) -> None:
            super().__init__()
            inner = inputs * expansion
            expand = [Convolve(inputs, inner, 1)] if expansion > 1 else []
            depth = Convolve(inner, inner, kernel, stride, groups=inner)
            project = Convolve(inner, outputs, 1, rectify=False)
            self.layers = nn.Sequential(*expand, depth, project)
            self.adds = stride == 1 and inputs == outputs

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.layers(x) if self.adds else self.layers(x)

    blocks: list[nn.Module] = [Convolve(3, 32, 3, 2)]
    width = 32
    for num_blocks, kernel, stride, expansion, filters in STAGES:
        for index in range(num_blocks):
            blocks.append(Block(width, filters, kernel, stride if index == 0 else 1, expansion))
            width = filters
    network = nn.Sequential(*blocks, Convolve(width, 1280, 1)).eval()
    arrays = np.load(folder / "weights.npz")
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    for number, convolution in enumerate(convolutions):
        kernel_HWIO = arrays[f"kernel{number:02d}"]
        axes = (2, 3, 0, 1) if convolution.groups > 1 else (3, 2, 0, 1)
        convolution.weight.data = torch.from_numpy(kernel_HWIO.transpose(axes).copy())
        convolution.bias.data = torch.from_numpy(arrays[f"bias{number:02d}"])
    network = network.to(memory_format=torch.channels_last, dtype=dtype)

    def encode(images_BHWC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode():
            images = torch.from_numpy(images_BHWC).permute(0, 3, 1, 2).to(dtype)
            grid = network(images).float()
            return grid.mean((2, 3)).numpy(), grid.permute(0, 2, 3, 1).numpy()

    return encode


def load_openvino(folder: Path, precision: str) -> Encode:
    """Returns the network in OpenVINO, as it compiles it for this processor."""
    import openvino

    core = openvino.Core()
    model = core.read_model(folder / "saved_model")
    model.reshape([BATCH_SIZE, SIDE, SIDE, 3])
    hint = {"float32": "f32", "bfloat16": "bf16"}[precision]
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": hint})
    request = compiled.create_infer_request()

    def encode(images_BHWC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        first, second = request.infer([images_BHWC]).values()
        return (first, second) if first.ndim == 2 else (second, first)

    return encode


def main() -> None:
    """Gets ready, then works once for each line of standard input."""
    library, precision, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    paths = (folder / "files.txt").read_text().splitlines()
    encode = {"torch": load_torch, "openvino": load_openvino}[library](folder, precision)
    encode(next(read_batches(paths[:BATCH_SIZE])))

    def extract() -> None:
        parts = [encode(batch) for batch in read_batches(paths)]
        vectors, grids = zip(*parts, strict=True)
        vector_NF, grid_NHWC = (np.concatenate(p)[: len(paths)] for p in (vectors, grids))
        np.save(folder / f"{library}-{precision}-vector.npy", vector_NF)
        np.save(folder / f"{library}-{precision}-grid.npy", grid_NHWC.astype(np.float16))

    answer_rounds(extract)


if __name__ == "__main__":
    main()
