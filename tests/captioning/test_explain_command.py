"""captioner explain, from the command line down."""

import numpy as np
import pytest
from PIL import Image
from random_model import make_model

from captioner.cli.app import run_command_line


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    noise_HWC = np.random.default_rng(0).integers(0, 256, (30, 60, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    Image.fromarray(noise_HWC).save("photo.jpg", exif=exif)
    (tmp_path / "torn.jpg").write_bytes(b"")

    def run(*arguments):
        code = run_command_line(["explain", *arguments])
        return code, *capsys.readouterr()

    return run


def test_a_photograph_is_drawn_upright_word_by_word(call, tmp_path):
    make_model(tmp_path / "model", kind="attention")
    code, out, _ = call("photo.jpg", "--model", "model", "--beam", "1")
    assert code == 0
    name, _, caption = out.strip().partition(": ")
    assert name == "explanation.png"
    with Image.open(tmp_path / name) as sheet:
        assert sheet.format == "PNG"
        num_pictures = len(caption.split()) + 1
        upright = 180 + 24, 360 + 24  # of one picture with its gap, at the least
        assert sheet.width * sheet.height > num_pictures * upright[0] * upright[1]
        assert sheet.width < num_pictures * upright[0] + 80


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("gone.jpg",), 1, "gone.jpg: cannot be read: No such file or directory"),
        (("torn.jpg",), 1, "torn.jpg: is empty"),
        ((".",), 1, "is a folder"),
        (("photo.jpg", "-o", "photo.jpg"), 2, "photo.jpg is the photograph itself"),
        (("photo.jpg", "-o", "words.pdf"), 2, "Known: .png, .jpg, .jpeg, .webp"),
        (("photo.jpg", "-o", "no/words.png"), 2, "there is no folder no"),
        (("photo.jpg", "--background", "whit"), 2, "--background takes a colour"),
        (("photo.jpg", "--model", "nothing"), 2, "There is no trained model at 'nothing'"),
        ((), 2, "Missing argument 'PHOTO'"),
    ],
)
def test_slips_are_told_before_anything_is_computed(call, tmp_path, arguments, code, message):
    found, out, err = call(*arguments)
    assert (found, out) == (code, "")
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "explanation.png").exists()
