"""Finished evaluations, found by a pipeline's name, a folder or a file, and read back."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captioner.config import list_pipelines
from captioner.errors import ArtifactError, ScoreError, UsageError
from captioner.files import parse_json
from captioner.metrics.captions_file import read_captions_file
from captioner.metrics.comparison import System
from captioner.metrics.scores import Scores
from captioner.metrics.signature import Origin
from captioner.names import nearest
from captioner.pipeline.artifacts import POINTERS, read_artifact
from captioner.pipeline.current import find_current, list_current
from captioner.report.evaluation import CAPTIONS, SCORES, read_evaluation
from captioner.report.evaluation_schema import CocoScores, ReferredCaption, check

STAGE = "evaluate"
References = dict[str, tuple[str, ...]]

# the parts of a signature that decide a score, beside the captions
_RECIPE = ("protocol", "references", "digest", "tokeniser", "case", "specials", "closest", "smooth")
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Evaluation:
    """One system's captions with what is known of how they were made.

    Args:
        path: the file of captions.
        system: its captions and references, under the name that the user gave.
        configuration: what decided the captions, as the artifact's manifest tells it; empty
            where there is no manifest.
        stored: the scores under the coco protocol as `scores.json` has them; empty where there
            is no such file.
    """

    path: Path
    system: System
    configuration: Mapping[str, Any]
    stored: Mapping[str, Any]


def read_evaluations(names: Sequence[str], artifacts: Path) -> list[Evaluation]:
    """Reads several evaluations.

    A file of captions without references, as another program makes it, is measured against the
    references of the first evaluation that has any.

    Args:
        names: pipelines that were evaluated, artifact folders or files of captions.
        artifacts: where pipelines keep their results.

    Raises:
        UsageError: there is no such evaluation; the message says what there is.
        ScoreError: a file of captions is damaged, or none of them has references.
    """
    paths = [find_captions(name, artifacts) for name in names]
    own = [_read_references(path) for path in paths]
    lent = next((references for references in own if references), None)
    if lent is None:
        raise ScoreError(
            f"None of {', '.join(map(str, paths))} holds references, so there is nothing to score "
            f"against. Name at least one evaluated pipeline, or a {CAPTIONS} made by captioner."
        )
    return [
        _read_evaluation(name, path, references if references else lent)
        for name, path, references in zip(names, paths, own, strict=True)
    ]


def find_captions(name: str, artifacts: Path) -> Path:
    """Returns the file of captions that a name stands for; a pipeline may be named by its file.

    Raises:
        UsageError: there is none.
    """
    if name.endswith(".toml"):
        name = Path(name).stem
    elif Path(name).is_file():
        return Path(name)
    for folder in (Path(name), artifacts / name):
        for candidate in (folder, find_current(folder, STAGE)):
            if candidate is not None and (candidate / CAPTIONS).is_file():
                return candidate / CAPTIONS
    raise UsageError(_explain_absence(name, artifacts))


def find_photographs(evaluations: Sequence[Evaluation]) -> dict[str, Path]:
    """Returns image id -> photograph, of all evaluations that know where theirs are."""
    found: dict[str, Path] = {}
    for evaluation in evaluations:
        folder = evaluation.path.parent
        with contextlib.suppress(ArtifactError):  # a file of captions alone
            images = read_evaluation(folder).images
            found |= {i.image_id: i.path for i in images if i.image_id not in found}
    return found


def differing_settings(evaluations: Sequence[Evaluation]) -> dict[str, list[Any]]:
    """Returns the settings that are not the same everywhere: name -> value in each evaluation.

    Evaluations without a configuration have None throughout and are not asked.
    """
    known = [own.configuration for own in evaluations if own.configuration]
    names = dict.fromkeys(name for configuration in known for name in configuration)
    return {
        name: [own.configuration.get(name) for own in evaluations]
        for name in names
        if any(configuration.get(name) != known[0].get(name) for configuration in known)
    }


def check_stored(evaluation: Evaluation, scores: Scores) -> str | None:
    """Says in words how an evaluation's `scores.json` departs from its captions scored anew.

    Returns:
        None if it does not, or if there is no `scores.json`.
    """
    if not evaluation.stored:
        return None
    name, before, now = evaluation.system.name, evaluation.stored, scores.signature.to_json()
    changed = [key for key in _RECIPE if before["signature"].get(key) != now[key]]
    if changed:
        pairs = ", ".join(f"{k} {before['signature'].get(k)!r}, now {now[k]!r}" for k in changed)
        return (
            f"{name}: its {SCORES} was made under another signature ({pairs}). The scores shown "
            f"here were made anew from its captions; do not mix them with those of its {SCORES}."
        )
    if any(abs(before.get(k, v) - v) > _TOLERANCE for k, v in scores.values.items()):
        return (
            f"{name}: its captions do not give the scores in its {SCORES} (BLEU-4 "
            f"{100 * before['bleu_4']:.2f} there, {100 * scores.bleu[-1]:.2f} anew): one of the "
            "two files was changed afterwards. Evaluate it again."
        )
    return None


def _read_evaluation(name: str, path: Path, references: References) -> Evaluation:
    captions = read_captions_file(path, list(references))
    captioned = {key: texts for key, texts in references.items() if key in captions}
    stored = _read_stored_scores(path.parent) if path.name == CAPTIONS else {}
    origin = stored.get("signature", {}).get("origin", {})
    configuration = _read_configuration(path.parent) if path.name == CAPTIONS else {}
    system = System(name.rstrip("/"), captions, captioned, Origin(**origin))
    return Evaluation(path, system, configuration, stored)


def _read_references(path: Path) -> References | None:
    """Returns the references beside the captions; None where the file has captions alone."""
    if path.suffix != ".jsonl":
        return None
    records = _read_records(path)
    if not any(isinstance(record, dict) and "references" in record for record in records.values()):
        return None
    try:
        checked = [
            check(record, ReferredCaption, f"{path}:{number}") for number, record in records.items()
        ]
    except ValueError as error:
        raise ScoreError(
            f"{error}. Some lines have references, so each needs image_id, caption and a list "
            "of references, as captioner writes them."
        ) from error
    return {str(record["image_id"]): tuple(record["references"]) for record in checked}


def _read_records(path: Path) -> dict[int, Any]:
    """Returns what each line holds, by the number of the line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ScoreError(f"{path}: the captions cannot be read: {error}.") from error
    records = {}
    for number, line in enumerate(lines, 1):
        try:
            if line.strip():
                records[number] = parse_json(line)
        except ValueError as error:
            raise ScoreError(f"{path}:{number}: this line is no JSON: {error}.") from error
    return records


def _read_stored_scores(folder: Path) -> dict[str, Any]:
    try:
        stored = parse_json((folder / SCORES).read_text(encoding="utf-8"))["model"]["coco"]
        check(stored, CocoScores, SCORES)
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return dict(stored)


def _read_configuration(folder: Path) -> dict[str, Any]:
    try:
        return dict(read_artifact(STAGE, folder).manifest["inputs"])
    except ArtifactError:
        return {}


def _explain_absence(name: str, artifacts: Path) -> str:
    known, shipped = list_current(artifacts, STAGE), [path.stem for path in list_pipelines()]
    listed = f"Evaluated in {artifacts}: {', '.join(known) if known else 'nothing yet'}."
    if name in shipped or (artifacts / name / POINTERS).is_file():
        return f"Pipeline '{name}' has not been evaluated: captioner run {name}\n{listed}"
    return (
        f"There is no evaluation {name!r}: no evaluated pipeline, no folder with {CAPTIONS} and no "
        f"file of captions. {listed}{nearest(name, known)}"
    )
