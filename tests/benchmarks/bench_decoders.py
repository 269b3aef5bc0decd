"""Measures an epoch of training and a beam search against what the course does.

    python tests/benchmarks/bench_decoders.py [--images 600] [--rounds 2] [--rivals PYTHON]

Captions and features are invented, as many words as Flickr8k has to a caption and as large a
vocabulary. The course's training expands each caption into its prefixes and takes one image a
step; its search calls `predict` for one word of one beam of one image. Both are timed on a few
images and multiplied, which the table says; LSTM and embedding have the same sizes as ours. The
course's network merges a vector: beside our attention over a grid it has less to compute.
PYTHON, of an environment with torch, adds a batched loop in PyTorch.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
from bench_scoring import invent_captions
from harness import RATE_CELLS, Rival, Timing, alternate, print_table, tell_ratio
from keras import layers

from captioner.datasets.records import CaptionedImage
from captioner.decoders.captions import CaptionGenerator
from captioner.decoders.feature_reader import FeatureReader
from captioner.decoders.registry import build_decoder, default_spec
from captioner.decoders.settings import TrainSettings
from captioner.decoders.spec import DecoderSpec
from captioner.decoders.teacher_forcing import TeacherForcing
from captioner.decoding.settings import SearchSettings
from captioner.processor import has_bfloat16
from captioner.text.tokens import TokenisedCaptions, tokenise_captions
from captioner.text.vocabulary import START, Vocabulary

NUM_TRAINED_BY_COURSE, NUM_CAPTIONED_BY_COURSE = 6, 2
MAX_WORDS, NUM_BEAMS = 24, 3


class InventedFeatures:
    """Random features of any shape; a few of them, since only their size costs time."""

    def __init__(self, image_ids: Sequence[str]) -> None:
        self.image_ids = tuple(image_ids)
        self.shapes = {"vector": (1280,), "grid": (7, 7, 1280)}
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
    precision = "bfloat16" if has_bfloat16() else "float32"
    rows = []
    for kind in ("inject", "attention"):
        reads = default_spec(kind, len(vocabulary)).feature_kind
        spec = default_spec(kind, len(vocabulary), feature_shape=features.shapes[reads])
        decoder = build_decoder(spec, precision=precision)
        decoder.fit([features.read(reads, train_ids[:64])])
        phase = TeacherForcing(decoder, FeatureReader(features, spec), captions, TrainSettings())
        phase.train_epoch(0, "compile")
        ours = alternate({"": lambda phase=phase: phase.train_epoch(1, "train")}, rounds)[""]
        course = alternate({"": course_epoch(spec, captions, features)}, 2)[""]
        factor = len(train_ids) / NUM_TRAINED_BY_COURSE
        rows.append([f"captioner, {kind}", *ours.per(len(train_ids))])
        rows.append([f"course, from {NUM_TRAINED_BY_COURSE}", *course.per(NUM_TRAINED_BY_COURSE)])
        print(tell_ratio(f"{kind} beside the course", ours, multiply(course, factor)))
    print_table(f"An epoch over {len(train_ids)} images", ["who", *RATE_CELLS], rows)


def multiply(timing: Timing, factor: float) -> Timing:
    """Returns what more of the same would take."""
    return Timing(
        tuple(
            type(cost)(cost.seconds * factor, cost.processor_seconds * factor)
            for cost in timing.costs
        )
    )


def build_course_network(spec: DecoderSpec, num_tokens: int) -> keras.Model:
    """Builds the course's merge network in the sizes of ours."""
    vector = keras.Input((1280,))
    tokens = keras.Input((num_tokens,))
    image = layers.Dense(spec.units, "relu")(layers.Dropout(0.5)(vector))
    words = layers.Embedding(spec.vocabulary_size, spec.embedding_size, mask_zero=True)(tokens)
    words = layers.LSTM(spec.units)(layers.Dropout(0.5)(words))
    mixed = layers.Dense(spec.units, "relu")(layers.add([image, words]))
    network = keras.Model([vector, tokens], layers.Dense(spec.vocabulary_size, "softmax")(mixed))
    network.compile("adam", "categorical_crossentropy")
    return network


