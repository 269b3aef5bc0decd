"""The sixteen kinds of object in the scenes, each drawn by one function on a square tile.

An object fills its tile from top to bottom, so that it stands where its tile ends.
"""

from collections.abc import Callable

from PIL import Image

from captioner.datasets.scenes.pen import CREAM, INK, RGB, Pen, mix

GLASS: RGB = (205, 232, 245)
WOOD: RGB = (139, 94, 60)
LEAF: RGB = (70, 140, 62)
LAMP: RGB = (255, 224, 110)
WHITE: RGB = (255, 255, 255)


def draw_object(kind: str, colour: RGB, pixels: int) -> Image.Image:
    """Draws one object.

    Args:
        kind: a key of `OBJECTS`.
        colour: its main colour.
        pixels: width and height of the tile.

    Returns:
        A square RGBA tile, transparent around the object.
    """
    pen = Pen(pixels, colour)
    OBJECTS[kind](pen)
    return pen.finish()


def _draw_ball(pen: Pen) -> None:
    pen.ellipse(3, 3, 97, 100, pen.dark)
    pen.ellipse(6, 6, 94, 97, pen.colour)
    pen.arc((-48, -10, 52, 110), -52, 52, pen.trim, 7)
    pen.arc((48, -10, 148, 110), 128, 232, pen.trim, 7)
    pen.ellipse(60, 16, 76, 32, pen.light)


def _draw_car(pen: Pen) -> None:
    pen.polygon([(22, 52), (34, 28), (68, 28), (84, 52)], pen.dark)
    pen.polygon([(28, 52), (38, 33), (50, 33), (50, 52)], GLASS)
    pen.polygon([(54, 52), (54, 33), (66, 33), (77, 52)], GLASS)
    pen.box(1, 50, 99, 84, pen.dark, 9)
    pen.box(3, 52, 97, 80, pen.colour, 8)
    pen.box(3, 64, 97, 68, pen.dark)
    pen.ellipse(90, 55, 98, 64, LAMP)
    for left in (12, 64):
        pen.ellipse(left, 72, left + 26, 100, INK)
        pen.ellipse(left + 7, 80, left + 19, 93, (190, 190, 195))


def _draw_bus(pen: Pen) -> None:
    pen.box(0, 10, 100, 90, pen.dark, 7)
    pen.box(2, 12, 98, 87, pen.colour, 6)
    for left in (7, 26, 45, 64):
        pen.box(left, 22, left + 15, 46, GLASS, 2)
    pen.box(83, 22, 97, 76, GLASS, 2)
    pen.box(2, 56, 80, 63, pen.trim)
    for left in (14, 62):
        pen.ellipse(left, 78, left + 22, 100, INK)
        pen.ellipse(left + 6, 84, left + 16, 94, (190, 190, 195))


def _draw_house(pen: Pen) -> None:
    pen.box(68, 8, 80, 40, WOOD)
    pen.box(12, 44, 88, 100, CREAM)
    pen.box(12, 44, 88, 50, (214, 205, 182))
    pen.polygon([(50, 4), (100, 50), (0, 50)], pen.dark)
    pen.polygon([(50, 9), (93, 48), (7, 48)], pen.colour)
    pen.box(42, 64, 60, 100, pen.dark)
    pen.ellipse(54, 80, 58, 85, LAMP)
    for left in (20, 67):
        pen.box(left, 60, left + 15, 78, pen.dark)
        pen.box(left + 2, 62, left + 13, 76, GLASS)


def _draw_boat(pen: Pen) -> None:
    pen.line([(48, 2), (48, 76)], WOOD, 4)
    pen.polygon([(52, 4), (92, 66), (52, 66)], CREAM)
    pen.polygon([(44, 12), (44, 66), (12, 66)], pen.light)
    pen.polygon([(0, 72), (100, 72), (82, 100), (16, 100)], pen.dark)
    pen.polygon([(4, 74), (96, 74), (80, 97), (18, 97)], pen.colour)
    pen.polygon([(9, 82), (91, 82), (88, 86), (12, 86)], pen.trim)


