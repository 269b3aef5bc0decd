"""Measures the shipped model's beam search against the course's and against PyTorch.

    python tests/benchmarks/bench_search.py [FOLDER] [--images 1000] [--rounds 3] [--rivals PYTHON]

Features are taken beforehand, from the first photographs of FOLDER or from drawn scenes, each used
several times. "exact" is what evaluation does: float32, until nothing can be better; "as caption"
is what `captioner caption` does: bfloat16 where it is faster, three tokens ahead. PYTHON,
of an environment with torch, adds a batched loop in PyTorch over the same weights; the share of
captions that are the same is told, as theirs lets a caption that has ended take a beam's place.
The course asks `predict` for one word of one beam of one image, of a merge network as wide; it is
timed on two images and multiplied.
"""

import json
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from course import CourseSearch
from harness import RATE_CELLS, Rival, Work, alternate, make_parser, print_table, tell_ratio

from captioner.captioning.captioner import Captioner
from captioner.captioning.engine import choose_search
from captioner.captioning.folders import list_folder
from captioner.captioning.model_folder import find_model
from captioner.datasets.scenes.composition import compose_scene
from captioner.datasets.scenes.drawing import draw_scene
from captioner.decoders.captions import CaptionGenerator
from captioner.decoders.ensemble import load_decoders
from captioner.decoders.precision import find_precision
from captioner.decoders.storage import load_decoder
from captioner.decoding.settings import SearchSettings
from captioner.text.vocabulary import Vocabulary

NUM_DIFFERENT, NUM_CAPTIONED_BY_COURSE = 96, 2
SETTINGS = SearchSettings(num_beams=3, max_length=18, length_exponent=1.0)
SEARCH_SIZE = 96  # images that `captioner caption` searches for at once


@dataclass(frozen=True)
class RepeatedGrids:
    """Features of many images, of which few differ: what is not the same is their order."""

    grids: np.ndarray
    image_ids: tuple[str, ...]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape for one image."""
        return {"grid": self.grids.shape[1:]}

    @property
    def rows(self) -> np.ndarray:
        """Which of the grids each image has."""
        return np.arange(len(self.image_ids)) % len(self.grids)

    def read(self, kind: str, image_ids: Sequence[str]) -> np.ndarray:
        """Returns float32 (N, 7, 7, C)."""
        return self.grids[self.rows[[int(id_) for id_ in image_ids]]]


def encode_images(folder: Path | None, num_images: int) -> RepeatedGrids:
    """Encodes photographs, or drawn scenes, with the shipped model's encoder."""
    model = Captioner.load(precision="float32")
    engine = model.engine(beam=1)
    if folder is None:
        chances = map(random.Random, range(NUM_DIFFERENT))
        scenes = [draw_scene(compose_scene(c, novel=False), c) for c in chances]
        images = [np.asarray(scene) for scene in scenes]
    else:
        listed = islice(list_folder(str(folder), recursive=True), NUM_DIFFERENT)
        images = [model.loader()(image.path) for image in listed]
    size = model.batch_size
    batches = [np.stack(images[i : i + size]) for i in range(0, len(images), size)]
    grids = np.concatenate([engine.encode(batch) for batch in batches])
    return RepeatedGrids(grids, tuple(map(str, range(num_images))))


def start_rival(python: str, features: RepeatedGrids, work: Path) -> tuple[Rival, list[list[int]]]:
    """Hands PyTorch the same weights and grids; returns it with the captions that it found."""
    decoder = load_decoder(find_model(None).path)
    spec = decoder.spec
    height, width, channels = spec.feature_shape
    arrays: dict[str, Any] = {
        "grids": features.grids.reshape(-1, height * width, channels),
        "images": features.rows,
        "numbers": np.array([SETTINGS.num_beams, SETTINGS.max_length, spec.attention_heads]),
        "exponent": np.array(SETTINGS.length_exponent),
        "image_scale": np.array(spec.image_scale),
        **{name: np.asarray(weight) for name, weight in decoder.weights.items()},
    }
    np.savez(work / "shipped.npz", **arrays)
    script = Path(__file__).with_name("rival_search.py")
    rival = Rival([python, script, work / "shipped.npz", work / "answers.json"])
    return rival, json.loads((work / "answers.json").read_text())


def make_contenders(features: RepeatedGrids) -> dict[str, Callable[[], dict]]:
    """Returns our two ways to search, compiled."""
    folder = find_model(None).path
    vocabulary = Vocabulary.load(folder / "vocabulary.json")
    exact = CaptionGenerator(load_decoders(folder), vocabulary, SETTINGS)
    quick = CaptionGenerator(
        load_decoders(folder, precision=find_precision("auto")),
        vocabulary,
        choose_search(SETTINGS),
        batch_size=SEARCH_SIZE,
    )
    contenders = {
        "captioner, exact": lambda: exact.generate(features, features.image_ids),
        "captioner, as caption": lambda: quick.generate(features, features.image_ids),
    }
    for work in contenders.values():
        work()  # compiles
    return contenders


def tell_same(ours: dict, theirs: list[list[int]]) -> None:
    """Prints the share of captions that both found, which shows that the networks are the same."""
    vocabulary = Vocabulary.load(find_model(None).path / "vocabulary.json")
    same = [
        list(own[0].words) == vocabulary.decode(caption)
        for own, caption in zip(ours.values(), theirs, strict=True)
    ]
    words = np.mean([len(own[0].words) for own in ours.values()])
    print(f"{np.mean(same):.0%} of PyTorch's captions are ours; {words:.1f} words on average")


def main() -> None:
    """Prints the table and the ratios."""
    parser = make_parser(__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rivals", metavar="PYTHON")
    options = parser.parse_args()
    features = encode_images(options.folder, options.images)
    ours = make_contenders(features)
    contenders: dict[str, Work] = dict(ours)
    with tempfile.TemporaryDirectory() as work:
        if options.rivals is not None:
            rival, captions = start_rival(options.rivals, features, Path(work))
            tell_same(ours["captioner, exact"](), captions)
            contenders["PyTorch, batched"] = rival
        timings = alternate(contenders, options.rounds)
    rows = [[name, *timing.per(options.images)] for name, timing in timings.items()]
    course = alternate({"": CourseSearch(NUM_CAPTIONED_BY_COURSE, SETTINGS)}, 1)[""]
    rows.append([f"course, from {NUM_CAPTIONED_BY_COURSE}", *course.per(NUM_CAPTIONED_BY_COURSE)])
    if options.rivals is None:
        rows.append(["PyTorch", "not found", "", ""])
    print_table(f"Beam 3, {options.images} images", ["who", *RATE_CELLS], rows)
    of_all = course.times(options.images / NUM_CAPTIONED_BY_COURSE)
    for name in ours:
        print(tell_ratio(f"{name}, beside the course", timings[name], of_all))
        if options.rivals is not None:
            print(tell_ratio(f"{name}, beside PyTorch", timings[name], timings["PyTorch, batched"]))


if __name__ == "__main__":
    main()
