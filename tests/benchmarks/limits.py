"""Measures what this machine can do at most, for the tables to be read against.

    python tests/benchmarks/limits.py

Matrix products through TensorFlow in float32 and bfloat16 (the rate that convolutions come
nearest to), Pillow's decoding of one 500 x 375 JPEG on one processor, and writing to disk, synced.
"""

import io
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from harness import make_parser, print_table, time_once
from PIL import Image

from captioner.features.sources import count_workers

PRODUCT_SIDES = (1024, 2048, 4096)  # smaller ones stay in the cache, larger ones fill the units
PHOTO_SIZE = (500, 375)
NUM_DECODED = 100
DISK_BYTES = 256 << 20


@dataclass(frozen=True)
class Limits:
    """What the machine reaches.

    Args:
        float32_flops: floating-point operations a second of a product of two big matrices.
        bfloat16_flops: the same in bfloat16; where the processor has none, it is emulated.
        decoded_per_second: JPEG files of `PHOTO_SIZE`, on one processor.
        written_per_second: bytes.
    """

    float32_flops: float
    bfloat16_flops: float
    decoded_per_second: float
    written_per_second: float

    def show(self) -> None:
        """Prints them."""
        print_table(
            f"What this machine can do ({count_workers()} processors)",
            ["what", "at most"],
            [
                ["matrix product, float32", f"{self.float32_flops / 1e9:,.0f} GFLOP/s"],
                ["matrix product, bfloat16", f"{self.bfloat16_flops / 1e9:,.0f} GFLOP/s"],
                [
                    "Pillow, 500 x 375 JPEG, one processor",
                    f"{self.decoded_per_second:,.0f} images/s",
                ],
                ["disk, written and synced", f"{self.written_per_second / 1e6:,.0f} MB/s"],
            ],
        )


def measure_limits() -> Limits:
    """Measures all of them; takes a few seconds."""
    return Limits(
        measure_product("float32"), measure_product("bfloat16"), measure_decoding(), measure_disk()
    )


def measure_product(dtype: str, rounds: int = 8) -> float:
    """Returns the best rate of a matrix product, in floating-point operations a second."""
    return max(_time_product(dtype, side, rounds) for side in PRODUCT_SIDES)


def _time_product(dtype: str, side: int, rounds: int) -> float:
    import tensorflow as tf

    a = tf.cast(tf.random.stateless_uniform([side, side], seed=(0, 0)), dtype)
    multiply = tf.function(lambda: tf.matmul(a, a)[0, 0])
    multiply()
    best = min(time_once(lambda: multiply().numpy()).seconds for _ in range(rounds))
    return 2 * side**3 / best


def measure_decoding() -> float:
    """Returns how many photographs Pillow decodes in a second of one processor."""
    content = draw_photo(PHOTO_SIZE)
    cost = time_once(
        lambda: [Image.open(io.BytesIO(content)).convert("RGB") for _ in range(NUM_DECODED)]
    )
    return NUM_DECODED / cost.processor_seconds


def measure_disk(folder: Path | None = None) -> float:
    """Returns the bytes a second that reach the disk."""
    block = np.random.default_rng(0).bytes(1 << 24)

    def write() -> None:
        with tempfile.TemporaryFile(dir=folder) as file:
            for _ in range(DISK_BYTES // len(block)):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())

    return DISK_BYTES / time_once(write).seconds


def draw_photo(size: tuple[int, int], seed: int = 0) -> bytes:
    """Returns a JPEG with about as much detail as a photograph."""
    coarse = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    fine = np.random.default_rng(seed).normal(0, 8, (size[1], size[0], 3))
    smooth = np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC))
    file = io.BytesIO()
    image = Image.fromarray(np.clip(smooth + fine, 0, 255).astype(np.uint8))
    image.save(file, "JPEG", quality=85)
    return file.getvalue()


def main() -> None:
    """Prints the table."""
    make_parser(__doc__).parse_args()
    measure_limits().show()


if __name__ == "__main__":
    main()
