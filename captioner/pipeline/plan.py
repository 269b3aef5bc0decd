"""What a run would do and why, decided for all stages before the first one starts.

build ──> extract ──┐
                    ├──> train ──> evaluate
tokenize ───────────┘
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from captioner.errors import UsageError
from captioner.pipeline.artifacts import Artifact, ArtifactStore, DamagedArtifactError
from captioner.pipeline.stage import Stage


class Verdict(Enum):
    """Whether a stage's artifact can be used as it is."""

    UP_TO_DATE = "up to date"
    MISSING = "not yet run"
    STALE = "stale"
    INTERRUPTED = "interrupted"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class StageState:
    """A stage as it stands: the verdict, the reasons in words, the artifact if it is whole."""

    stage: Stage
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    artifact: Artifact | None = None

    def __str__(self) -> str:
        reasons = "; ".join(self.reasons)
        return f"{self.verdict.value}{', ' if reasons else ''}{reasons}"


@dataclass(frozen=True)
class Selection:
    """Which stages a run is about.

    Args:
        stage: bring this stage and all it needs up to date, and nothing else.
        first: start here; everything above must be up to date already.
        until: stop after this stage.
        force: run the selected stages even if they are up to date.
    """

    stage: str | None = None
    first: str | None = None
    until: str | None = None
    force: bool = False


@dataclass(frozen=True)
class PlannedStage:
    """A stage of a run, and whether it will work or only lend its artifact."""

    state: StageState
    will_run: bool
    is_forced: bool = False


def examine(stages: Sequence[Stage], store: ArtifactStore, pipeline: str) -> list[StageState]:
    """Says for every stage whether its artifact is there and whole, and if not, why."""
    return [_examine_stage(stage, store, pipeline) for stage in stages]


def plan_run(states: Sequence[StageState], selection: Selection) -> list[PlannedStage]:
    """Returns the stages that a run touches, in order.

    Raises:
        UsageError: the selection names a stage that does not exist, contradicts itself, or
            starts below a stage that is not up to date.
    """
    names = [state.stage.name for state in states]
    _check_selection(selection, names)
    touched, forced = _touched_names(states, selection, names)
    _check_upstream(states, touched)
    return [
        PlannedStage(
            state,
            will_run=state.verdict is not Verdict.UP_TO_DATE or state.stage.name in forced,
            is_forced=state.stage.name in forced,
        )
        for state in states
        if state.stage.name in touched
    ]


def _examine_stage(stage: Stage, store: ArtifactStore, pipeline: str) -> StageState:
    fingerprint = stage.fingerprint()
    try:
        artifact = store.find(stage.name, fingerprint)
    except DamagedArtifactError as error:
        return StageState(stage, Verdict.DAMAGED, (str(error),))
    if artifact is not None:
        return StageState(stage, Verdict.UP_TO_DATE, (), artifact)
    reasons = store.last_change(pipeline, stage)
    if store.staging(stage.name, fingerprint).is_dir():
        return StageState(stage, Verdict.INTERRUPTED, ("will continue where it stopped", *reasons))
    return StageState(stage, Verdict.STALE if reasons else Verdict.MISSING, reasons)


def _check_selection(selection: Selection, names: Sequence[str]) -> None:
    asked = (selection.stage, selection.first, selection.until)
    for name in asked:
        if name is not None and name not in names:
            raise UsageError(f"This pipeline has no stage '{name}'. Its stages: {', '.join(names)}")
    if selection.stage and (selection.first or selection.until):
        raise UsageError("--stage runs one stage and what it needs; leave out --from and --until")
    first, until = selection.first, selection.until
    if first and until and names.index(first) > names.index(until):
        raise UsageError(
            f"--from {first} comes after --until {until}; the order is {', '.join(names)}"
        )


def _touched_names(
    states: Sequence[StageState], selection: Selection, names: list[str]
) -> tuple[set[str], set[str]]:
    """Returns the names of the stages to bring up to date, and of those to run regardless."""
    if selection.stage:
        touched = _with_needs(states, selection.stage)
        return touched, {selection.stage} if selection.force else set()
    first = names.index(selection.first) if selection.first else 0
    until = names.index(selection.until) + 1 if selection.until else len(names)
    touched = set(names[first:until])
    return touched, touched if selection.force else set()


def _with_needs(states: Sequence[StageState], name: str) -> set[str]:
    needs = {state.stage.name: state.stage.needs for state in states}
    return {name}.union(*(_with_needs(states, upper) for upper in needs[name]))


def _check_upstream(states: Sequence[StageState], touched: set[str]) -> None:
    by_name = {state.stage.name: state for state in states}
    for name in touched:
        for upper in by_name[name].stage.needs:
            state = by_name[upper]
            if upper not in touched and state.verdict is not Verdict.UP_TO_DATE:
                raise UsageError(
                    f"'{name}' needs the result of '{upper}', which is {state}.\n"
                    f"Start there: --from {upper}, or bring it up to date: --stage {upper}"
                )
