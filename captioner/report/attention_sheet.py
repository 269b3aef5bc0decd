"""A contact sheet of a caption: the photograph, then for each word what of it the word comes from.

As the figures of Show, Attend and Tell (Xu et al. 2015, arXiv:1502.03044): what a word does not
come from lies in the dark. Drawn with Pillow.

Dimension key: T words, H x W places.
"""

import functools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Box = tuple[float, float, float, float]

_PAPER, _INK, _QUIET = (255, 255, 255), (23, 27, 29), (84, 92, 96)
_NIGHT = (12, 14, 15)
_DIMMEST = 0.3  # of its light that the darkest place keeps
_BILINEAR = Image.Resampling.BILINEAR
_DOUBLINGS = 4
_LIFT = 0.6  # exponent of the weights; below 1 it lifts the middling ones out of the dark
_MARGIN, _GAP, _TITLE_HEIGHT = 40, 24, 40  # pixels
_TITLE_SIZE, _CAPTION_SIZE, _NOTE_SIZE = 24, 34, 20
_SHAPE = 1.5  # width over height that a sheet comes near to
_MIN_COLUMNS = 2


def draw_sheet(
    photo: Image.Image,
    words: Sequence[str],
    weights_THW: np.ndarray,
    box: Box,
    note: str,
    *,
    side: int = 360,
) -> Image.Image:
    """Draws the photograph and one picture a word.

    Args:
        photo: upright, RGB.
        words: T words, 1 or more.
        weights_THW: float (T, H, W), 0 or more where a word comes from.
        box: the part of the photograph that they cover, see `light`.
        note: a line below the caption.
        side: the longer side of each picture, in pixels.

    Returns:
        The sheet, RGB; its caption stands on top.
    """
    small = _fit(photo, side)
    lit = [light(small, weights_HW, box) for weights_HW in weights_THW]
    pictures = [("the photograph", small), *zip(words, lit, strict=True)]
    columns = _choose_columns(len(pictures), small.size)
    width = columns * (small.width + _GAP) - _GAP
    heading = _Heading(" ".join(words), note, width)
    rows = math.ceil(len(pictures) / columns)
    pitch = small.height + _TITLE_HEIGHT + _GAP
    size = width + 2 * _MARGIN, heading.height + rows * pitch - _GAP + 2 * _MARGIN
    sheet = Image.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(sheet)
    heading.draw(pen)
    for place, (title, picture) in enumerate(pictures):
        row, column = divmod(place, columns)
        left = _MARGIN + column * (small.width + _GAP)
        top = _MARGIN + heading.height + row * pitch
        _write_title(pen, (left, top), title, small.width, _INK if place else _QUIET)
        sheet.paste(picture, (left, top + _TITLE_HEIGHT))
    return sheet


def light(photo: Image.Image, weights_HW: np.ndarray, box: Box) -> Image.Image:
    """Returns a photograph in which the strongest place keeps its light and the others dim.

    Args:
        photo: RGB.
        weights_HW: float (H, W); what is below 0 counts as 0.
        box: (left, top, right, bottom) of the part that they cover, as shares of the photograph's
            sides; what lies outside is dark, and beyond the photograph nothing is shown.
    """
    left, right = (round(share * photo.width) for share in box[::2])
    top, bottom = (round(share * photo.height) for share in box[1::2])
    mask = Image.new("F", photo.size, 0.0)
    mask.paste(_smooth(weights_HW).resize((right - left, bottom - top), _BILINEAR), (left, top))
    kept_HW = _DIMMEST + (1 - _DIMMEST) * np.asarray(mask)
    bytes_ = Image.fromarray((255 * kept_HW).astype(np.uint8))
    return Image.composite(photo, Image.new("RGB", photo.size, _NIGHT), bytes_)


def _smooth(weights_HW: np.ndarray) -> Image.Image:
    """Returns the light of each place, 0 to 1, on a grid several times as fine."""
    light_HW = (np.clip(weights_HW, 0, None) / _peak(weights_HW)) ** _LIFT
    image = Image.fromarray(light_HW.astype(np.float32))
    for _ in range(_DOUBLINGS):  # each smooths the last, and none goes below 0 as bicubic would
        image = image.resize((2 * image.width, 2 * image.height), _BILINEAR)
    smooth_HW = np.asarray(image)
    return Image.fromarray(smooth_HW / _peak(smooth_HW))


def _peak(values_HW: np.ndarray) -> float:
    return max(float(values_HW.max()), 1e-9)


class _Heading:
    """The caption in as many lines as it takes, and a note below."""

    def __init__(self, caption: str, note: str, width: int) -> None:
        self._lines = _wrap(caption, _font(_CAPTION_SIZE), width)
        self._notes = _wrap(note, _font(_NOTE_SIZE), width)
        self._line_height, self._note_height = round(1.3 * _CAPTION_SIZE), round(1.4 * _NOTE_SIZE)
        text = len(self._lines) * self._line_height + len(self._notes) * self._note_height
        self.height = text + _GAP

    def draw(self, pen: ImageDraw.ImageDraw) -> None:
        top = _MARGIN
        for line in self._lines:
            pen.text((_MARGIN, top), line, _INK, _font(_CAPTION_SIZE))
            top += self._line_height
        for line in self._notes:
            pen.text((_MARGIN, top), line, _QUIET, _font(_NOTE_SIZE))
            top += self._note_height


def _fit(photo: Image.Image, side: int) -> Image.Image:
    """Brings the longer side to `side`, the shorter to a share that can still be seen."""
    scale = side / max(photo.size)
    width, height = (max(side // 8, round(scale * own)) for own in photo.size)
    return photo.resize((width, height), Image.Resampling.LANCZOS)


def _choose_columns(count: int, size: tuple[int, int]) -> int:
    def distance(columns: int) -> float:
        rows = math.ceil(count / columns)
        shape = columns * (size[0] + _GAP) / (rows * (size[1] + _TITLE_HEIGHT + _GAP))
        num_empty = rows * columns - count
        return abs(math.log(shape / _SHAPE)) + num_empty / count

    return min(range(min(_MIN_COLUMNS, count), count + 1), key=distance)


def _write_title(
    pen: ImageDraw.ImageDraw, place: tuple[int, int], text: str, width: int, colour: tuple[int, ...]
) -> None:
    font = _font(_TITLE_SIZE)
    if font.getlength(text) > width:
        while text and font.getlength(text + "\N{HORIZONTAL ELLIPSIS}") > width:
            text = text[:-1]
        text += "\N{HORIZONTAL ELLIPSIS}"
    pen.text(place, text, colour, font)


def _wrap(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib and knows most alphabets."""
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(folder / "DejaVuSans.ttf", size)
