"""Runs a plan: each stage works in a staging folder and is sealed when it is done."""

import importlib.metadata
import platform
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from captioner.errors import ArtifactError
from captioner.files import remove_unfinished
from captioner.pipeline.artifacts import Artifact, ArtifactStore
from captioner.pipeline.fingerprint import summarise
from captioner.pipeline.lock import hold_lock
from captioner.pipeline.plan import PlannedStage, Selection, StageState, examine, plan_run
from captioner.pipeline.stage import Stage, StageOutcome, StageRun

Say = Callable[[str], None]
RECORDED_PACKAGES = ("captioner", "keras", "numpy", "pillow", "tensorflow")


@dataclass(frozen=True)
class RunResult:
    """What a run leaves: the current artifact of each stage that it touched."""

    artifacts: Mapping[str, Artifact]
    executed: tuple[str, ...]

    @property
    def num_failures(self) -> int:
        """How many inputs (such as images) the stages had to leave out."""
        return sum(artifact.num_failures for artifact in self.artifacts.values())


class Runner:
    """Brings the stages of one pipeline up to date.

    Args:
        stages: all stages of the pipeline, each after the ones it needs.
        store: where artifacts are found and left.
        pipeline: the name under which the current artifacts are shown.
        say: takes one line at a time for the person who waits.
    """

    def __init__(
        self, stages: Sequence[Stage], store: ArtifactStore, pipeline: str, say: Say | None = None
    ) -> None:
        self._stages = stages
        self._store = store
        self._pipeline = pipeline
        self._say = say if say is not None else _say_on_stderr

    def examine(self) -> list[StageState]:
        """Says for every stage whether its artifact is there and whole, and if not, why."""
        states = examine(self._stages, self._store, self._pipeline)
        self._store.save_digests()
        return states

    def plan(self, selection: Selection) -> list[PlannedStage]:
        """Returns the stages that a run would touch, in order; see `plan_run`."""
        return plan_run(self.examine(), selection)

    def run(self, selection: Selection) -> RunResult:
        """Runs what is selected and not up to date.

        Raises:
            UsageError: the selection makes no sense here.
            LockedError: another run holds the folder.
            ArtifactError: the folder cannot be written, or the disk is full.
            CaptionerError: whatever a stage raises; what it had done so far is kept.
        """
        plan = self.plan(selection)
        if not any(step.will_run for step in plan) and self._is_shown(plan):
            return self._execute(plan)  # writes nothing: a read-only folder will do
        with hold_lock(self._store.root):
            self._store.recover()
            return self._execute(self.plan(selection))

    def _is_shown(self, plan: Sequence[PlannedStage]) -> bool:
        pointers = self._store.pointers(self._pipeline)
        stages = [step.state.stage for step in plan]
        return all(pointers.get(stage.name) == stage.fingerprint() for stage in stages)

    def _execute(self, plan: Sequence[PlannedStage]) -> RunResult:
        current: dict[str, Artifact] = {}
        for step in plan:
            name = step.state.stage.name
            self._say(f"{name:<9} {'forced' if step.is_forced else step.state}")
            artifact = step.state.artifact
            if step.will_run or artifact is None:
                artifact = self._run_stage(step)
            current[name] = artifact
            self._store.point(self._pipeline, {name: artifact})
        executed = tuple(step.state.stage.name for step in plan if step.will_run)
        return RunResult(current, executed)

    def _run_stage(self, step: PlannedStage) -> Artifact:
        stage = step.state.stage
        staging = self._store.staging(stage.name, stage.fingerprint())
        started = time.monotonic()
        try:
            if step.is_forced:
                shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir(parents=True, exist_ok=True)
            remove_unfinished(staging)
            outcome = stage.run(StageRun(staging, self._needs(stage), self._earlier(stage)))
            seconds = time.monotonic() - started
            artifact = self._store.seal(stage, _facts(outcome, seconds))
        except OSError as error:
            raise _explain_os_error(stage.name, error) from error
        self._say(f"{stage.name:<9} done in {_duration(seconds)}: {outcome.summary}")
        return artifact

    def _needs(self, stage: Stage) -> dict[str, Path]:
        fingerprints = {other.name: other.fingerprint() for other in self._stages}
        return {name: self._store.folder(name, fingerprints[name]) for name in stage.needs}

    def _earlier(self, stage: Stage) -> tuple[Path, ...]:
        if not stage.reuse_on:
            return ()
        inputs = summarise(stage.inputs)
        return tuple(
            artifact.folder
            for artifact in self._store.list_whole(stage.name)
            if artifact.manifest.get("schema") == stage.schema
            and all(artifact.manifest["inputs"].get(k) == inputs[k] for k in stage.reuse_on)
        )


def _say_on_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _facts(outcome: StageOutcome, seconds: float) -> dict[str, Any]:
    """Returns what a manifest records beside inputs and outputs."""
    return {
        "summary": outcome.summary,
        "num_failures": outcome.num_failures,
        "seconds": round(seconds, 3),
        "peak_memory_bytes": _peak_memory_bytes(),
        "versions": recorded_versions(),
        "created": datetime.now(UTC).isoformat(),
    }


def recorded_versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that decide results."""
    versions = {"python": platform.python_version()}
    for package in RECORDED_PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # run from a source tree
            versions[package] = "not installed"
    return versions


def _peak_memory_bytes() -> int | None:
    """Returns the largest resident size of this process so far, where the system tells."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _explain_os_error(stage: str, error: OSError) -> ArtifactError:
    where = f" ({error.filename})" if error.filename else ""
    return ArtifactError(
        f"Stage '{stage}' could not go on: {error.strerror or error}{where}.\n"
        "What it had finished is kept; mend the cause and run it again."
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"
