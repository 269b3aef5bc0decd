"""A pen that draws smooth shapes on a square tile, whatever the tile's size in pixels."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

RGB = tuple[int, int, int]
Point = tuple[float, float]

_SUPERSAMPLING = 2  # strokes per pixel in each direction, averaged for smooth edges
INK: RGB = (38, 34, 42)
CREAM: RGB = (250, 244, 226)


class Pen:
    """Draws on a transparent tile whose corners are (0, 0) and (100, 100), y downwards.

    Args:
        pixels: width and height of the finished tile.
        colour: the colour of the object.
    """

    def __init__(self, pixels: int, colour: RGB) -> None:
        self._image = Image.new("RGBA", (pixels * _SUPERSAMPLING,) * 2, (*colour, 0))
        self._draw = ImageDraw.Draw(self._image)
        self._unit = pixels * _SUPERSAMPLING / 100
        self.colour = colour
        self.dark = mix(colour, INK, 0.38)
        self.light = mix(colour, (255, 255, 255), 0.45)
        self.trim = CREAM if min(colour) < 190 else self.dark  # stands out on any colour

    def ellipse(self, left: float, top: float, right: float, bottom: float, fill: RGB) -> None:
        """Fills the ellipse inside a box."""
        self._draw.ellipse(self._scale([(left, top), (right, bottom)]), fill=fill)

    def box(
        self, left: float, top: float, right: float, bottom: float, fill: RGB, radius: float = 0
    ) -> None:
        """Fills a rectangle with round corners."""
        box = self._scale([(left, top), (right, bottom)])
        self._draw.rounded_rectangle(box, radius * self._unit, fill=fill)

    def polygon(self, points: Sequence[Point], fill: RGB) -> None:
        """Fills a polygon."""
        self._draw.polygon(self._scale(points), fill=fill)

    def line(self, points: Sequence[Point], fill: RGB, width: float = 2) -> None:
        """Draws a line through points."""
        stroke = max(1, round(width * self._unit))
        self._draw.line(self._scale(points), fill=fill, width=stroke, joint="curve")

    def slice(
        self, box: tuple[float, float, float, float], start: float, end: float, fill: RGB
    ) -> None:
        """Fills a slice of an ellipse between two angles in degrees, clockwise from the right."""
        left, top, right, bottom = box
        self._draw.pieslice(self._scale([(left, top), (right, bottom)]), start, end, fill=fill)

    def arc(
        self,
        box: tuple[float, float, float, float],
        start: float,
        end: float,
        fill: RGB,
        width: float,
    ) -> None:
        """Draws a part of an ellipse's outline."""
        left, top, right, bottom = box
        stroke = max(1, round(width * self._unit))
        corners = self._scale([(left, top), (right, bottom)])
        self._draw.arc(corners, start, end, fill=fill, width=stroke)

    def finish(self) -> Image.Image:
        """Returns the tile, RGBA, at its final size."""
        return self._image.reduce(_SUPERSAMPLING)

    def _scale(self, points: Sequence[Point]) -> list[Point]:
        return [(x * self._unit, y * self._unit) for x, y in points]


def mix(colour: RGB, other: RGB, share: float) -> RGB:
    """Returns `colour` with a share (0 to 1) of `other`."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue
