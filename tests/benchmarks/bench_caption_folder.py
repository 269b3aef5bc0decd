"""Measures captioning a folder against the encoder's own rate on decoded batches.

    python tests/benchmarks/bench_caption_folder.py FOLDER [--model NAME|DIR] [--images N ...]

Decoding, encoding, searching and writing share the same cores, so the figure to look at is the
share of the encoder's own rate that is left; the bar is 70 %. Processor time an image says the
same on a machine that has other work. Each number of images runs in a
process of its own, since peak memory can only be read for a whole process.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from captioner.captioning.captioner import Captioner
from captioner.captioning.folders import list_folder
from captioner.captioning.job import CaptionJob, LoadedEngine
from captioner.captioning.listing import Listing
from captioner.captioning.outputs import Outputs

ENCODER_BATCHES = 12


@dataclass(frozen=True)
class Speed:
    """How fast something went: images per second, and processor time per image."""

    rate: float
    processor_ms: float

    @classmethod
    def of(cls, num_images: int, work: Callable[[], object]) -> "Speed":
        started, processor = time.perf_counter(), time.process_time()
        work()
        seconds = time.perf_counter() - started
        return cls(num_images / seconds, 1000 * (time.process_time() - processor) / num_images)

    def __str__(self) -> str:
        return f"{self.rate:.1f} images/s, {self.processor_ms:.1f} ms of processor an image"


def time_encoder(captioner: Captioner, images_BHWC: np.ndarray, beam: int) -> Speed:
    """Measures the encoder alone."""
    engine = captioner.engine(beam=beam)
    num_images = ENCODER_BATCHES * len(images_BHWC)
    return Speed.of(
        num_images, lambda: [engine.encode(images_BHWC) for _ in range(ENCODER_BATCHES)]
    )


def time_folder(captioner: Captioner, folder: Path, num_images: int, beam: int) -> Speed:
    """Measures the way from files to sidecars and a table."""
    with tempfile.TemporaryDirectory() as work:
        names = Path(work, "names")
        listed = islice(list_folder(str(folder), recursive=True), num_images)
        names.write_bytes(b"\0".join(os.fsencode(image.path) for image in listed))
        outputs = Outputs(
            sidecar_suffix=".txt", output_dir=Path(work, "out"), jsonl=Path(work, "c.jsonl")
        )
        model = LoadedEngine(captioner.engine(beam=beam), captioner.loader())
        job = CaptionJob(Listing(filelist=str(names), null_separated=True), outputs, lambda: model)
        return Speed.of(num_images, job.run)


def measure(folder: Path, model: str | None, num_images: int, batch_size: int, beam: int) -> None:
    captioner = Captioner.load(model, batch_size=batch_size)
    load = captioner.loader()
    paths = [image.path for image in islice(list_folder(str(folder), recursive=True), batch_size)]
    images_BHWC = np.stack([load(path) for path in paths])
    captioner.caption(list(images_BHWC), beam=beam)  # compiles
    before = time_encoder(captioner, images_BHWC, beam)
    whole = time_folder(captioner, folder, num_images, beam)
    after = time_encoder(captioner, images_BHWC, beam)
    share = 2 * whole.rate / (before.rate + after.rate)
    processor_share = (before.processor_ms + after.processor_ms) / 2 / whole.processor_ms
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{num_images:,} images, peak memory {peak:,.0f} MB", flush=True)
    print(f"  encoder alone   {before}\n             then {after}\n  whole way       {whole}")
    print(f"  share           {share:.0%} by the clock, {processor_share:.0%} by the processor")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--images", type=int, nargs="+", default=[500, 2000])
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--beam", type=int, default=3)
    arguments = parser.parse_args()
    for num_images in arguments.images:
        if len(arguments.images) == 1:
            measure(
                arguments.folder,
                arguments.model,
                num_images,
                arguments.batch_size,
                arguments.beam,
            )
            continue
        command = [sys.executable, __file__, *sys.argv[1:], "--images", str(num_images)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
