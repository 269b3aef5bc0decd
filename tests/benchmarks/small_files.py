"""Small photographs in any number, with captions, for benchmarks about how things grow.

python tests/benchmarks/small_files.py FOLDER NUMBER
"""

import csv
import io
import random
from pathlib import Path

import numpy as np
from harness import make_parser
from PIL import Image

SIDE = 64
FOLDER_OF = 1000  # files a folder
_WORDS = {
    "who": ["a dog", "a child", "a man", "two girls", "a horse", "a bird", "an old woman"],
    "does": ["runs", "jumps", "sits", "sleeps", "plays", "waits", "looks up"],
    "where": ["on the beach", "in the grass", "near a red car", "on a street", "by the water"],
}


def make_data_set(folder: Path, num_images: int) -> Path:
    """Writes JPEG and PNG files of 64 x 64 pixels and `captions.csv`; what is there is kept."""
    table = folder / "captions.csv"
    if table.exists():
        return folder
    rows = [(_write_image(folder / "images", i), caption(i)) for i in range(num_images)]
    with open(table, "w", newline="") as file:
        csv.writer(file).writerows([("image", "caption"), *rows])
    return folder


def caption(index: int) -> str:
    """Returns a sentence that is always the same for one index."""
    draw = random.Random(index)
    return " ".join(draw.choice(choices) for choices in _WORDS.values())


def _write_image(images: Path, index: int) -> str:
    name = f"{index // FOLDER_OF:03d}/{index:06d}.{'png' if index % 4 == 0 else 'jpg'}"
    path = images / name
    if index % FOLDER_OF == 0:
        path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(index).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    file = io.BytesIO()
    image = Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    image.save(file, "PNG" if name.endswith("png") else "JPEG", compress_level=1)
    path.write_bytes(file.getvalue())
    return name


def main() -> None:
    """Writes them."""
    parser = make_parser(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("number", type=int)
    options = parser.parse_args()
    make_data_set(options.folder, options.number)


if __name__ == "__main__":
    main()