def course_epoch(spec: DecoderSpec, captions: TokenisedCaptions, features: InventedFeatures):
    """Returns the course's training over a few images: all prefixes of one image are a step."""
    longest = max(map(len, captions))
    network = build_course_network(spec, longest)

    def steps() -> Iterator[tuple]:
        for image, image_id in enumerate(captions.image_ids[:NUM_TRAINED_BY_COURSE]):
            own = [captions[c] for c in np.flatnonzero(captions.image_index == image)]
            prefixes = [caption[:end] for caption in own for end in range(1, len(caption))]
            nexts = [caption[end] for caption in own for end in range(1, len(caption))]
            padded = keras.utils.pad_sequences(prefixes, longest)
            vectors = np.repeat(features.read("vector", [image_id]), len(prefixes), axis=0)
            yield (vectors, padded), keras.utils.to_categorical(nexts, spec.vocabulary_size)

    network.train_on_batch(*next(steps()))  # compiles

    def train() -> None:
        for inputs, targets in steps():
            network.train_on_batch(inputs, targets)

    return train


def bench_search(num_images: int, rounds: int, rivals: str | None) -> None:
    """Compares searches of three beams."""
    vocabulary, captions = invent_task(num_images)
    features = InventedFeatures(captions.image_ids)
    spec = default_spec("inject", len(vocabulary), feature_shape=(1280,))
    settings = SearchSettings(num_beams=NUM_BEAMS, max_length=MAX_WORDS)
    generator = CaptionGenerator(build_decoder(spec), vocabulary, settings)
    generator.generate(features, captions.image_ids[:2])  # compiles
    contenders = {"captioner": lambda: generator.generate(features, captions.image_ids)}
    if rivals is not None:
        script = Path(__file__).with_name("rival_search.py")
        sizes = (len(vocabulary), spec.embedding_size, spec.units, 1280)
        rival = Rival([rivals, script, *sizes, num_images, MAX_WORDS, NUM_BEAMS])
        contenders["PyTorch, batched"] = rival
    timings = alternate(contenders, rounds)
    rows = [[name, *timing.per(num_images)] for name, timing in timings.items()]
    course = alternate({"": course_search(spec)}, 1)[""]
    count = NUM_CAPTIONED_BY_COURSE
    rows.append([f"course, from {count}", *course.per(count)])
    if rivals is None:
        rows.append(["PyTorch", "not found", "", ""])
    print_table(
        f"Beam {NUM_BEAMS}, {num_images} images, {MAX_WORDS} words", ["who", *RATE_CELLS], rows
    )
    print(
        tell_ratio("beside the course", timings["captioner"], multiply(course, num_images / count))
    )
    if rivals is not None:
        print(tell_ratio("beside PyTorch", timings["captioner"], timings["PyTorch, batched"]))


def course_search(spec: DecoderSpec):
    """Returns a search that asks `predict` for one beam's next word at a time."""
    network = build_course_network(spec, MAX_WORDS)
    vector = np.random.default_rng(0).random((1, 1280), np.float32)

    def predict(prefix: list[int]) -> np.ndarray:
        padded = keras.utils.pad_sequences([prefix], MAX_WORDS)
        return np.log(network.predict((vector, padded), verbose=0)[0])

    def search_one() -> None:
        beams = [([START], 0.0)]
        for _ in range(MAX_WORDS):
            longer = [
                ([*prefix, int(word)], score + float(log_probs[word]))
                for prefix, score in beams
                for log_probs in [predict(prefix)]
                for word in np.argsort(-log_probs)[:NUM_BEAMS]
            ]
            beams = sorted(longer, key=lambda beam: -beam[1])[:NUM_BEAMS]

    predict([START])  # compiles
    return lambda: [search_one() for _ in range(NUM_CAPTIONED_BY_COURSE)]


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=("search", "training"))
    parser.add_argument("--rivals", metavar="PYTHON")
    options = parser.parse_args()
    if options.only is None or "search" in options.only:
        bench_search(options.images, options.rounds, options.rivals)
    if options.only is None or "training" in options.only:
        bench_training(options.images, options.rounds)


if __name__ == "__main__":
    main()
