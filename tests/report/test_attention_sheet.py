"""The contact sheet of a caption: light where the weights are, and nothing anywhere else."""

import numpy as np
import pytest
from PIL import Image

from captioner.report.attention_sheet import draw_sheet, light

WHOLE = (0.0, 0.0, 1.0, 1.0)
PHOTO = Image.new("RGB", (140, 70), "white")


def spot(row: int, column: int) -> np.ndarray:
    weights_HW = np.zeros((7, 7), np.float32)
    weights_HW[row, column] = 0.3
    return weights_HW


def brightness(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("L"), float)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (3, 3), (6, 2)])
def test_light_falls_where_the_weight_is(row, column):
    lit_HW = brightness(light(PHOTO, spot(row, column), WHOLE))
    brightest = np.unravel_index(lit_HW.argmax(), lit_HW.shape)
    assert brightest[0] // 10 == row
    assert brightest[1] // 20 == column
    assert lit_HW.max() > 240
    assert lit_HW.min() < 100


def test_a_photograph_that_was_cropped_is_dark_where_nobody_looked():
    lit_HW = brightness(light(PHOTO, np.ones((7, 7), np.float32), (0.25, 0.0, 0.75, 1.0)))
    assert lit_HW[:, 36:104].min() == 255
    assert max(lit_HW[:, :34].max(), lit_HW[:, 106:].max()) < 100


def test_weights_beyond_a_padded_photograph_are_not_shown():
    box = (0.0, -0.5, 1.0, 1.5)  # as tall as wide: 3.5 of 7 rows lie on the photograph
    assert brightness(light(PHOTO, spot(0, 3), box)).max() < 100
    lit_HW = brightness(light(PHOTO, spot(3, 0), box))
    assert np.unravel_index(lit_HW.argmax(), lit_HW.shape)[0] in range(25, 45)


def test_no_weight_at_all_is_all_dark_and_no_fault():
    for weights_HW in (np.zeros((7, 7), np.float32), np.full((7, 7), -0.1, np.float32)):
        assert np.ptp(brightness(light(PHOTO, weights_HW, WHOLE))) == 0


@pytest.mark.parametrize("size", [(140, 70), (50, 400), (3000, 20), (1, 1)])
def test_there_is_a_picture_for_the_photograph_and_each_word(size):
    words = ["a", "dog", "supercalifragilisticexpialidocious" * 3, "\N{HEBREW LETTER SHIN}"]
    weights_THW = np.stack([spot(0, 0), spot(1, 1), spot(2, 2), spot(3, 3)])
    sheet = draw_sheet(Image.new("RGB", size, "red"), words, weights_THW, WHOLE, "a note", side=80)
    red_HW = np.asarray(sheet)[..., 0].astype(int) - np.asarray(sheet)[..., 1] > 30
    areas = _count_areas(red_HW)
    assert areas == 5


def test_a_long_caption_makes_a_sheet_that_is_neither_strip_nor_tower():
    words = ["word"] * 30
    sheet = draw_sheet(PHOTO, words, np.stack([spot(0, 0)] * 30), WHOLE, "a note", side=80)
    assert 0.8 < sheet.width / sheet.height < 2.5


def _count_areas(is_red_HW: np.ndarray) -> int:
    """Counts rectangles that touch none of the others."""
    starts_HW = is_red_HW & ~np.roll(is_red_HW, 1, axis=0) & ~np.roll(is_red_HW, 1, axis=1)
    return int(starts_HW.sum())
