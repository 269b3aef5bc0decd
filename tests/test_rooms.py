"""The rooms of the house and the one way that imports point.

cli -> stages, captioning, report -> pipeline, decoders, ..., images -> config, errors, files, ...
"""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "captioner"
FLOORS = [
    {"errors", "files", "guarded_pickle", "names", "overlap", "packing", "pixel_room"}
    | {"processor", "progress"},
    {"backbone_names", "checkpoint", "config", "config_faults", "feature_kinds", "history"}
    | {"resizing"}
    | {"settings", "settings_faults"},
    {"pipeline", "decoders", "decoding", "backbones", "features", "datasets", "metrics", "text"}
    | {"images", "classifiers"},
    {"stages", "captioning", "doctor", "probing", "report", "serving"},
    {"cli"},
]
# rooms of one floor that may know each other, because one is made of the other
NEIGHBOURS = {
    ("config", "config_faults"),
    ("config", "settings"),
    ("config", "settings_faults"),
    ("settings", "backbone_names"),
    ("settings", "feature_kinds"),
    ("settings_faults", "settings"),
    ("text", "datasets"),
    ("features", "images"),
    ("backbones", "images"),
    ("decoders", "decoding"),
    ("decoders", "features"),
    ("decoders", "text"),
    ("metrics", "text"),
    ("classifiers", "backbones"),
    ("classifiers", "datasets"),
    ("classifiers", "features"),
    ("classifiers", "images"),
    ("captioning", "report"),
    ("captioning", "stages"),
    ("doctor", "stages"),
    ("stages", "report"),
    ("serving", "captioning"),
    ("serving", "report"),
}
ENTRANCES = {"__init__", "__main__"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(module: str) -> str:
    return module.removeprefix("captioner.").split(".")[0]


def floor_of(room: str) -> int:
    return next(level for level, rooms in enumerate(FLOORS) if room in rooms)


def imported_rooms(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [
        name
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom) and node.module
            else []
        )
    ]
    return {room_of(name) for name in names if name.startswith("captioner.")}


def test_there_are_modules_to_look_at():
    assert len(MODULES) > 30


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_one_way(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if room in ENTRANCES:
        return
    for other in imported_rooms(path) - {room}:
        downwards = floor_of(other) < floor_of(room)
        assert downwards or (room, other) in NEIGHBOURS, f"{room} must not import {other}"


def test_pipeline_has_no_words_and_no_pictures():
    for path in (PACKAGE / "pipeline").glob("*.py"):
        assert imported_rooms(path) <= {"pipeline", "errors", "files"}, path


def test_stages_know_no_cache():
    for path in (PACKAGE / "stages").glob("*.py"):
        if path.stem != "chain":  # which hands the stages to the runner
            text = path.read_text(encoding="utf-8")
            assert "ArtifactStore" not in text, path
