"""The eight places where scenes happen: gradients and textures, painted once and cropped often."""

import random
from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from captioner.datasets.scenes.pen import RGB

CANVAS = 224  # pixels, the side of a scene
GROUND = 0.56  # of the height, where the ground begins
_MARGIN = 32  # pixels around a painting, for the crop to move in
_PAINTINGS = 16  # of each place

_SKY: tuple[RGB, RGB] = ((112, 176, 232), (214, 236, 250))


def crop_background(place: str, chance: random.Random) -> Image.Image:
    """Returns one view of a place.

    Args:
        place: a key of `PLACES`.
        chance: decides the painting, the crop, and whether it is mirrored.

    Returns:
        An RGB image of `CANVAS` x `CANVAS` pixels, free to be drawn on.
    """
    painting = _paint(place, chance.randrange(_PAINTINGS))
    left = chance.randrange(_MARGIN)
    top = chance.randrange(_MARGIN // 2)
    view = painting.crop((left, top, left + CANVAS, top + CANVAS))
    return view.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if chance.random() < 0.5 else view


@cache
def _paint(place: str, number: int) -> Image.Image:
    side = CANVAS + _MARGIN
    chance = random.Random(f"{place}:{number}")
    noise = np.random.default_rng(list(f"{place}:{number}".encode()))
    return PLACES[place](side, chance, noise)


Painter = Callable[[int, random.Random, np.random.Generator], Image.Image]


def _paint_meadow(side: int, chance: random.Random, noise: np.random.Generator) -> Image.Image:
    image = _two_halves(side, _SKY, ((126, 182, 84), (66, 132, 50)), noise, 9)
    draw = ImageDraw.Draw(image)
    _add_clouds(image, chance)
    for _ in range(420):
        x, y = chance.randrange(side), chance.randrange(round(side * GROUND), side)
        shade = chance.randrange(-22, 22)
        draw.line(
            [(x, y), (x + chance.randrange(-3, 4), y - 7)], fill=(70 + shade, 140 + shade, 50)
        )
    return image


def _paint_beach(side: int, chance: random.Random, noise: np.random.Generator) -> Image.Image:
    image = _two_halves(side, _SKY, ((240, 220, 170), (222, 192, 132)), noise, 11)
    draw = ImageDraw.Draw(image)
    shore = round(side * GROUND)
    draw.rectangle((0, shore - 34, side, shore), fill=(44, 140, 190))
    for x in range(-10, side, 22):
        draw.ellipse((x, shore - 6, x + 34, shore + 6), fill=(248, 250, 250))
    _add_clouds(image, chance)
    return image


def _paint_snow(side: int, chance: random.Random, noise: np.random.Generator) -> Image.Image:
    image = _two_halves(side, ((158, 180, 206), (216, 226, 238)), ((250, 252, 255),) * 2, noise, 4)
    draw = ImageDraw.Draw(image)
    ground = round(side * GROUND)
    for _ in range(5):
        x = chance.randrange(side)
        draw.polygon([(x, ground - 46), (x - 17, ground), (x + 17, ground)], fill=(74, 106, 96))
        draw.polygon([(x, ground - 46), (x - 7, ground - 28), (x + 7, ground - 28)], fill="white")
    for _ in range(130):
        x, y = chance.randrange(side), chance.randrange(side)
        draw.ellipse((x, y, x + 3, y + 3), fill=(255, 255, 255))
    return image


def _paint_sea(side: int, chance: random.Random, noise: np.random.Generator) -> Image.Image:
    image = _two_halves(side, _SKY, ((58, 140, 196), (18, 76, 140)), noise, 5)
    draw = ImageDraw.Draw(image)
    _add_clouds(image, chance)
    for _ in range(70):
        x, y = chance.randrange(-20, side), chance.randrange(round(side * GROUND) + 4, side)
        draw.arc((x, y, x + 26, y + 9), 200, 340, fill=(176, 216, 238), width=2)
    return image


def _paint_night(side: int, chance: random.Random, noise: np.random.Generator) -> Image.Image:
    image = _two_halves(side, ((8, 10, 38), (36, 38, 84)), ((34, 40, 52), (20, 24, 34)), noise, 4)
    draw = ImageDraw.Draw(image)
    for _ in range(90):
        x, y = chance.randrange(side), chance.randrange(round(side * GROUND) - 8)
        radius = chance.choice((0.5, 1, 1, 1.5))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(250, 246, 214))
    x = chance.randrange(40, side - 60)
    draw.ellipse((x, 24, x + 30, 54), fill=(244, 238, 200))
    draw.ellipse((x + 9, 20, x + 36, 47), fill=(14, 16, 46))
    return image


