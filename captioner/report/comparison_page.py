"""Several systems side by side as a page to look at: what `captioner compare --html` writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captioner.errors import ImageError
from captioner.files import write_text
from captioner.report.comparison_chart import chart_systems
from captioner.report.comparison_table import describe_value, letters
from captioner.report.page import render
from captioner.report.score_table import COLUMNS
from captioner.report.thumbnail import QUALITIES, Thumbnail, make_thumbnail

_THUMBNAIL_BYTES = 13_000  # a thousand photographs stay below 15 MB


@dataclass(frozen=True, slots=True)
class ExampleCard:
    """One image on which systems differ.

    Args:
        image_id: of the image.
        thumbnail: the photograph, or None where it cannot be shown.
        missing: then, why, in words.
        said: letter, caption and CIDEr of each system, the highest first.
        references: what people wrote.
    """

    image_id: str
    thumbnail: Thumbnail | None
    missing: str
    said: tuple[tuple[str, str, float], ...]
    references: tuple[str, ...]


def write_comparison(
    path: Path, comparison: Mapping[str, Any], photographs: Mapping[str, Path]
) -> None:
    """Writes a comparison as one HTML file that needs no other.

    Args:
        path: the file to make or replace.
        comparison: the content of the JSON object that `captioner compare --json` prints.
        photographs: image id -> where its photograph is; those not among them are not shown.

    Raises:
        OSError: the file cannot be written.
    """
    systems = comparison["systems"]
    names = letters(len(systems))
    write_text(
        path,
        render(
            "comparison.html",
            systems=list(zip(names, systems, strict=True)),
            columns=COLUMNS,
            settings={
                name: [describe_value(value) for value in values]
                for name, values in comparison["differing_settings"].items()
            },
            warnings=comparison["warnings"],
            cards=_make_cards(comparison, names, photographs),
            chart=chart_systems(names, [system["scores"] for system in systems]),
        ),
    )


def _make_cards(
    comparison: Mapping[str, Any], names: Sequence[str], photographs: Mapping[str, Path]
) -> list[ExampleCard]:
    paired = [names[place] for place in comparison["paired"]]
    return [_make_card(example, paired, photographs) for example in comparison["examples"]]


def _make_card(
    example: Mapping[str, Any], paired: Sequence[str], photographs: Mapping[str, Path]
) -> ExampleCard:
    thumbnail, missing = _try_thumbnail(photographs.get(example["image_id"]))
    said = zip(paired, example["captions"], example["cider"], strict=True)
    return ExampleCard(
        image_id=example["image_id"],
        thumbnail=thumbnail,
        missing=missing,
        said=tuple(sorted(said, key=lambda own: -own[2])),
        references=tuple(example["references"]),
    )


def _try_thumbnail(path: Path | None) -> tuple[Thumbnail | None, str]:
    if path is None or not path.exists():
        return None, "This photograph is not where it was, or was never known."
    try:
        return make_thumbnail(path, QUALITIES, max_bytes=_THUMBNAIL_BYTES), ""
    except ImageError as error:
        return None, f"This photograph {error.cause}."
