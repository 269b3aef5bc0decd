"""What the benchmarks share: contenders in turn, medians, processor time, peak memory, tables.

A figure from another day or another machine says nothing here, so contenders take turns in one
run and a benchmark prints their ratio. Processor time stands beside the clock, since a machine
that has other work stretches the one and hardly the other.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Work = Callable[[], object]  # a `Cost` that it returns counts in place of the one measured
_CHILD_PEAKS_IN = 1 if sys.platform == "darwin" else 1024  # bytes a unit of ru_maxrss
# A process inherits the peak of the one that starts it. A benchmark is large, so what it measures
# is started by something small.
_START_AND_TELL = """
import os, resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
os.write(int(sys.argv[1]), f"{usage.ru_utime + usage.ru_stime} {usage.ru_maxrss}".encode())
sys.exit(code)
"""


@dataclass(frozen=True)
class Cost:
    """What one piece of work took.

    Args:
        seconds: by the clock.
        processor_seconds: of all threads together.
        peak_bytes: largest resident size; None unless the work had a process of its own.
    """

    seconds: float
    processor_seconds: float
    peak_bytes: int | None = None


@dataclass(frozen=True)
class Timing:
    """The costs of the same work, done several times."""

    costs: tuple[Cost, ...]

    @property
    def seconds(self) -> float:
        """The median by the clock."""
        return statistics.median(cost.seconds for cost in self.costs)

    @property
    def processor_seconds(self) -> float:
        """The median of the processor time."""
        return statistics.median(cost.processor_seconds for cost in self.costs)

    @property
    def peak_bytes(self) -> int:
        """The largest of the peaks; 0 where none was measured."""
        return max(cost.peak_bytes or 0 for cost in self.costs)

    def per(self, count: int) -> list[str]:
        """Returns the cells of a table: rate, spread of the clock, processor time of one."""
        seconds = [cost.seconds for cost in self.costs]
        spread = (max(seconds) - min(seconds)) / 2 / self.seconds
        milliseconds = 1000 * self.processor_seconds / count
        return [f"{count / self.seconds:,.1f}/s", f"±{spread:.0%}", f"{milliseconds:,.2f} ms"]

    def times(self, factor: float) -> "Timing":
        """Returns what so much more of the same work would take."""
        return Timing(
            tuple(
                Cost(cost.seconds * factor, cost.processor_seconds * factor) for cost in self.costs
            )
        )


RATE_CELLS = ("rate", "spread", "processor each")  # what `Timing.per` returns


def make_parser(doc: str | None) -> argparse.ArgumentParser:
    """Returns the parser of a benchmark's command line, whose help is the file's docstring."""
    return argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def time_once(work: Work) -> Cost:
    """Returns what `work` takes in this process."""
    started, processor = time.perf_counter(), time.process_time()
    result = work()
    if isinstance(result, Cost):
        return result
    return Cost(time.perf_counter() - started, time.process_time() - processor)


def alternate(contenders: Mapping[str, Work], rounds: int = 3) -> dict[str, Timing]:
    """Times contenders in turn, a b c a b c, so that a busy minute falls on all of them.

    Args:
        contenders: name -> work. Whatever compiles or fills caches should have happened.
        rounds: how often each has its turn.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, work in contenders.items():
            costs[name].append(time_once(work))
    return {name: Timing(tuple(taken)) for name, taken in costs.items()}


def tell_ratio(name: str, ours: Timing, theirs: Timing) -> str:
    """Says how many times as fast we are, by the clock and by processor time."""
    clock = theirs.seconds / ours.seconds
    processor = theirs.processor_seconds / ours.processor_seconds
    return f"{name}: {clock:.2f} times as fast by the clock, {processor:.2f} by processor time"


class Rival:
    """A contender under another Python, for libraries that do not live beside ours.

    The other side calls `answer_rounds` when it is ready.
    """

    def __init__(self, arguments: Sequence[object]) -> None:
        self._command = " ".join(map(str, arguments))
        self._process = subprocess.Popen(
            [*map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._read()

    def __call__(self) -> Cost:
        """Has it do its work once."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return Cost(*json.loads(self._read()))

    def stop(self) -> None:
        """Ends the process."""
        self._process.communicate()

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._command} ended early")
        return line


def answer_rounds(work: Work) -> None:
    """Does `work` once for each line of standard input, and prints what it took."""
    print("ready", flush=True)
    for _ in sys.stdin:
        cost = time_once(work)
        print(json.dumps([cost.seconds, cost.processor_seconds]), flush=True)


def run_process(
    arguments: Sequence[str], *, folder: Path | None = None, expect: Iterable[int] = (0,)
) -> Cost:
    """Runs a command in a process of its own; the only way to learn a peak of memory.

    Raises:
        SystemExit: it ended in an unexpected exit code; what it said is shown.
    """
    reads, writes = os.pipe()
    started = time.perf_counter()
    process = subprocess.run(
        [sys.executable, "-c", _START_AND_TELL, str(writes), *map(str, arguments)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        pass_fds=[writes],
    )
    seconds = time.perf_counter() - started
    os.close(writes)
    with open(reads) as told:
        processor_seconds, peak = told.read().split()
    if process.returncode not in expect:
        raise SystemExit(
            f"{' '.join(map(str, arguments))} ended with {process.returncode}:\n{process.stdout}"
        )
    return Cost(seconds, float(processor_seconds), int(peak) * _CHILD_PEAKS_IN)


def captioner(*arguments: object) -> list[str]:
    """Returns the command line of captioner under the Python that runs this."""
    return [sys.executable, "-m", "captioner", *map(str, arguments)]


def print_table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints a Markdown table whose columns line up, the first to the left."""
    lines = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    print(f"\n{title}\n")
    for line in (lines[0], rule, *lines[1:]):
        first, *others = (cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        print("|", " | ".join([first.strip().ljust(widths[0]), *others]), "|")
    sys.stdout.flush()