def _paint_room(side: int, chance: random.Random, noise: np.random.Generator) -> Image.Image:
    wall: RGB = chance.choice(((226, 208, 186), (208, 196, 204), (216, 212, 192)))
    image = _two_halves(side, (wall, wall), ((176, 122, 76), (150, 98, 58)), noise, 5)
    draw = ImageDraw.Draw(image)
    ground = round(side * GROUND)
    for y in range(ground, side, 18):
        draw.line([(0, y), (side, y)], fill=(122, 78, 44), width=1)
        for x in range(chance.randrange(50), side, 58):
            draw.line([(x, y), (x, y + 18)], fill=(122, 78, 44), width=1)
    draw.rectangle((0, ground - 7, side, ground), fill=(250, 246, 238))
    x = chance.randrange(16, side - 96)
    draw.rectangle((x, 24, x + 70, 84), fill=(250, 246, 238))
    draw.rectangle((x + 5, 29, x + 65, 79), fill=(170, 208, 236))
    draw.line([(x + 35, 24), (x + 35, 84)], fill=(250, 246, 238), width=4)
    draw.line([(x, 54), (x + 70, 54)], fill=(250, 246, 238), width=4)
    return image


def _paint_road(side: int, chance: random.Random, noise: np.random.Generator) -> Image.Image:
    image = _two_halves(side, _SKY, ((112, 114, 120), (92, 94, 100)), noise, 8)
    draw = ImageDraw.Draw(image)
    ground = round(side * GROUND)
    x = -chance.randrange(20)
    while x < side:
        width, height = chance.randrange(24, 48), chance.randrange(36, 96)
        shade = chance.randrange(136, 190)
        draw.rectangle((x, ground - height, x + width, ground), fill=(shade, shade - 8, shade - 14))
        for row in range(ground - height + 6, ground - 8, 13):
            for column in range(x + 5, x + width - 7, 11):
                draw.rectangle((column, row, column + 5, row + 6), fill=(232, 232, 206))
        x += width
    draw.rectangle((0, ground, side, ground + 8), fill=(172, 170, 166))
    for x in range(chance.randrange(20), side, 58):
        draw.rectangle((x, side - 54, x + 32, side - 48), fill=(240, 238, 226))
    return image


def _paint_forest(side: int, chance: random.Random, noise: np.random.Generator) -> Image.Image:
    image = _two_halves(
        side, ((60, 96, 58), (98, 132, 82)), ((112, 92, 58), (82, 64, 40)), noise, 9
    )
    draw = ImageDraw.Draw(image)
    ground = round(side * GROUND)
    for _ in range(13):
        x, width = chance.randrange(side), chance.randrange(6, 15)
        draw.rectangle((x, 0, x + width, ground + chance.randrange(2, 12)), fill=(74, 54, 38))
    for _ in range(110):
        x, y, radius = chance.randrange(side), chance.randrange(64), chance.randrange(7, 17)
        shade = chance.randrange(-20, 20)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(44, 98 + shade, 44))
    return image


def _two_halves(
    side: int,
    above: tuple[RGB, RGB],
    below: tuple[RGB, RGB],
    noise: np.random.Generator,
    grain: float,
) -> Image.Image:
    """Paints two vertical gradients, above and below the edge of the ground, with some grain."""
    edge = round(side * GROUND)
    halves = [
        np.linspace(top, bottom, rows)
        for (top, bottom), rows in ((above, edge), (below, side - edge))
    ]
    pixels_HWC = np.repeat(np.concatenate(halves)[:, None, :], side, axis=1)
    pixels_HWC[edge:] += noise.normal(0, grain, (side - edge, side, 1))
    return Image.fromarray(pixels_HWC.clip(0, 255).astype(np.uint8))


def _add_clouds(image: Image.Image, chance: random.Random) -> None:
    clouds = Image.new("L", image.size)
    draw = ImageDraw.Draw(clouds)
    for _ in range(chance.randrange(2, 5)):
        x, y = chance.randrange(image.width), chance.randrange(12, 72)
        for shift, radius in ((-18, 9), (-6, 13), (8, 15), (22, 9)):
            box = (x + shift - radius, y - radius, x + shift + radius, y + radius * 0.6)
            draw.ellipse(box, fill=225)
    image.paste((255, 255, 255), mask=clouds.filter(ImageFilter.GaussianBlur(1.5)))


PLACES: dict[str, Painter] = {
    "beach": _paint_beach,
    "forest": _paint_forest,
    "meadow": _paint_meadow,
    "night": _paint_night,
    "road": _paint_road,
    "room": _paint_room,
    "sea": _paint_sea,
    "snow": _paint_snow,
}
