"""Draws single objects of the scenes into class folders, for an encoder to learn from."""

import random
from pathlib import Path

from PIL import Image

from captioner.datasets.scenes.backgrounds import CANVAS, PLACES
from captioner.datasets.scenes.composition import (
    CAMOUFLAGE,
    COLOURS,
    HELD_OUT,
    KINDS,
    SIZES,
    Scene,
    Thing,
)
from captioner.datasets.scenes.drawing import JPEG_QUALITY, SCENES_VERSION, draw_into, draw_scene
from captioner.errors import UsageError
from captioner.files import sync_file
from captioner.progress import track

_DEV_SHARE = 8  # one image of so many
MIN_OBJECTS = 2 * _DEV_SHARE * len(KINDS)
_HIGHEST = 8  # pixels from the top, where an object may begin
_NEAREST = 1.1  # side of the nearest view, in widths of the object


def draw_objects(folder: Path, *, num_images: int, seed: int) -> None:
    """Draws each of the sixteen kinds of object alone, in every place and colour, near and far.

    The images lie in `train/<kind>/` and `dev/<kind>/`. Combinations of kind and colour that
    captions are tested on do not occur, so that an encoder does not know them either.

    Args:
        folder: made or, if it holds other drawings, replaced; at once when all are drawn.
        num_images: 256 or more; an eighth is dev, and each kind has as many as the others.
        seed: decides what is drawn.

    Raises:
        UsageError: there are too few images.
        DatasetError: `folder` holds something else, cannot be written, or the disk is full;
            it is as it was.
    """
    if num_images < MIN_OBJECTS:
        raise UsageError(f"Draw {MIN_OBJECTS} objects or more. Received: num_images={num_images}.")
    description = {"version": SCENES_VERSION, "num_objects": num_images, "seed": seed}
    draw_into(folder, description, lambda staging: _draw_all(staging, num_images, seed))


def _draw_all(folder: Path, num_images: int, seed: int) -> None:
    for split in ("train", "dev"):
        for kind in KINDS:
            (folder / split / kind).mkdir(parents=True)
    for number in track(range(num_images), "draw objects", unit="image"):
        turn, index = divmod(number, len(KINDS))
        split = "dev" if turn % _DEV_SHARE == 0 else "train"
        chance = random.Random(f"{seed}:object:{number}")
        scene = _compose_object(KINDS[index], chance)
        path = folder / split / KINDS[index] / f"{number:05d}.jpg"
        view = _approach(draw_scene(scene, chance), scene.things[0], chance)
        view.save(path, quality=JPEG_QUALITY)
        sync_file(path)


def _compose_object(kind: str, chance: random.Random) -> Scene:
    place = chance.choice(tuple(PLACES))
    colour = chance.choice(
        [c for c in COLOURS if c not in CAMOUFLAGE[place] and (kind, c) not in HELD_OUT]
    )
    size = chance.choice(tuple(SIZES))
    width = SIZES[size]
    x = chance.randint(width // 2, CANVAS - width // 2)
    bottom = chance.randint(_HIGHEST + width, CANVAS - 4)
    return Scene(place, "one", (Thing(kind, colour, size, x, bottom),))


def _approach(image: Image.Image, thing: Thing, chance: random.Random) -> Image.Image:
    """Returns a square part of a scene that holds the thing, from all of it to the thing alone."""
    width = SIZES[thing.size]
    side = chance.randint(round(_NEAREST * width), CANVAS)
    left, top = (
        chance.randint(max(0, start + width - side), min(start, CANVAS - side))
        for start in (thing.x - width // 2, thing.bottom - width)
    )
    part = image.crop((left, top, left + side, top + side))
    return part.resize((CANVAS, CANVAS), Image.Resampling.BICUBIC)
