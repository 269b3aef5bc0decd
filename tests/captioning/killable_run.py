"""A run in a process of its own, for tests that kill it: python killable_run.py FOLDER TABLES."""

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
    is_known = False

    def search(self, features):
        if not self.is_known:
            print("captioning", flush=True)
            self.is_known = True
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


def run(folder: str, tables: str) -> None:
    job = CaptionJob(
        Listing([folder], recursive=True), outputs(Path(tables)), lambda: loaded(SlowEngine())
    )
    print(job.run().num_resumed, flush=True)


if __name__ == "__main__":
    # Tables are published at every batch, so that kills fall into that as well.
    Publisher.note_change.__globals__["_MIN_SECONDS"] = 0.0
    Publisher.note_change.__globals__["_MIN_SHARE"] = 0
    run(*sys.argv[1:])
