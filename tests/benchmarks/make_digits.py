"""Writes scikit-learn's handwritten digits as class folders of 28 x 28 images.

    python tests/benchmarks/make_digits.py digits
    captioner pretrain lenet-digits

1,797 digits that 43 people wrote, 8 x 8 in 16 shades (Alpaydin and Kaynak 1998, UCI), enlarged;
folders digits/0 ... digits/9.
"""

from pathlib import Path

import numpy as np
from harness import make_parser
from PIL import Image
from sklearn.datasets import load_digits

SIDE = 28


def write_digits(folder: Path, limit: int | None = None) -> None:
    """Writes the first `limit` digits, or all, one PNG each."""
    digits = load_digits()
    pairs = zip(digits.images[:limit], digits.target[:limit], strict=True)
    for number, (image_HW, label) in enumerate(pairs):
        path = folder / str(label) / f"{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        grey = Image.fromarray(np.round(image_HW * (255 / 16)).astype(np.uint8))
        grey.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(path)


def main() -> None:
    """Writes all of them."""
    parser = make_parser(__doc__)
    parser.add_argument("folder", type=Path)
    write_digits(parser.parse_args().folder)


if __name__ == "__main__":
    main()
