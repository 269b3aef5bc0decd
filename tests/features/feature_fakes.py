"""A tiny encoder and tiny image files for the tests of features; run as a program, it extracts.

python feature_fakes.py IMAGES STORE [--seconds S] [--max-file-bytes N]    extract once
python feature_fakes.py IMAGES STORE --die-everywhere                      see die_everywhere
"""

import argparse
import io
import os
import resource
import shutil
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image

from captioner.errors import CaptionerError, ImageError
from captioner.features.extraction import extract_features
from captioner.features.pickles import write_features_pickle
from captioner.features.sources import ImageSource
from captioner.features.store import FeatureStore
from captioner.features.summary import ExtractionSummary
from captioner.files import hash_file

SIDE, WIDTH = 8, 12


class FakeEncoder:
    """Channel means and a coarse grid of the pixels; counts what it was asked for."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.spec = SimpleNamespace(rule=None)
        self.shapes = {"vector": (WIDTH,), "grid": (2, 2, 3)}
        self.batch_sizes: list[int] = []
        self._seconds = seconds

    def encode(self, images_BHWC: np.ndarray) -> dict[str, np.ndarray]:
        time.sleep(self._seconds)
        self.batch_sizes.append(len(images_BHWC))
        halves = images_BHWC.reshape(-1, 2, SIDE // 2, 2, SIDE // 2, 3).astype(np.float32)
        grid = halves.mean(axis=(2, 4)) / np.float32(7)
        return {"vector": grid.reshape(-1, WIDTH) ** 2, "grid": grid}


def load_tiny(content: bytes) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(content)) as image:
            return np.asarray(image.convert("RGB").resize((SIDE, SIDE)))
    except OSError as fault:
        raise ImageError("bytes", "not an image") from fault


def draw_images(folder: Path, num_images: int, *, seed: int = 0) -> None:
    """Writes PNG files image_000.png, ..., every one different."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(seed)
    for number in range(num_images):
        pixels = rng.integers(0, 256, (10, 9, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"image_{number:03}.png")


def list_sources(folder: Path) -> list[ImageSource]:
    paths = sorted(folder.iterdir())
    return [ImageSource(path.stem, path, hash_file(path)) for path in paths]


def extract(sources, folder: Path, encoder=None, **options) -> ExtractionSummary:
    encoder = FakeEncoder() if encoder is None else encoder
    options = {"batch_size": 4, "workers": 2, "load": load_tiny, **options}
    return extract_features(sources, encoder, folder, **options)[1]


def read_bytes(folder: Path) -> dict[str, bytes]:
    """Returns all there is in a folder, hidden files included."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def extract_and_pickle(images: Path, folder: Path, seconds: float = 0.0) -> None:
    extract(list_sources(images), folder, FakeEncoder(seconds))
    write_features_pickle(folder / "features.pkl", FeatureStore.open(folder))


def die_everywhere(images: Path, folder: Path) -> None:
    """Dies at the first sync, rename or removal, resumes; then at the second; and so on.

    Prints how many such moments there are. Forks, so that a death takes no time.
    """
    extract_and_pickle(images, folder)
    expected, moment = read_bytes(folder), 0
    status = 9
    while status == 9:
        moment += 1
        shutil.rmtree(folder)
        status = _in_child(partial(_extract_and_die, images, folder, moment))
        if _in_child(partial(extract_and_pickle, images, folder)) != 0:
            raise SystemExit(f"no resuming after a death at moment {moment}")
        if read_bytes(folder) != expected:
            raise SystemExit(f"other bytes after a death at moment {moment}")
    print(moment - 1)


def _in_child(work) -> int:
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _extract_and_die(images: Path, folder: Path, moment: int) -> None:
    calls = 0

    def wrap(function):
        def count(*arguments, **options):
            nonlocal calls
            calls += 1
            if calls == moment:
                os._exit(9)
            return function(*arguments, **options)

        return count

    for name in ("fsync", "replace", "unlink"):
        setattr(os, name, wrap(getattr(os, name)))
    extract_and_pickle(images, folder)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("images", type=Path)
    parser.add_argument("store", type=Path)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--max-file-bytes", type=int)
    parser.add_argument("--die-everywhere", action="store_true")
    arguments = parser.parse_args()
    if arguments.max_file_bytes:
        limit = (arguments.max_file_bytes, resource.RLIM_INFINITY)
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    if arguments.die_everywhere:
        die_everywhere(arguments.images, arguments.store)
        return
    print("started", flush=True)
    try:
        extract_and_pickle(arguments.images, arguments.store, arguments.seconds)
    except CaptionerError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