def _draw_balloon(pen: Pen) -> None:
    pen.line([(50, 68), (46, 80), (54, 90), (50, 100)], INK, 2)
    pen.ellipse(20, 0, 80, 68, pen.dark)
    pen.ellipse(22, 2, 78, 66, pen.colour)
    pen.polygon([(50, 64), (43, 75), (57, 75)], pen.dark)
    pen.ellipse(32, 10, 46, 30, pen.light)


def _draw_umbrella(pen: Pen) -> None:
    pen.line([(50, 2), (50, 88)], WOOD, 4)
    pen.arc((50, 78, 68, 100), 0, 180, WOOD, 4)
    pen.slice((0, 6, 100, 106), 180, 360, pen.dark)
    pen.slice((2, 8, 98, 104), 180, 360, pen.colour)
    pen.slice((34, 8, 66, 104), 180, 360, pen.light)
    for left in (0, 25, 50, 75):
        pen.slice((left, 50, left + 25, 64), 180, 360, pen.dark)


def _draw_cup(pen: Pen) -> None:
    pen.arc((60, 34, 98, 76), 0, 360, pen.dark, 8)
    for left in (28, 46):
        pen.arc((left, 0, left + 10, 14), 90, 270, (225, 225, 230), 3)
        pen.arc((left, 12, left + 10, 26), -90, 90, (225, 225, 230), 3)
    pen.box(6, 26, 76, 100, pen.dark, 12)
    pen.box(9, 30, 73, 97, pen.colour, 10)
    pen.ellipse(6, 20, 76, 38, pen.dark)
    pen.ellipse(11, 23, 71, 35, (92, 58, 36))
    pen.box(16, 44, 24, 86, pen.light, 4)


def _draw_chair(pen: Pen) -> None:
    for left in (14, 74):
        pen.box(left, 56, left + 9, 100, WOOD)
    for left in (24, 66):
        pen.box(left, 56, left + 7, 90, mix(WOOD, INK, 0.4))
    pen.box(14, 0, 83, 58, pen.dark, 8)
    pen.box(18, 4, 79, 54, pen.colour, 6)
    for left in (32, 46, 60):
        pen.box(left, 10, left + 5, 48, pen.dark, 2)
    pen.box(8, 54, 90, 68, pen.dark, 5)
    pen.box(10, 55, 88, 64, pen.colour, 4)


def _draw_fish(pen: Pen) -> None:
    pen.polygon([(74, 56), (100, 28), (94, 56), (100, 88)], pen.dark)
    pen.polygon([(34, 34), (54, 12), (66, 36)], pen.dark)
    pen.ellipse(0, 26, 82, 88, pen.dark)
    pen.ellipse(2, 28, 80, 86, pen.colour)
    pen.slice((14, 46, 66, 100), 20, 160, pen.light)
    for left in (30, 44, 58):
        pen.arc((left, 40, left + 16, 72), -80, 80, pen.dark, 3)
    pen.ellipse(10, 42, 25, 57, WHITE)
    pen.ellipse(13, 45, 21, 54, INK)


def _draw_flower(pen: Pen) -> None:
    pen.line([(50, 40), (50, 100)], LEAF, 5)
    pen.slice((50, 66, 88, 96), 150, 330, LEAF)
    pen.slice((12, 74, 50, 104), 210, 390, LEAF)
    petals = [(50, 14), (73, 26), (73, 50), (50, 62), (27, 50), (27, 26)]
    for x, y in petals:
        pen.ellipse(x - 15, y - 14, x + 15, y + 14, pen.dark)
    for x, y in petals:
        pen.ellipse(x - 13, y - 12, x + 13, y + 12, pen.colour)
    pen.ellipse(37, 26, 63, 50, LAMP)
    pen.ellipse(42, 31, 58, 45, (214, 150, 40))


