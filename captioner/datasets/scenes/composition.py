"""What a scene holds: which things, in which colours and sizes, and where they are."""

import random
from dataclasses import dataclass
from typing import Literal

from captioner.datasets.scenes.backgrounds import CANVAS, PLACES
from captioner.datasets.scenes.objects import OBJECTS
from captioner.datasets.scenes.pen import RGB

Layout = Literal["one", "beside", "above", "on", "row"]

KINDS = tuple(OBJECTS)
COLOURS: dict[str, RGB] = {
    "red": (214, 38, 40),
    "orange": (246, 136, 24),
    "yellow": (250, 214, 36),
    "green": (38, 160, 66),
    "blue": (34, 92, 214),
    "purple": (136, 58, 178),
    "white": (244, 244, 246),
    "black": (46, 46, 52),
}
SIZES = {"small": 62, "medium": 84, "large": 108}  # pixels

FLYERS = ("balloon", "butterfly", "kite")
TOP_OF = {"table": 0.30, "box": 0.20, "car": 0.28, "bus": 0.10}  # where things can lie on them
PERCHERS = ("ball", "cat", "cup", "fish", "flower", "boat")  # fit to lie on something

# A thing must not have the colour of the place around it.
CAMOUFLAGE = {
    "beach": ("yellow", "orange"),
    "forest": ("green", "black"),
    "meadow": ("green",),
    "night": ("black",),
    "road": ("black",),
    "room": ("orange",),
    "sea": ("blue",),
    "snow": ("white",),
}

# One colour of each kind never occurs in training: those scenes ask for a new combination.
_COLOUR_NAMES = tuple(COLOURS)
HELD_OUT = frozenset(
    (kind, _COLOUR_NAMES[(3 * number + 1) % len(COLOURS)]) for number, kind in enumerate(KINDS)
)

_LAYOUTS: dict[Layout, float] = {
    "one": 0.25,
    "beside": 0.33,
    "above": 0.14,
    "on": 0.13,
    "row": 0.15,
}
_GROUND_LINE = (186, 214)  # pixels from the top, where things stand


@dataclass(frozen=True, slots=True)
class Thing:
    """One object of a scene; `x` is its middle and `bottom` its lower edge, in pixels."""

    kind: str
    colour: str
    size: str
    x: int
    bottom: int


@dataclass(frozen=True, slots=True)
class Scene:
    """A place with one to three things: from left to right, or the upper one first."""

    place: str
    layout: Layout
    things: tuple[Thing, ...]


def compose_scene(chance: random.Random, *, novel: bool) -> Scene:
    """Invents a scene.

    Args:
        chance: decides everything.
        novel: whether one thing has a combination of kind and colour from `HELD_OUT`;
            otherwise none has.
    """
    place = chance.choice(tuple(PLACES))
    layout = chance.choices(tuple(_LAYOUTS), weights=tuple(_LAYOUTS.values()))[0]
    kinds = _choose_kinds(layout, chance)
    colours = [_choose_colour(kind, place, chance) for kind in kinds]
    if novel:
        _make_novel(kinds, colours, place, chance)
    things = _arrange(layout, kinds, colours, chance)
    return Scene(place, layout, tuple(things))


def _choose_kinds(layout: Layout, chance: random.Random) -> list[str]:
    if layout == "above":
        return [chance.choice(FLYERS), chance.choice([k for k in KINDS if k not in FLYERS])]
    if layout == "on":
        return [chance.choice(PERCHERS), chance.choice(tuple(TOP_OF))]
    return chance.sample(KINDS, {"one": 1, "beside": 2, "row": 3}[layout])


def _choose_colour(kind: str, place: str, chance: random.Random) -> str:
    return chance.choice(
        [c for c in COLOURS if c not in CAMOUFLAGE[place] and (kind, c) not in HELD_OUT]
    )


def _make_novel(kinds: list[str], colours: list[str], place: str, chance: random.Random) -> None:
    """Recolours one thing to its held-out colour, where it does not vanish in the place."""
    held_out = dict(HELD_OUT)
    usable = [i for i, kind in enumerate(kinds) if held_out[kind] not in CAMOUFLAGE[place]]
    if not usable:
        kinds[0] = chance.choice(
            [k for k in KINDS if held_out[k] not in CAMOUFLAGE[place] and k not in kinds]
        )
        usable = [0]
    chosen = chance.choice(usable)
    colours[chosen] = held_out[kinds[chosen]]


def _arrange(
    layout: Layout, kinds: list[str], colours: list[str], chance: random.Random
) -> list[Thing]:
    sizes = _choose_sizes(layout, chance)
    widths = [SIZES[size] for size in sizes]
    ground = chance.randint(*_GROUND_LINE)
    if layout in ("above", "on"):
        xs, bottoms = _stack(layout, kinds, widths, ground, chance)
    else:
        xs = _spread(widths, chance)
        bottoms = [min(ground + chance.randint(-6, 6), CANVAS - 4) for _ in widths]
    return [Thing(*parts) for parts in zip(kinds, colours, sizes, xs, bottoms, strict=True)]


def _choose_sizes(layout: Layout, chance: random.Random) -> list[str]:
    """Chooses sizes that fit beside each other, or one above the other."""
    if layout == "one":
        return [chance.choice(("small", "medium", "large", "large"))]
    if layout == "row":
        return chance.choice(
            [["small"] * 3, ["medium", "small", "small"], ["small", "small", "medium"]]
        )
    if layout == "on":
        return ["small", chance.choice(("medium", "large"))]
    room = CANVAS - 30 if layout == "beside" else _GROUND_LINE[0] - 10
    pairs = [[a, b] for a in SIZES for b in SIZES if SIZES[a] + SIZES[b] <= room]
    return chance.choice(pairs)


def _spread(widths: list[int], chance: random.Random) -> list[int]:
    """Returns the middles of things side by side, with random gaps that use up the width."""
    free = CANVAS - sum(widths)
    cuts = sorted(chance.randint(0, free) for _ in widths)
    starts = [cut + sum(widths[:number]) for number, cut in enumerate(cuts)]
    return [start + width // 2 for start, width in zip(starts, widths, strict=True)]


def _stack(
    layout: Layout, kinds: list[str], widths: list[int], ground: int, chance: random.Random
) -> tuple[list[int], list[int]]:
    """Returns middles and lower edges of an upper and a lower thing."""
    upper, lower = widths
    x = chance.randint(lower // 2 + 8, CANVAS - lower // 2 - 8)
    if layout == "on":
        return [x, x], [round(ground - lower * (1 - TOP_OF[kinds[1]])) + 2, ground]
    bottom = chance.randint(upper + 4, ground - lower - 6)
    shifted = min(max(x + chance.randint(-16, 16), upper // 2), CANVAS - upper // 2)
    return [shifted, x], [bottom, ground]
