"""Measures what has to stay small: starting, up-to-date runs, memory, and growth with images.

    python tests/benchmarks/bench_scale.py FOLDER [--images 1000 10000 100000] [--plot grow.svg]

FOLDER is scratch and is kept: small JPEG and PNG files are drawn into it, and a whole pipeline
(LeNet with random weights, the smallest decoder, one epoch) is run for each number of images,
which takes half an hour for 100,000. What the stages took and how much memory they had is read
from their manifests, so that a second call only repeats what is quick: importing, help, status
and up-to-date runs, which must not read the files again. "Cold" is after the system's caches
were dropped, for which one has to be root; "no digests" is without captioner's own memory of
them, so that every byte is read.
"""

import json
import os
import sys
from pathlib import Path

from harness import Cost, Timing, captioner, make_parser, print_table, run_process
from small_files import make_data_set

STAGES = ("extract", "tokenize", "train", "evaluate")
ROUNDS = 3
DROP_CACHES = Path("/proc/sys/vm/drop_caches")
PIPELINE = """
[dataset]
format = "table"
path = "{data}"
images = "{data}/images"

[backbone]
name = "lenet_relu"
weights = "random"

[tokenize]
min_count = 1

[decoder]
kind = "merge"
units = 16
embedding_size = 16

[train]
epochs = 1

[evaluate]
beam = 1
bootstrap = 100
"""


class Scale:
    """A pipeline over so many images."""

    def __init__(self, folder: Path, num_images: int) -> None:
        self.num_images = num_images
        self._folder = folder
        self.data = make_data_set(folder / "data" / str(num_images), num_images)
        self._file = folder / f"{num_images}.toml"
        self._file.write_text(PIPELINE.format(data=self.data.absolute()))
        self.artifacts = folder / "artifacts" / str(num_images)

    def call(self, command: str) -> Cost:
        """Runs one command on the pipeline."""
        return run_process(captioner(command, self._file, "--artifacts", self.artifacts))

    def manifest(self, stage: str) -> dict:
        """Returns what a stage noted down when it ran."""
        path = self.artifacts / str(self.num_images) / stage / "manifest.json"
        return json.loads(path.read_text())

    def forget_digests(self) -> None:
        """Makes the next run read every file."""
        (self.artifacts / ".digests.sqlite").unlink(missing_ok=True)


def time_start() -> list[list[str]]:
    """Returns rows for what happens before any work; each is a process of its own."""
    commands = {
        "import captioner": [sys.executable, "-c", "import captioner"],
        "captioner --help": captioner("--help"),
    }
    return [
        [name, *_cells([run_process(command) for _ in range(ROUNDS)])]
        for name, command in commands.items()
    ]


def time_up_to_date(scale: Scale) -> list[list[str]]:
    """Returns rows for commands that find everything done."""
    name = f"{scale.num_images:,} images"
    rows = [
        [f"status, {name}", *_cells([scale.call("status") for _ in range(ROUNDS)])],
        [f"run, {name}, warm", *_cells([scale.call("run") for _ in range(ROUNDS)])],
    ]
    if os.access(DROP_CACHES, os.W_OK):
        os.sync()
        DROP_CACHES.write_text("3")
        rows.append([f"run, {name}, cold", *_cells([scale.call("run")])])
    scale.forget_digests()
    rows.append([f"run, {name}, no digests", *_cells([scale.call("run")])])
    return rows


def show_growth(scales: list[Scale]) -> None:
    """Prints what each stage took and how much memory it had, and its growth from the first."""
    rows = []
    for stage in STAGES:
        manifests = [scale.manifest(stage) for scale in scales]
        cells = [
            f"{m['seconds']:,.1f} s, {m['peak_memory_bytes'] / 1e6:,.0f} MB" for m in manifests
        ]
        rows.append([stage, *cells])
    print_table("Growth", ["stage", *(f"{scale.num_images:,}" for scale in scales)], rows)


def plot_growth(scales: list[Scale], path: Path) -> None:
    """Draws seconds against images, both axes logarithmic: what grows linearly has slope one."""
    import matplotlib.pyplot as plt

    counts = [scale.num_images for scale in scales]
    figure, axes = plt.subplots(figsize=(6, 4))
    for stage in STAGES:
        axes.loglog(counts, [s.manifest(stage)["seconds"] for s in scales], "o-", label=stage)
    first = scales[0].manifest("extract")["seconds"]
    linear = [first * count / counts[0] for count in counts]
    axes.loglog(counts, linear, "--", color="grey", label="linear")
    axes.set(xlabel="images", ylabel="seconds")
    axes.legend()
    figure.savefig(path, bbox_inches="tight")


def _cells(costs: list[Cost]) -> list[str]:
    timing = Timing(tuple(costs))
    return [
        f"{timing.seconds:.2f} s",
        f"{timing.processor_seconds:.2f} s",
        f"{timing.peak_bytes / 1e6:,.0f} MB",
    ]


def main() -> None:
    """Prints the tables and draws the plot."""
    parser = make_parser(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--plot", type=Path, default=Path("growth.svg"))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    scales = [Scale(options.folder, num_images) for num_images in options.images]
    for scale in scales:
        scale.call("run")  # runs the stages the first time, nothing after that
    rows = [*time_start(), *(row for scale in scales for row in time_up_to_date(scale))]
    print_table("Nothing to do", ["what", "clock", "processor", "peak memory"], rows)
    show_growth(scales)
    plot_growth(scales, options.plot)
    print(f"\nThe plot: {options.plot}")


if __name__ == "__main__":
    main()
