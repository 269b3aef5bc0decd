"""Folders of small pictures, and a model that needs no network."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _own_state_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    """Journals of tests stay out of the user's own state folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six pictures in a folder and a sub-folder, one hidden file, one text."""
    folder = tmp_path / "photos"
    (folder / "trips").mkdir(parents=True)
    for number, name in enumerate(
        ["a.png", "b.JPG", "c.webp", "d.png", "trips/e.png", "trips/f.jpeg"]
    ):
        Image.new("RGB", (12, 8), (40 * number, 10, 200)).save(folder / name, quality=95)
    Image.new("RGB", (4, 4)).save(folder / ".hidden.png")
    (folder / "notes.md").write_text("no picture")
    return folder


@pytest.fixture
def draw(tmp_path: Path) -> Callable[..., Path]:
    """Draws a picture of one colour into the test's folder."""

    def draw_picture(name: str, colour: object = "navy", size: tuple[int, int] = (12, 8)) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, colour).save(path)  # type: ignore[arg-type]
        return path

    return draw_picture
