"""Measures extraction: decoding alone, the encoder alone, and both together.

    python tests/benchmarks/bench_extraction.py FOLDER [--encoder NAME] [--images N]

Where the encoder has a processor of its own, both together should come near the slower of the
two. Where both share the same cores, the bound is the sum of their times; both are printed.
"""

import argparse
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from captioner.backbones.encoder import load_encoder
from captioner.features.extraction import extract_features
from captioner.features.sources import ImageSource, count_workers
from captioner.files import hash_file
from captioner.images import load_image

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def list_sources(folder: Path, num_images: int) -> list[ImageSource]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    chosen = paths[:num_images]
    return [
        ImageSource(str(p.relative_to(folder).with_suffix("")), p, hash_file(p)) for p in chosen
    ]


def time_decoding(sources, rule, workers: int) -> float:
    started = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(lambda source: load_image(source.path.read_bytes(), rule), sources):
            pass
    return len(sources) / (time.perf_counter() - started)


def time_encoding(encoder, num_images: int, batch_size: int) -> float:
    rule = encoder.spec.rule
    shape = (batch_size, rule.height, rule.width, 3)
    images_BHWC = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    started = time.perf_counter()
    num_batches = max(1, num_images // batch_size)
    for _ in range(num_batches):
        encoder.encode(images_BHWC)
    return num_batches * batch_size / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--encoder", default="efficientnet_lite0")
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=32)
    arguments = parser.parse_args()
    sources = list_sources(arguments.folder, arguments.images)
    encoder = load_encoder(arguments.encoder, weights=arguments.weights)
    batch_size, workers = arguments.batch_size, count_workers()
    rule = encoder.spec.rule
    encoder.encode(np.zeros((batch_size, rule.height, rule.width, 3), np.uint8))  # compiles

    decoding = time_decoding(sources, rule, workers)
    encoding = time_encoding(encoder, len(sources), batch_size)
    with tempfile.TemporaryDirectory() as folder:
        summary = extract_features(sources, encoder, Path(folder) / "store", batch_size=batch_size)
    together = summary.images_per_second
    slower, summed = min(decoding, encoding), 1 / (1 / decoding + 1 / encoding)
    print(f"decoding alone  {decoding:8.1f} images/s  ({workers} threads)")
    print(f"encoder alone   {encoding:8.1f} images/s  (batches of {batch_size})")
    print(f"together        {together:8.1f} images/s  ({summary})")
    print(f"together / slower of the two    {together / slower:.2f}   (1.00: full overlap)")
    print(f"together / one after the other  {together / summed:.2f}")


if __name__ == "__main__":
    main()
