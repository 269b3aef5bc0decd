"""Five captions for a scene, each true of it and each worded in another way.

As people do, the captions disagree on what is worth saying: one leaves out a colour, another
the place, a third takes another word for the same thing.
"""

import random

from captioner.datasets.scenes.composition import Layout, Scene, Thing

NUM_CAPTIONS = 5

# The usual word first; it is taken about three times out of four.
NOUNS: dict[str, tuple[str, ...]] = {
    "ball": ("ball",),
    "balloon": ("balloon",),
    "boat": ("boat", "sailboat"),
    "box": ("box", "parcel"),
    "bus": ("bus",),
    "butterfly": ("butterfly",),
    "car": ("car", "automobile"),
    "cat": ("cat",),
    "chair": ("chair", "seat"),
    "cup": ("cup", "mug"),
    "fish": ("fish",),
    "flower": ("flower", "blossom"),
    "house": ("house", "cottage"),
    "kite": ("kite",),
    "table": ("table",),
    "umbrella": ("umbrella", "parasol"),
}
SIZE_WORDS = {"small": ("small", "little"), "large": ("big", "large")}
PLACE_PHRASES: dict[str, tuple[str, ...]] = {
    "beach": ("on the beach", "on yellow sand", "at the seaside"),
    "forest": ("in the woods", "among trees", "in a forest"),
    "meadow": ("on the grass", "in a meadow", "on green grass"),
    "night": ("at night", "under the stars", "in the moonlight"),
    "road": ("on the road", "in a street", "in front of grey buildings"),
    "room": ("in a room", "on a wooden floor", "indoors"),
    "sea": ("on the water", "on the sea", "among blue waves"),
    "snow": ("in the snow", "on white snow", "in winter"),
}

# {a} {b} {c} are the things with their article, {A} {B} {C} without, upper or left thing first;
# {place} is where they are. Few words stand between two things, so that one caption given to
# every scene shares no long run of words with the others.
TEMPLATES: dict[Layout, tuple[str, ...]] = {
    "one": (
        "{a} {place}",
        "{A} {place}",
        "here is {a} {place}",
        "{place} {a} stands alone",
        "nothing but {a} {place}",
        "just {A} {place}",
        "{A} seen {place}",
        "only {a} {place}",
        "one {A} {place}",
    ),
    "beside": (
        "{a} and {b} {place}",
        "{A} and {B} {place}",
        "{a} left of {b} {place}",
        "{b} right of {a} {place}",
        "{a} next to {b}",
        "{place} {a} stands beside {b}",
        "{A} with {b} beside it",
        "{place} {a} and {b}",
        "two things , {a} and {b}",
        "{B} near {a} {place}",
    ),
    "above": (
        "{a} above {b} {place}",
        "{A} above {B} {place}",
        "{a} flies over {b} {place}",
        "{b} below {a} {place}",
        "{place} {a} floats above {b}",
        "there is {b} under {a}",
        "{B} with {a} over it",
        "{place} {b} beneath {a}",
        "{a} high in the air , {b} below",
    ),
    "on": (
        "{a} on {b} {place}",
        "{A} on {B} {place}",
        "{a} sits on {b}",
        "{b} carries {a} {place}",
        "{place} {b} carries {a}",
        "there is {a} on {b}",
        "{B} with {a} on top",
        "someone put {a} on {b} {place}",
        "{a} lies on {b} {place}",
    ),
    "row": (
        "{a} , {b} and {c} {place}",
        "{A} , {B} and {C} {place}",
        "{b} between {a} and {c} {place}",
        "three things , {a} , {b} and {c}",
        "{place} {b} stands between {a} and {c}",
        "{A} next to {b} and {c}",
        "{c} right of {b} and {a}",
        "{place} {a} , {b} and {c}",
        "{A} left of {B} and {C} {place}",
    ),
}


def word_captions(scene: Scene, chance: random.Random) -> list[str]:
    """Returns `NUM_CAPTIONS` captions of a scene, in Flickr8k's spelling.

    Args:
        scene: what there is to say.
        chance: decides what is said, and how.
    """
    templates = chance.sample(TEMPLATES[scene.layout], NUM_CAPTIONS)
    return [_fill(template, scene, chance) for template in templates]


def _fill(template: str, scene: Scene, chance: random.Random) -> str:
    words = {"place": _choose(PLACE_PHRASES[scene.place], chance)}
    for letter, thing in zip("abc", scene.things, strict=False):
        name = _name(thing, chance)
        words[letter.upper()] = name
        words[letter] = f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
    caption = template.format_map(words)
    return f"{caption[0].upper()}{caption[1:]} ."


def _name(thing: Thing, chance: random.Random) -> str:
    """Names a thing, mostly with its colour and sometimes with its size."""
    words = []
    if thing.size in SIZE_WORDS and chance.random() < 0.3:
        words.append(_choose(SIZE_WORDS[thing.size], chance))
    if chance.random() < 0.85:
        words.append(thing.colour)
    return " ".join([*words, _choose(NOUNS[thing.kind], chance)])


def _choose(words: tuple[str, ...], chance: random.Random) -> str:
    """Takes the usual word mostly, and now and then another."""
    return words[0] if len(words) == 1 or chance.random() < 0.7 else chance.choice(words[1:])
