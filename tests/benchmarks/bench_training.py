"""Measures an epoch of training against what the course does.

    python tests/benchmarks/bench_training.py [--images 600] [--rounds 2]

Captions and features are invented, as many words as Flickr8k has to a caption and as large a
vocabulary. The course's training expands each caption into its prefixes and takes one image a
step; it is timed on a few images and multiplied, which the table says. LSTM and embedding have the
same sizes as ours. The course's network merges a vector: beside our attention over a grid it has
less to compute.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from bench_scoring import invent_captions
from course import NUM_FEATURES, CourseTraining
from harness import RATE_CELLS, alternate, print_table, tell_ratio

from captioner.datasets.records import CaptionedImage
from captioner.decoders.feature_reader import FeatureReader
from captioner.decoders.registry import Precision, build_decoder, default_spec
from captioner.decoders.settings import TrainSettings
from captioner.decoders.teacher_forcing import TeacherForcing
from captioner.processor import prefers_bfloat16
from captioner.text.tokens import TokenisedCaptions, tokenise_captions
from captioner.text.vocabulary import Vocabulary

NUM_TRAINED_BY_COURSE = 6


class InventedFeatures:
    """Random features of any shape; a few of them, since only their size costs time."""

    def __init__(self, image_ids: Sequence[str]) -> None:
        self.image_ids = tuple(image_ids)
        self.shapes = {"vector": (NUM_FEATURES,), "grid": (7, 7, NUM_FEATURES)}
        generator = np.random.default_rng(0)
        self._rows = {k: generator.random((64, *s), np.float32) for k, s in self.shapes.items()}

    def read(self, kind: str, image_ids: Sequence[str]) -> np.ndarray:
        """Returns features of some images, float32 (N, *shape)."""
        return self._rows[kind][[int(image_id) % 64 for image_id in image_ids]]


def invent_task(num_images: int) -> tuple[Vocabulary, TokenisedCaptions]:
    """Returns captions of training images; a twentieth of them are dev images."""
    _, references = invent_captions(num_images)
    images = [
        CaptionedImage(i, Path(i), tuple(own), "dev" if number % 20 == 0 else "train")
        for number, (i, own) in enumerate(references.items())
    ]
    vocabulary, captions, _ = tokenise_captions(images, min_count=3)
    return vocabulary, captions


def bench_training(num_images: int, rounds: int) -> None:
    """Compares epochs."""
    vocabulary, captions = invent_task(num_images)
    train_ids = captions.image_ids_in("train")
    features = InventedFeatures(captions.image_ids)
    precision: Precision = "mixed_bfloat16" if prefers_bfloat16() else "float32"
    rows = []
    for kind in ("inject", "attention"):
        reads = default_spec(kind, len(vocabulary)).feature_kind
        spec = default_spec(kind, len(vocabulary), feature_shape=features.shapes[reads])
        decoder = build_decoder(spec, precision=precision)
        decoder.fit([features.read(reads, train_ids[:64])])
        phase = TeacherForcing(decoder, FeatureReader(features, spec), captions, TrainSettings())
        phase.train_epoch(0, "compile")
        ours = alternate({"": lambda phase=phase: phase.train_epoch(1, "train")}, rounds)[""]
        vectors = features.read("vector", captions.image_ids[:NUM_TRAINED_BY_COURSE])
        training = CourseTraining(captions, NUM_TRAINED_BY_COURSE, vectors, len(vocabulary))
        course = alternate({"": training}, 2)[""]
        factor = len(train_ids) / NUM_TRAINED_BY_COURSE
        rows.append([f"captioner, {kind}", *ours.per(len(train_ids))])
        rows.append([f"course, from {NUM_TRAINED_BY_COURSE}", *course.per(NUM_TRAINED_BY_COURSE)])
        print(tell_ratio(f"{kind} beside the course", ours, course.times(factor)))
    print_table(f"An epoch over {len(train_ids)} images", ["who", *RATE_CELLS], rows)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    bench_training(options.images, options.rounds)


if __name__ == "__main__":
    main()
