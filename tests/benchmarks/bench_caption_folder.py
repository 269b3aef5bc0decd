"""Measures captioning a folder against the encoder's own rate on decoded batches.

    python tests/benchmarks/bench_caption_folder.py FOLDER [--model NAME|DIR] [--images N ...]

Decoding, encoding, searching and writing share the same cores, so the figure to look at is the
share of the encoder's own rate that is left; the bar is 70 %. Processor time an image says the
same on a machine that has other work. Each number of images also runs as a command in a process
of its own, since peak memory can only be read for a whole process: it should not grow.
"""

import argparse
import os
import tempfile
from itertools import islice
from pathlib import Path

import numpy as np
from harness import RATE_CELLS, alternate, captioner, make_parser, print_table, run_process

from captioner.captioning.captioner import Captioner
from captioner.captioning.folders import list_folder
from captioner.captioning.job import CaptionJob, LoadedEngine
from captioner.captioning.listing import Listing
from captioner.captioning.outputs import Outputs

ENCODER_BATCHES = 48


def write_names(folder: Path, num_images: int, names: Path) -> None:
    """Lists the first photographs below a folder, as `--filelist` with `--null` reads them."""
    listed = islice(list_folder(str(folder), recursive=True), num_images)
    names.write_bytes(b"\0".join(os.fsencode(image.path) for image in listed))


def caption_names(model: Captioner, names: Path, beam: int) -> None:
    """Goes the way from files to sidecars and a table, into a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as work:
        outputs = Outputs(
            sidecar_suffix=".txt", output_dir=Path(work, "out"), jsonl=Path(work, "c.jsonl")
        )
        engine = LoadedEngine(model.engine(beam=beam), model.loader())
        CaptionJob(Listing(filelist=str(names), null_separated=True), outputs, lambda: engine).run()


def measure_speed(folder: Path, model: Captioner, options: argparse.Namespace) -> None:
    """Prints the encoder's rate beside that of the whole way."""
    load, engine = model.loader(), model.engine(beam=options.beam)
    listed = islice(list_folder(str(folder), recursive=True), options.batch_size)
    images_BHWC = np.stack([load(image.path) for image in listed])
    model.caption(list(images_BHWC), beam=options.beam)  # compiles
    num_encoded, num_images = ENCODER_BATCHES * len(images_BHWC), options.images[0]
    with tempfile.TemporaryDirectory() as work:
        names = Path(work, "names")
        write_names(folder, num_images, names)
        timings = alternate(
            {
                "encoder alone": lambda: [
                    engine.encode(images_BHWC) for _ in range(ENCODER_BATCHES)
                ],
                "whole way": lambda: caption_names(model, names, options.beam),
            },
            options.rounds,
        )
    encoder, whole = timings.values()
    rows = [["encoder alone", *encoder.per(num_encoded)], ["whole way", *whole.per(num_images)]]
    print_table(f"Captioning {num_images} photographs", ["what", *RATE_CELLS], rows)
    clock = encoder.seconds / num_encoded * num_images / whole.seconds
    processor = encoder.processor_seconds / num_encoded * num_images / whole.processor_seconds
    print(f"\nleft of the encoder's rate: {clock:.0%} by the clock, {processor:.0%} by processor")


def measure_memory(folder: Path, options: argparse.Namespace) -> None:
    """Prints the peak memory of the command for each number of images."""
    model = ["--model", options.model] if options.model else []
    rows = []
    for num_images in options.images:
        with tempfile.TemporaryDirectory() as work:
            names = Path(work, "names")
            write_names(folder, num_images, names)
            outputs = ["--jsonl", Path(work, "c.jsonl")]
            cost = run_process(
                captioner("caption", "--filelist", names, "--null", *outputs, *model)
            )
        assert cost.peak_bytes is not None
        rows.append(
            [f"{num_images:,}", f"{cost.seconds:,.0f} s", f"{cost.peak_bytes / 1e6:,.0f} MB"]
        )
    print_table("Peak memory of `captioner caption`", ["images", "clock", "peak"], rows)


def main() -> None:
    """Prints both tables."""
    parser = make_parser(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--images", type=int, nargs="+", default=[500, 2000])
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--beam", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("speed", "memory"))
    options = parser.parse_args()
    if options.only != "memory":
        model = Captioner.load(options.model, batch_size=options.batch_size)
        measure_speed(options.folder, model, options)
    if options.only != "speed":
        measure_memory(options.folder, options)


if __name__ == "__main__":
    main()
