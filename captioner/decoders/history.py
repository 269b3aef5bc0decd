"""What each epoch of a training run came to."""

import csv
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

PhaseName = Literal["cross_entropy", "self_critical"]


@dataclass(frozen=True)
class EpochRow:
    """One line of `history.csv`.

    Args:
        epoch: counted from 1.
        phase: "cross_entropy" or "self_critical".
        loss: mean training loss of a token, in nats, with dropout and label smoothing; of the
            self-critical phase, minus the mean reward of a caption.
        dev_loss: mean loss of a dev token, in nats, without either.
        dev_score: what the caller's scorer gave; the higher the better.
        is_best: whether these weights became the ones to keep.
        seconds: time taken, scoring included.
        words_per_second: training tokens read a second, scoring left out.
    """

    epoch: int
    phase: PhaseName
    loss: float
    dev_loss: float
    dev_score: float
    is_best: bool
    seconds: float
    words_per_second: float

    def to_json(self) -> dict[str, Any]:
        """Returns the row as a JSON object."""
        return dataclasses.asdict(self)


def read_history(path: Path) -> list[EpochRow]:
    """Reads the table that training left.

    Raises:
        ValueError: the file holds something else.
    """
    with path.open(encoding="utf-8", newline="") as file:
        return [_parse_row(row) for row in csv.DictReader(file)]


def _parse_row(row: dict[str, str]) -> EpochRow:
    try:
        return EpochRow(
            epoch=int(row["epoch"]),
            phase=_parse_phase(row["phase"]),
            loss=float(row["loss"]),
            dev_loss=float(row["dev_loss"]),
            dev_score=float(row["dev_score"]),
            is_best=row["is_best"] == "True",
            seconds=float(row["seconds"]),
            words_per_second=float(row["words_per_second"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{row} is no epoch of a training") from error


def _parse_phase(text: str) -> PhaseName:
    for phase in get_args(PhaseName):
        if text == phase:
            return cast(PhaseName, phase)
    raise ValueError(f"{text!r} is no phase of a training")
