"""A run in a process of its own, for tests that kill it.

python killable_run.py FOLDER TABLES [SEARCHES], where it waits for its death after so many searches
"""

import sys
import time
from pathlib import Path

from fake_model import ColourEngine, loaded

from captioner.captioning.existing import CaptionText
from captioner.captioning.job import CaptionJob
from captioner.captioning.listing import Listing
from captioner.captioning.outputs import Outputs
from captioner.captioning.publisher import Publisher


class SlowEngine(ColourEngine):
    def __init__(self, max_searches: float) -> None:
        super().__init__()
        self.max_searches = max_searches
        self.num_searches = 0

    def search(self, features):
        if self.num_searches == 0:
            print("captioning", flush=True)
        if self.num_searches == self.max_searches:
            time.sleep(600)
        self.num_searches += 1
        time.sleep(0.01)
        return super().search(features)


def outputs(tables: Path) -> Outputs:
    return Outputs(
        sidecar_suffix=".txt",
        jsonl=tables / "c.jsonl",
        csv=tables / "c.csv",
        metadata=True,
        text=CaptionText("append"),
    )


def run(folder: str, tables: str, max_searches: str = "inf") -> None:
    engine = SlowEngine(float(max_searches))
    job = CaptionJob(
        Listing([folder], recursive=True), outputs(Path(tables)), lambda: loaded(engine)
    )
    print(job.run().num_resumed, flush=True)


if __name__ == "__main__":
    # Tables are published at every batch, so that kills fall into that as well.
    Publisher.note_change.__globals__["_MIN_SECONDS"] = 0.0
    Publisher.note_change.__globals__["_MIN_SHARE"] = 0
    run(*sys.argv[1:])
