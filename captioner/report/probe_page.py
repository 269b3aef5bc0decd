"""What encoders' features know of caption words as a page: what `captioner probe --html` writes."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from captioner.files import write_text
from captioner.report.comparison_chart import chart_words
from captioner.report.page import render
from captioner.report.probe_table import READABLE, compare_encoders

_NUM_WORDS = 24  # named as known best and worst


def write_probe(path: Path, probe: Mapping[str, Any]) -> None:
    """Writes a probe as one HTML file that needs no other.

    Args:
        path: the file to make or replace.
        probe: the content of the JSON object that `captioner probe --json` prints.

    Raises:
        OSError: the file cannot be written.
    """
    encoders = probe["encoders"]
    write_text(
        path,
        render(
            "probe.html",
            probe=probe,
            encoders=encoders,
            readable=READABLE,
            num_known={own["name"]: _count_known(own) for own in encoders},
            extremes={own["name"]: _list_extremes(own) for own in encoders},
            leads=[compare_encoders(*pair) for pair in itertools.pairwise(encoders)],
            warnings=[
                f"{own['name']}: {warning}"
                for own in encoders
                for warning in own["health"]["warnings"]
            ],
            chart=chart_words(encoders),
        ),
    )


def _count_known(encoder: Mapping[str, Any]) -> int:
    return sum(area >= READABLE for area in encoder["words"].values())


def _list_extremes(encoder: Mapping[str, Any]) -> dict[str, list[tuple[str, float]]]:
    """Returns the words known best and worst; none where all features are the same."""
    if encoder["health"]["num_constant"] == encoder["health"]["width"]:
        return {}
    words = list(encoder["words"].items())
    worst = words[: -_NUM_WORDS - 1 : -1]
    return {"best": words[:_NUM_WORDS], "worst": worst}
