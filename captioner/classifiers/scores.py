"""How well a classifier tells its classes apart: confusion matrix and scores of each class.

Dimension key: N images, C classes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

_LONGEST_NAME = 24
_MOST_COLUMNS = 20  # a wider confusion matrix is left to scores.json


@dataclass(frozen=True)
class ClassScore:
    """One class.

    Args:
        name: the class.
        precision: share of the images given this class that are of it; None if there are none.
        recall: share of the images of this class that were given it; None if there are none.
        f1: harmonic mean of both; None where either is.
        support: images of this class.
    """

    name: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


@dataclass(frozen=True, eq=False)
class ClassifierScores:
    """The judgement of a classifier on one split.

    Args:
        class_names: of the C classes.
        confusion_CC: int (C, C): images of the row's class that were given the column's.
    """

    class_names: tuple[str, ...]
    confusion_CC: np.ndarray

    @property
    def num_images(self) -> int:
        """N."""
        return int(self.confusion_CC.sum())

    @property
    def accuracy(self) -> float:
        """Share of the images that were given their class."""
        return float(np.trace(self.confusion_CC) / self.num_images)

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall of the classes that have images."""
        return float(np.mean([c.recall for c in self.classes if c.recall is not None]))

    @property
    def majority_share(self) -> float:
        """Accuracy of giving every image the commonest class: what must be beaten."""
        return float(self.confusion_CC.sum(axis=1).max() / self.num_images)

    @property
    def classes(self) -> list[ClassScore]:
        """The scores of each class, in order."""
        return [self._score(index) for index in range(len(self.class_names))]

    def _score(self, index: int) -> ClassScore:
        hits = int(self.confusion_CC[index, index])
        support, given = (int(self.confusion_CC.sum(axis=axis)[index]) for axis in (1, 0))
        return ClassScore(
            self.class_names[index],
            precision=hits / given if given else None,
            recall=hits / support if support else None,
            f1=2 * hits / (support + given) if support and given else None,
            support=support,
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the content of `scores.json`."""
        return {
            "num_images": self.num_images,
            "accuracy": self.accuracy,
            "balanced_accuracy": self.balanced_accuracy,
            "majority_share": self.majority_share,
            "classes": [vars(score) for score in self.classes],
            "confusion": {
                "rows": "true class",
                "columns": "given class",
                "counts": self.confusion_CC.tolist(),
            },
        }


def count_confusion(labels_N: np.ndarray, found_N: np.ndarray, num_classes: int) -> np.ndarray:
    """Returns how often each class (row) was given each class (column), int (C, C)."""
    confusion_CC = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(confusion_CC, (labels_N, found_N), 1)
    return confusion_CC


def format_scores(scores: ClassifierScores) -> str:
    """Returns scores as text: a line a class, then the confusion matrix where it is not wide."""
    lines = [
        f"accuracy {scores.accuracy:.1%} of {scores.num_images:,} dev images, "
        f"balanced {scores.balanced_accuracy:.1%} "
        f"(the commonest class for all: {scores.majority_share:.1%})",
        "",
        *_format_table(
            [["class", "precision", "recall", "F1", "images"]]
            + [
                [
                    _cut(c.name),
                    *(_percent(v) for v in (c.precision, c.recall, c.f1)),
                    str(c.support),
                ]
                for c in scores.classes
            ]
        ),
    ]
    if len(scores.class_names) <= _MOST_COLUMNS:
        lines += ["", "true class (row), given class (column)", "", *_format_confusion(scores)]
    return "\n".join(lines) + "\n"


def _format_confusion(scores: ClassifierScores) -> list[str]:
    numbers = [str(number) for number in range(1, len(scores.class_names) + 1)]
    rows = [
        [f"{number} {_cut(name)}", *(str(count) if count else "." for count in counts)]
        for number, name, counts in zip(
            numbers, scores.class_names, scores.confusion_CC.tolist(), strict=True
        )
    ]
    return _format_table([["", *numbers], *rows])


def _format_table(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        ).rstrip()
        for row in rows
    ]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}..."
