"""Measures extraction, JPEG files to features on disk, against the rivals that one could use.

    python tests/benchmarks/bench_extraction.py FOLDER [--only lite0 vgg16 large] [--images 256]
        [--rivals PYTHON]

lite0: EfficientNet-Lite0's vectors and grids, beside PyTorch and OpenVINO on the same files.
These libraries are not ours to install: PYTHON is a Python of an environment that has torch,
openvino, numpy and pillow; without it the rows say that they are missing.
vgg16: VGG-16's fc2 with random weights, beside the loop of the course (open, resize to the
nearest pixel, one `predict` an image) and beside what the machine's matrix products allow, which
are measured in turn with it and the best of which counts: shared processors can be half as fast a
minute later.
large: photographs of 500 and 4,000 pixels, made by enlarging those of FOLDER, beside the rate
that the processor time of decoding and of encoding allows when no processor ever waits; "useful"
is the part of extraction's own processor time that these two make up.
"""

import pickle
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras
import numpy as np
from harness import RATE_CELLS, Rival, Work, alternate, make_parser, print_table, tell_ratio
from limits import measure_product
from PIL import Image

from captioner.backbones.encoder import (
    Encoder,
    Precision,
    build_network,
    choose_precision,
    find_output,
    load_encoder,
)
from captioner.backbones.folding import fold_norms
from captioner.backbones.layer_table import tabulate_layers
from captioner.backbones.registry import find_spec
from captioner.backbones.weights import load_weights, resolve_weights
from captioner.features.extraction import extract_features
from captioner.features.sources import ImageSource, count_workers
from captioner.files import hash_file
from captioner.images import load_image

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
LARGE_SIDES = {500: 512, 4000: 96}  # pixels of the longer side -> photographs
NUM_VGG_IMAGES = 128
LIBRARIES = ("torch float32", "torch bfloat16", "openvino float32", "openvino bfloat16")


@dataclass(frozen=True)
class Extraction:
    """Files and an encoder that has been compiled."""

    sources: list[ImageSource]
    encoder: Encoder

    def warm_up(self) -> "Extraction":
        """Compiles, so that no contender is charged for it."""
        rule = self.encoder.spec.rule
        self.encoder.encode(np.zeros((1, rule.height, rule.width, 3), np.uint8))
        return self

    def run(self) -> None:
        """Extracts into a store that is then thrown away."""
        with tempfile.TemporaryDirectory() as folder:
            extract_features(self.sources, self.encoder, Path(folder, "store"))

    def load(self) -> np.ndarray:
        """Decodes all files, one after the other; returns uint8 (N, H, W, 3)."""
        rule = self.encoder.spec.rule
        return np.stack([load_image(Path(s.path), rule) for s in self.sources])


def list_sources(folder: Path, num_images: int) -> list[ImageSource]:
    """Returns the first photographs below a folder, in order."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise SystemExit(f"{folder} holds no photographs.")
    return [
        ImageSource(f"{number:06d}", path, hash_file(path))
        for number, path in enumerate(paths[:num_images])
    ]


def bench_lite0(folder: Path, num_images: int, rivals: str | None, rounds: int) -> None:
    """Compares Lite0 with other libraries."""
    sources = list_sources(folder, num_images)
    with ExitStack() as stack:
        contenders = {}
        for precision in ("float32", "bfloat16"):
            encoder = load_encoder(
                "efficientnet_lite0", outputs=("vector", "grid"), precision=precision
            )
            contenders[f"captioner {precision}"] = Extraction(sources, encoder).warm_up().run
        found = start_rivals(stack, sources, rivals)
        timings = alternate({**contenders, **found}, rounds)
    rows = [[name, *timing.per(len(sources))] for name, timing in timings.items()]
    missing = [name for name in LIBRARIES if name not in found]
    rows += [[name, "not found", "", ""] for name in missing]
    print_table(
        f"EfficientNet-Lite0, {len(sources)} files, vectors and grids", ["who", *RATE_CELLS], rows
    )
    for name in found:
        ours = timings[f"captioner {name.split()[1]}"]
        print(tell_ratio(f"captioner beside {name}", ours, timings[name]))


def start_rivals(
    stack: ExitStack, sources: list[ImageSource], python: str | None
) -> dict[str, Rival]:
    """Starts those rivals whose libraries the other Python has."""
    if python is None:
        return {}
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    write_network(folder)
    (folder / "files.txt").write_text("\n".join(str(Path(s.path).absolute()) for s in sources))
    script = Path(__file__).with_name("rival_encoders.py")
    found = {}
    for name in LIBRARIES:
        library, precision = name.split()
        has_library = subprocess.run([python, "-c", f"import {library}"], capture_output=True)
        if has_library.returncode == 0:
            found[name] = Rival([python, script, library, precision, folder])
            stack.callback(found[name].stop)
    return found


def write_network(folder: Path) -> None:
    """Leaves Lite0 as other libraries read it: a SavedModel, and folded weights in order."""
    spec = find_spec("efficientnet_lite0")
    network = build_network(spec)
    load_weights(network, spec, resolve_weights(spec, "imagenet"))
    network = fold_norms(network)
    outputs = [find_output(network, name) for name in (spec.vector_layer, spec.grid_layer)]
    keras.Model(network.inputs, outputs).export(folder / "saved_model", verbose=False)
    convolutions = [layer for layer in network.layers if layer.name.endswith("conv")]
    arrays = {}
    for number, layer in enumerate(convolutions):
        arrays[f"kernel{number:02d}"] = layer.kernel.numpy()
        arrays[f"bias{number:02d}"] = layer.bias.numpy()
    np.savez(folder / "weights.npz", **arrays)


def bench_vgg16(folder: Path, rounds: int) -> None:
    """Compares VGG-16 with the course's loop and with the machine's limit."""
    sources = list_sources(folder, NUM_VGG_IMAGES)
    few = sources[: len(sources) // 4]
    chosen = choose_precision(find_spec("vgg16"), "auto")
    other: Precision = "float32" if chosen == "bfloat16" else "bfloat16"
    encoders = {
        precision: load_encoder("vgg16", weights="random", precision=precision)
        for precision in (chosen, other)
    }
    products: list[float] = []
    timings = alternate(
        {
            chosen: Extraction(sources, encoders[chosen]).warm_up().run,
            "product": lambda: products.append(measure_product(chosen)),
            other: Extraction(few, encoders[other]).warm_up().run,
        },
        rounds,
    )
    course = alternate({"": course_loop(few)}, 1)[""]
    rows = [
        [f"captioner {chosen} (auto), {len(sources)} files", *timings[chosen].per(len(sources))],
        [f"captioner {other}, {len(few)} files", *timings[other].per(len(few))],
        [f"the course's loop, {len(few)} files", *course.per(len(few))],
    ]
    print_table("VGG-16 fc2", ["who", *RATE_CELLS], rows)
    rate = len(sources) / timings[chosen].seconds
    print(f"\n{rate / (len(few) / course.seconds):.1f} times the course's rate")
    flops = 2 * tabulate_layers(find_spec("vgg16")).num_multiply_adds
    share = rate * flops / max(products)
    told = ", ".join(f"{product / 1e9:,.0f}" for product in products)
    print(f"{share:.0%} of what {chosen} products allow; in turn, GFLOP/s: {told}")
    images = Extraction(few, encoders["float32"]).load()
    print(f"least cosine to float32: {least_cosine(encoders, images):.6f}")


def course_loop(sources: list[ImageSource]) -> Work:
    """Returns the course's extraction: one image, one `predict`, one pickle at the end."""
    from keras.applications.vgg16 import preprocess_input
    from keras.utils import img_to_array, load_img

    spec = find_spec("vgg16")
    network = build_network(spec)
    load_weights(network, spec, resolve_weights(spec, "random"))
    model = keras.Model(network.inputs, find_output(network, "fc2"))
    model.predict(np.zeros((1, 224, 224, 3)), verbose=0)

    def extract() -> None:
        features = {}
        for source in sources:
            image = img_to_array(load_img(source.path, target_size=(224, 224)))
            features[source.image_id] = model.predict(preprocess_input(image[None]), verbose=0)
        with tempfile.TemporaryFile() as file:
            pickle.dump(features, file)

    return extract


