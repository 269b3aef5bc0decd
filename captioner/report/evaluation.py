"""An evaluation's folder: captions, scores and background, written once and read for reports."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from captioner.errors import ArtifactError
from captioner.files import parse_json, replace_file, write_json
from captioner.report.evaluation_schema import (
    Background,
    EvaluationScores,
    ImageRecord,
    check,
)

if TYPE_CHECKING:
    from captioner.report.looks import Looks

CAPTIONS, SCORES, BACKGROUND = "captions.jsonl", "scores.json", "background.json"
REPORT = "report.html"


@dataclass(frozen=True, slots=True)
class ScoredImage:
    """One image, what the model said of it and what people said.

    Args:
        image_id: unique within the data set.
        path: where the photograph was when it was captioned; it may have gone.
        caption: the model's best caption; may be empty.
        log_prob: the logarithm of its probability, in nats.
        others: the captions that came next, each with its log-probability.
        references: captions as people wrote them.
        cider: CIDEr-D of the caption, 0 to 10.
    """

    image_id: str
    path: Path
    caption: str
    log_prob: float
    others: tuple[tuple[str, float], ...]
    references: tuple[str, ...]
    cider: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One evaluation, read from its folder.

    Args:
        images: all images that were scored, in the data set's order.
        scores: the content of `scores.json`.
        background: the content of `background.json`, see `captioner.report.background`.
        looks: where the model looked for the words of each image's caption, in the order of
            `images`; None where it cannot say.
    """

    images: tuple[ScoredImage, ...]
    scores: Mapping[str, Any]
    background: Mapping[str, Any]
    looks: "Looks | None" = None


def write_evaluation(
    folder: Path,
    images: Sequence[ScoredImage],
    scores: Mapping[str, Any],
    background: Mapping[str, Any],
    looks: "Looks | None" = None,
) -> None:
    """Writes what `read_evaluation` reads.

    Photographs are named relative to the folder that holds them all, and only the background
    knows where on this machine that is.
    """
    photographs = _find_common_folder(image.path for image in images)
    with replace_file(folder / CAPTIONS, "w", newline="\n") as file:
        for image in images:
            record = _describe_image(image, photographs)
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
    write_json(folder / SCORES, scores)
    if looks is not None:
        from captioner.report.looks import LOOKS, write_looks

        write_looks(folder / LOOKS, looks)
    ground = None if looks is None else asdict(looks.ground)
    told = {**background, "photographs": str(photographs), "ground": ground}
    write_json(folder / BACKGROUND, told)


def read_evaluation(folder: Path, photographs: Path | None = None) -> Evaluation:
    """Reads what stage evaluate left in a folder.

    Args:
        folder: holds `captions.jsonl`, `scores.json` and `background.json`, and `looks.npz` of a
            model that attends.
        photographs: the folder to look for the photographs in; None: where they were.

    Raises:
        ArtifactError: a file is missing or damaged; the message says how to make it again.
    """
    try:
        background = _read_json(folder / BACKGROUND, Background)
        scores = _read_json(folder / SCORES, EvaluationScores)
        root = Path(background["photographs"]) if photographs is None else photographs
        with (folder / CAPTIONS).open(encoding="utf-8") as lines:
            images = tuple(_read_image(line, number, root) for number, line in enumerate(lines, 1))
        looks = _read_looks(folder, background, len(images))
    except FileNotFoundError as error:
        raise ArtifactError(
            f"{error.filename} is missing, so there is nothing to report. "
            "`captioner run PIPELINE --stage evaluate` makes it."
        ) from error
    except ValueError as error:
        raise ArtifactError(
            f"What lies in {folder} is damaged or not an evaluation: {error}. "
            "`captioner run PIPELINE --stage evaluate --force` makes it again."
        ) from error
    return Evaluation(images, scores, background, looks)


def _describe_image(image: ScoredImage, photographs: Path) -> dict[str, Any]:
    absolute = Path(os.path.abspath(image.path))
    is_below = absolute.is_relative_to(photographs)  # not so on another drive of Windows
    return {
        "image_id": image.image_id,
        "file": (absolute.relative_to(photographs) if is_below else absolute).as_posix(),
        "caption": image.caption,
        "log_prob": round(image.log_prob, 4),
        "cider": round(image.cider, 4),
        "others": [
            {"caption": caption, "log_prob": round(log_prob, 4)}
            for caption, log_prob in image.others
        ],
        "references": list(image.references),
    }


def _find_common_folder(paths: Iterable[Path]) -> Path:
    folders = sorted({os.path.abspath(path.parent) for path in paths})
    try:
        return Path(os.path.commonpath(folders))
    except ValueError:  # on several drives of Windows
        return Path(folders[0])


def _read_json(path: Path, schema: type[BaseModel]) -> Mapping[str, Any]:
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error
    return check(content, schema, path.name)


def _read_image(line: str, number: int, root: Path) -> ScoredImage:
    record = check(parse_json(line), ImageRecord, f"{CAPTIONS}:{number}")
    return ScoredImage(
        image_id=record["image_id"],
        path=root / record["file"],
        caption=record["caption"],
        log_prob=record["log_prob"],
        others=tuple((other["caption"], other["log_prob"]) for other in record["others"]),
        references=tuple(record["references"]),
        cider=record["cider"],
    )


def _read_looks(folder: Path, background: Mapping[str, Any], num_images: int) -> "Looks | None":
    ground = background.get("ground")  # evaluations of earlier versions have none
    if ground is None:
        return None
    from captioner.report.looks import LOOKS, Ground, read_looks

    looks = read_looks(folder / LOOKS, Ground(**ground))
    if len(looks.of_image) != num_images:
        raise ValueError(
            f"{LOOKS} is of {len(looks.of_image)} images and {CAPTIONS} of {num_images}"
        )
    return looks