def _draw_kite(pen: Pen) -> None:
    pen.line([(50, 72), (58, 82), (44, 90), (52, 100)], INK, 2)
    pen.polygon([(50, 0), (88, 30), (50, 76), (12, 30)], pen.dark)
    pen.polygon([(50, 4), (50, 30), (16, 30)], pen.colour)
    pen.polygon([(50, 4), (84, 30), (50, 30)], pen.light)
    pen.polygon([(16, 32), (48, 32), (48, 70)], pen.light)
    pen.polygon([(84, 32), (52, 32), (52, 70)], pen.colour)
    for x, y in ((56, 82), (46, 91)):
        pen.polygon([(x - 9, y - 5), (x, y), (x - 9, y + 5)], pen.colour)
        pen.polygon([(x + 9, y - 5), (x, y), (x + 9, y + 5)], pen.colour)


def _draw_butterfly(pen: Pen) -> None:
    for sign in (-1, 1):
        x = 50 + sign * 25
        pen.ellipse(x - 24, 8, x + 24, 58, pen.dark)
        pen.ellipse(x - 19, 13, x + 19, 53, pen.colour)
        pen.ellipse(x - 19, 50, x + 17, 94, pen.dark)
        pen.ellipse(x - 14, 54, x + 12, 89, pen.colour)
        pen.ellipse(x - 8, 24, x + 8, 42, pen.trim)
        pen.ellipse(x - 7, 64, x + 5, 78, pen.trim)
        pen.line([(50, 22), (50 + sign * 10, 3)], INK, 2)
    pen.ellipse(45, 18, 55, 88, INK)


def _draw_cat(pen: Pen) -> None:
    pen.arc((62, 34, 98, 96), -70, 120, pen.dark, 8)
    pen.ellipse(22, 46, 80, 102, pen.dark)
    pen.ellipse(24, 48, 78, 100, pen.colour)
    pen.ellipse(38, 62, 64, 100, pen.light)
    for points in ([(18, 36), (20, 0), (46, 18)], [(82, 36), (80, 0), (54, 18)]):
        pen.polygon(points, pen.dark)
    pen.ellipse(14, 10, 86, 64, pen.dark)
    pen.ellipse(16, 12, 84, 62, pen.colour)
    for left in (28, 58):
        pen.ellipse(left, 26, left + 14, 42, LAMP)
        pen.ellipse(left + 5, 27, left + 9, 41, INK)
    pen.polygon([(45, 44), (55, 44), (50, 50)], (240, 140, 150))
    for y in (46, 52):
        pen.line([(4, y - 2), (34, y)], INK, 1.5)
        pen.line([(66, y), (96, y - 2)], INK, 1.5)


def _draw_table(pen: Pen) -> None:
    for left in (8, 82):
        pen.box(left, 42, left + 10, 100, pen.dark)
    for left in (26, 66):
        pen.box(left, 42, left + 7, 86, mix(pen.dark, INK, 0.4))
    pen.box(0, 30, 100, 48, pen.dark, 4)
    pen.box(1, 31, 99, 42, pen.colour, 4)
    pen.box(4, 33, 96, 36, pen.light, 2)


def _draw_box(pen: Pen) -> None:
    pen.polygon([(2, 30), (20, 14), (98, 14), (80, 30)], pen.light)
    pen.polygon([(80, 30), (98, 14), (98, 84), (80, 100)], pen.dark)
    pen.box(2, 30, 80, 100, pen.colour)
    pen.box(34, 30, 48, 100, pen.trim)
    pen.polygon([(34, 30), (52, 14), (66, 14), (48, 30)], pen.trim)
    pen.line([(2, 30), (80, 30), (80, 100)], pen.dark, 2)


OBJECTS: dict[str, Callable[[Pen], None]] = {
    "ball": _draw_ball,
    "balloon": _draw_balloon,
    "boat": _draw_boat,
    "box": _draw_box,
    "bus": _draw_bus,
    "butterfly": _draw_butterfly,
    "car": _draw_car,
    "cat": _draw_cat,
    "chair": _draw_chair,
    "cup": _draw_cup,
    "fish": _draw_fish,
    "flower": _draw_flower,
    "house": _draw_house,
    "kite": _draw_kite,
    "table": _draw_table,
    "umbrella": _draw_umbrella,
}
