"""What a frozen encoder knows of class folders: a linear probe of its vectors.

    python tests/benchmarks/probe_class_folders.py kinds efficientnet_lite0 imagenet

The bar that fine-tuning must clear: scikit-learn's logistic regression over standardised
vectors, its strength chosen by five-fold cross-validation on the training images.
"""

from pathlib import Path

import numpy as np
from harness import make_parser
from sklearn.linear_model import LogisticRegressionCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from captioner.backbones.encoder import Encoder, load_encoder
from captioner.classifiers.batches import LabelledBatches
from captioner.classifiers.class_folders import read_class_folders
from captioner.files import hash_file
from captioner.progress import track

STRENGTHS = np.logspace(-5, 0, 6)


def encode(batches: LabelledBatches, encoder: Encoder) -> np.ndarray:
    """Returns the vectors of all images, float32 (N, F)."""
    parts = track(batches.in_order(), "encode", total=len(batches), unit="batch")
    return np.concatenate([encoder.encode(images_BHWC)["vector"] for images_BHWC, _ in parts])


def probe(folder: Path, name: str, weights: str) -> float:
    """Returns the probe's accuracy on the dev images, 0 to 1."""
    folders, encoder = read_class_folders(folder), load_encoder(name, weights=weights)
    digests = {image.name: hash_file(image.path) for image in folders.images}
    train, dev = (
        LabelledBatches(folders.in_split(split), digests, encoder.spec.rule, encoder.batch_size)
        for split in ("train", "dev")
    )
    classifier = make_pipeline(StandardScaler(), LogisticRegressionCV(Cs=STRENGTHS, max_iter=500))
    classifier.fit(encode(train, encoder), train.labels)
    return float(classifier.score(encode(dev, encoder), dev.labels))


def main() -> None:
    """Prints it."""
    parser = make_parser(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("encoder", help="see `captioner models`")
    parser.add_argument("weights", help='"imagenet", "random" or a file')
    options = parser.parse_args()
    accuracy = probe(options.folder, options.encoder, options.weights)
    print(f"{accuracy:.1%} of the dev images")


if __name__ == "__main__":
    main()