def least_cosine(encoders: dict[Precision, Encoder], images_BHWC: np.ndarray) -> float:
    """Returns the worst agreement of an image's vectors in two precisions."""
    first_NF, second_NF = (e.encode(images_BHWC)["vector"] for e in encoders.values())
    lengths_N = np.linalg.norm(first_NF, axis=1) * np.linalg.norm(second_NF, axis=1)
    return float(((first_NF * second_NF).sum(axis=1) / lengths_N).min())


def bench_large(folder: Path, sides: Iterable[int], rounds: int) -> None:
    """Compares extraction with the sum of its parts' processor time, shared by all cores."""
    encoder = load_encoder("efficientnet_lite0", outputs=("vector", "grid"))
    cores, rows = count_workers(), []
    for side in sides:
        num_images = LARGE_SIDES[side]
        with enlarged(folder, side, num_images) as sources:
            work = Extraction(sources, encoder).warm_up()
            images = work.load()
            timings = alternate(
                {
                    "decoding": work.load,
                    "encoding": partial(encoder.encode, images),
                    "extraction": work.run,
                },
                rounds,
            )
        parts = [timings[name].processor_seconds for name in ("decoding", "encoding")]
        bound = num_images * cores / sum(parts)
        rate = num_images / timings["extraction"].seconds
        milliseconds = [f"{1000 * part / num_images:.1f} ms" for part in parts]
        useful = sum(parts) / timings["extraction"].processor_seconds
        row = [f"{side:,} pixels", *milliseconds, f"{bound:.1f}/s", f"{rate:.1f}/s"]
        rows.append([*row, f"{rate / bound:.0%}", f"{useful:.0%}"])
    header = ["photographs", "decoding", "encoding", "bound", "extraction", "share", "useful"]
    print_table(f"Large photographs, Lite0, {cores} cores", header, rows)


@contextmanager
def enlarged(folder: Path, side: int, num_images: int) -> Iterator[list[ImageSource]]:
    """Yields photographs whose longer side has so many pixels."""
    originals = list_sources(folder, num_images)
    with tempfile.TemporaryDirectory() as work:
        for number in range(num_images):
            with Image.open(originals[number % len(originals)].path) as image:
                factor = side / max(image.size)
                width, height = (round(length * factor) for length in image.size)
                photo = image.convert("RGB").resize((width, height))
            photo.save(Path(work, f"{number:04d}.jpg"), quality=88)
        yield list_sources(Path(work), num_images)


def main() -> None:
    """Prints the tables that are asked for."""
    parser = make_parser(__doc__)
    parser.add_argument("folder", type=Path)
    names = ("lite0", "vgg16", "large")
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--large", type=int, nargs="+", choices=LARGE_SIDES, default=LARGE_SIDES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rivals", metavar="PYTHON")
    options = parser.parse_args()
    if "lite0" in options.only:
        bench_lite0(options.folder, options.images, options.rivals, options.rounds)
    if "vgg16" in options.only:
        bench_vgg16(options.folder, options.rounds)
    if "large" in options.only:
        bench_large(options.folder, options.large, options.rounds)


if __name__ == "__main__":
    main()
