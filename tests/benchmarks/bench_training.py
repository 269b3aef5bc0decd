"""Measures an epoch of training against what the course does.

    python tests/benchmarks/bench_training.py [--images 600] [--rounds 2]

Captions and features are invented, as many words as Flickr8k has to a caption and as large a
vocabulary. The course's training expands each caption into its prefixes, pads them to the longest
caption of Flickr8k and takes one image a step; it is timed on a few images and multiplied, which
the table says. LSTM and embedding have the same sizes as ours. The course's network merges a
vector: beside our attention over a grid it has less to compute. "products alone" are those of an
epoch with the weights, at the best rate of the machine's matrix products in this run: no epoch in
that precision can be faster.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
from bench_scoring import invent_captions
from course import NUM_FEATURES, CourseTraining
from harness import RATE_CELLS, Timing, alternate, make_parser, print_table, tell_ratio
from limits import measure_product

from captioner.datasets.records import CaptionedImage
from captioner.decoders.decoder import Decoder
from captioner.decoders.feature_reader import FeatureReader
from captioner.decoders.registry import Precision, build_decoder, default_spec
from captioner.decoders.settings import TrainSettings
from captioner.decoders.teacher_forcing import TeacherForcing
from captioner.decoding.settings import SpecialTokens
from captioner.processor import prefers_bfloat16
from captioner.text.tokens import TokenisedCaptions, tokenise_captions
from captioner.text.vocabulary import Vocabulary

NUM_TRAINED_BY_COURSE, LONGEST_IN_FLICKR8K = 24, 34
OF_PLACES = ("keys", "values")  # the weights that each place of a grid meets once
OF_IMAGES = ("image_input", "image_state")


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
        CaptionedImage(i, i, tuple(own), "dev" if number % 20 == 0 else "train")
        for number, (i, own) in enumerate(references.items())
    ]
    vocabulary, captions, _ = tokenise_captions(images, min_count=3)
    return vocabulary, captions


def bench_training(num_images: int, rounds: int) -> None:
    """Compares epochs."""
    vocabulary, captions = invent_task(num_images)
    features = InventedFeatures(captions.image_ids)
    precision: Precision = "mixed_bfloat16" if prefers_bfloat16() else "float32"
    for kind in ("inject", "attention"):
        reads = default_spec(kind, len(vocabulary)).feature_kind
        spec = default_spec(kind, len(vocabulary), feature_shape=features.shapes[reads])
        decoder = build_decoder(spec, precision=precision)
        compare_epochs(decoder, precision, captions, features, rounds)


def compare_epochs(
    decoder: Decoder,
    precision: Precision,
    captions: TokenisedCaptions,
    features: InventedFeatures,
    rounds: int,
) -> None:
    """Prints what an epoch of a decoder takes, what the course's does, and what is possible."""
    spec, train_ids = decoder.spec, captions.image_ids_in("train")
    reader, settings = FeatureReader(features, spec), TrainSettings()
    decoder.fit([reader.read(train_ids[:64])])
    phase = TeacherForcing(decoder, reader, captions, settings, SpecialTokens())
    num_words = phase.train_epoch(0, "compile").num_words
    vectors = features.read("vector", captions.image_ids[:NUM_TRAINED_BY_COURSE])
    training = CourseTraining(
        captions, NUM_TRAINED_BY_COURSE, vectors, spec.vocabulary_size, LONGEST_IN_FLICKR8K
    )
    training()  # compiles for steps of any size
    rates: list[float] = []
    dtype = precision.removeprefix("mixed_")
    timings = alternate(
        {
            "captioner": partial(phase.train_epoch, 1, "train"),
            "course": training,
            "product": lambda: rates.append(measure_product(dtype)),
        },
        rounds,
    )
    ours, course = timings["captioner"], timings["course"]
    whole_course = course.times(len(train_ids) / NUM_TRAINED_BY_COURSE)
    least = count_products(decoder, len(train_ids), num_words) / max(rates)
    print_table(
        f"An epoch of {spec.kind} over {len(train_ids)} images",
        ["who", *RATE_CELLS],
        [
            ["captioner", *ours.per(len(train_ids))],
            [f"course, from {NUM_TRAINED_BY_COURSE}", *course.per(NUM_TRAINED_BY_COURSE)],
            ["products alone", f"{len(train_ids) / least:,.1f}/s", "", ""],
        ],
    )
    print(tell_ratio(f"\n{spec.kind} beside the course", ours, whole_course))
    print(tell_limit(least, ours, whole_course, max(rates)))


def count_products(decoder: Decoder, num_images: int, num_words: int) -> float:
    """Returns the least floating-point operations of an epoch's products with the weights.

    Each image is encoded once, and no padding is read. Weights that read an image take part in two
    products, for the output and for their gradient; all others in a third, for the gradient of
    what they read; the table of words predicts words as well.
    """
    num_places = num_images * int(np.prod(decoder.spec.feature_shape[:-1]))
    total = 0.0
    for name, weight in decoder.weights.items():
        if len(weight.shape) != 2:
            continue
        layer, size = name.split("/")[0], int(np.prod(weight.shape))
        if layer in OF_PLACES:
            total += 2 * 2 * size * num_places
        elif layer in OF_IMAGES:
            total += 2 * 2 * size * num_images
        else:
            total += 3 * 2 * size * num_words
    return total


def tell_limit(least: float, ours: Timing, course: Timing, rate: float) -> str:
    """Says how much faster than the course an epoch could be, and how much of that ours is."""
    return (
        f"products alone at {rate / 1e9:,.0f} GFLOP/s: {course.seconds / least:.1f} times as fast "
        f"by the clock, of which ours reaches {least / ours.seconds:.0%}"
    )


def main() -> None:
    """Prints the table."""
    parser = make_parser(__doc__)
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    bench_training(options.images, options.rounds)


if __name__ == "__main__":
    main()
