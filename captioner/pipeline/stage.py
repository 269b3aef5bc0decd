"""A stage: a name, the inputs that decide its output, and a function that makes the output."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from captioner.pipeline.fingerprint import Inputs, fingerprint


@dataclass(frozen=True)
class StageRun:
    """What the runner hands to a stage that has to work.

    Args:
        folder: where the outputs go. It may hold what an interrupted run of the very same
            fingerprint left behind; the stage continues from there.
        needs: folder of the finished artifact of each stage named in `Stage.needs`.
        earlier: folders of finished artifacts of this stage that agree on `Stage.reuse_on`,
            newest first; parts of them may be copied instead of made again.
    """

    folder: Path
    needs: Mapping[str, Path]
    earlier: tuple[Path, ...] = ()


@dataclass(frozen=True)
class StageOutcome:
    """What a stage says when it is done.

    Args:
        summary: one line of what was made, for the terminal and the manifest.
        num_failures: inputs (such as images) that could not be used and were left out.
    """

    summary: str
    num_failures: int = 0


@dataclass(frozen=True)
class Stage:
    """One step of a pipeline, with everything that decides its output already known.

    Args:
        name: also the folder name of its artifacts.
        schema: version of what it writes.
        inputs: what decides the output, including the inputs of the stages it builds upon, so
            that a change far upstream moves every fingerprint below it.
        run: makes the outputs in `StageRun.folder`.
        needs: names of the stages whose artifacts it reads.
        reuse_on: names of the inputs that an earlier artifact must share to be of use;
            empty if earlier artifacts are never of use.
    """

    name: str
    schema: int
    inputs: Inputs
    run: Callable[[StageRun], StageOutcome]
    needs: tuple[str, ...] = ()
    reuse_on: tuple[str, ...] = field(default=())

    def fingerprint(self) -> str:
        """Returns the SHA-256 of name, schema and inputs."""
        return fingerprint(self.name, self.schema, self.inputs)
