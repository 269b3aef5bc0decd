"""Draws the data set `scenes` on disk, in Flickr8k's own layout: real JPEG files, real captions."""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from captioner.datasets.records import SPLITS, Split
from captioner.datasets.scenes import SCENES_VERSION
from captioner.datasets.scenes.backgrounds import crop_background
from captioner.datasets.scenes.composition import COLOURS, SIZES, Scene, Thing, compose_scene
from captioner.datasets.scenes.objects import draw_object
from captioner.datasets.scenes.pen import RGB, mix
from captioner.datasets.scenes.wording import word_captions
from captioner.errors import DatasetError, UsageError
from captioner.files import parse_json, sync_file, sync_folder, write_json, write_text
from captioner.progress import track

DESCRIPTION_FILE = "scenes.json"
MIN_IMAGES = 20

JPEG_QUALITY = 88
_SHARES: dict[Split, float] = {"train": 0.8, "dev": 0.1, "test": 0.1}


@dataclass(frozen=True, slots=True)
class _Assignment:
    """One scene still to be drawn; every second test scene holds a new combination."""

    name: str
    split: Split
    novel: bool


def draw_scenes(folder: Path, *, num_images: int, seed: int) -> None:
    """Draws pictures of simple things in simple places, with five captions each.

    The data set needs no download and trains in minutes, yet is read like any other.
    The same arguments give the same files, byte for byte, on one version of Pillow. Half of
    the test pictures show a thing in a colour that it never has in training.

    Args:
        folder: made or, if it holds other scenes, replaced; at once when all are drawn.
        num_images: 20 or more; a tenth is dev, a tenth is test.
        seed: decides what is drawn.

    Raises:
        UsageError: there are too few images to split.
        DatasetError: `folder` holds something else, cannot be written, or the disk is full;
            it is as it was.
    """
    if num_images < MIN_IMAGES:
        raise UsageError(f"Draw {MIN_IMAGES} scenes or more. Received: num_images={num_images}.")
    description = {"version": SCENES_VERSION, "num_images": num_images, "seed": seed}
    draw_into(folder, description, lambda staging: _draw_all(staging, num_images, seed))


def draw_into(folder: Path, description: dict[str, int], draw: Callable[[Path], None]) -> None:
    """Draws a folder anew, unless it holds already what is described.

    Args:
        folder: made or, if it holds other drawings, replaced; at once when all are drawn.
        description: what is drawn; kept in the folder.
        draw: draws into an empty folder.

    Raises:
        DatasetError: `folder` holds something else, cannot be written, or the disk is full;
            it is as it was.
    """
    if read_description(folder) == description:
        return
    _check_replaceable(folder)
    staging = folder.absolute().parent / f".{folder.absolute().name}.drawing"
    try:
        shutil.rmtree(staging, ignore_errors=True)  # of a run that was killed
        staging.mkdir(parents=True)
        draw(staging)
        write_json(staging / DESCRIPTION_FILE, description)
        _put_in_place(staging, folder)
    except OSError as error:
        raise DatasetError(
            f"The scenes cannot be drawn into {folder}: {error.strerror}. Nothing was changed; "
            "make room, or name a folder that can be written."
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def draw_scene(scene: Scene, chance: random.Random) -> Image.Image:
    """Paints one scene, RGB, 224 x 224; `chance` decides on light, shades and mirroring."""
    canvas = crop_background(scene.place, chance)
    for thing in scene.things:
        if scene.layout not in ("above", "on") or thing is scene.things[-1]:
            _cast_shadow(canvas, thing)
    for thing in reversed(scene.things):  # the upper thing comes before the lower one
        tile = draw_object(thing.kind, _shade(COLOURS[thing.colour], chance), SIZES[thing.size])
        if chance.random() < 0.5:
            tile = tile.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        canvas.paste(tile, (thing.x - tile.width // 2, thing.bottom - tile.height), tile)
    return canvas


def read_description(folder: Path) -> dict[str, int] | None:
    """Returns version, num_images and seed of the scenes in a folder; None if it has none."""
    try:
        description = parse_json((folder / DESCRIPTION_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return description if isinstance(description, dict) else None


def _draw_all(folder: Path, num_images: int, seed: int) -> None:
    (folder / "Images").mkdir()
    caption_lines = []
    lists: dict[Split, list[str]] = {split: [] for split in SPLITS}
    for assignment in track(list(_assign(num_images)), "draw scenes", unit="image"):
        chance = random.Random(f"{seed}:{assignment.name}")
        scene = compose_scene(chance, novel=assignment.novel)
        image = draw_scene(scene, chance)
        path = folder / "Images" / assignment.name
        image.save(path, quality=JPEG_QUALITY)
        sync_file(path)
        lists[assignment.split].append(assignment.name)
        for number, caption in enumerate(word_captions(scene, chance)):
            caption_lines.append(f"{assignment.name}#{number}\t{caption}\n")
    write_text(folder / "Flickr8k.token.txt", "".join(caption_lines))
    for split, names in lists.items():
        text = "".join(f"{name}\n" for name in names)
        write_text(folder / f"Flickr_8k.{split}Images.txt", text)


def _assign(num_images: int) -> Iterator[_Assignment]:
    num_held = num_images // 10  # in dev, and in test
    for number in range(num_images):
        from_end = num_images - number
        split: Split = "train"
        if from_end <= 2 * num_held:
            split = "test" if from_end <= num_held else "dev"
        yield _Assignment(f"scene_{number:05d}.jpg", split, split == "test" and number % 2 == 0)


def _shade(colour: RGB, chance: random.Random) -> RGB:
    """Returns a shade of a colour that still bears its name."""
    towards: RGB = chance.choice(((255, 255, 255), (0, 0, 0)))
    return mix(colour, towards, chance.uniform(0, 0.12))


def _cast_shadow(canvas: Image.Image, thing: Thing) -> None:
    width = SIZES[thing.size]
    mask = Image.new("L", (width, width // 5))
    ImageDraw.Draw(mask).ellipse((6, 3, width - 6, width // 5 - 3), fill=95)
    mask = mask.filter(ImageFilter.BoxBlur(2))
    canvas.paste((20, 20, 30), (thing.x - width // 2, thing.bottom - width // 9), mask)


def _check_replaceable(folder: Path) -> None:
    is_free = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    if not is_free and read_description(folder) is None:
        raise DatasetError(
            f"{folder} holds something other than scenes and was left as it is. Name a new or "
            "empty folder to draw into."
        )


def _put_in_place(staging: Path, folder: Path) -> None:
    """Renames the drawn folder into its place; older scenes make room and are then removed."""
    old = staging.with_suffix(".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.rename(folder, old)
    os.rename(staging, folder)
    sync_folder(staging.parent)
    shutil.rmtree(old, ignore_errors=True)
