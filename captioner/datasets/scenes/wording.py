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

# {a} {b} {c} are the things with an article, {place} where they are; upper or left thing first.
TEMPLATES: dict[Layout, tuple[str, ...]] = {
    "one": (
        "{a} {place}",
        "there is {a} {place}",
        "{place} there is {a}",
        "nothing but {a} {place}",
        "{a} stands alone {place}",
        "we see {a} {place}",
        "someone left {a} {place}",
    ),
    "beside": (
        "{a} and {b} {place}",
        "{a} left of {b} {place}",
        "{b} right of {a} {place}",
        "{a} is next to {b}",
        "{place} {a} stands beside {b}",
        "there is {b} beside {a} {place}",
        "we see {a} on the left and {b} on the right",
        "two things {place} : {a} and {b}",
    ),
    "above": (
        "{a} above {b} {place}",
        "{a} flies over {b} {place}",
        "{b} below {a} {place}",
        "{place} {a} floats above {b}",
        "there is {b} under {a}",
        "{b} with {a} over it {place}",
        "{a} in the air and {b} beneath it",
    ),
    "on": (
        "{a} on {b} {place}",
        "{a} sits on top of {b}",
        "{b} carries {a} {place}",
        "{place} {b} has {a} on it",
        "there is {a} on {b} {place}",
        "{b} with {a} on top {place}",
        "someone put {a} on {b} {place}",
    ),
    "row": (
        "{a} , {b} and {c} {place}",
        "{b} between {a} and {c} {place}",
        "three things {place} : {a} , {b} and {c}",
        "from left to right {a} , {b} and {c}",
        "{place} {b} stands between {a} and {c}",
        "there is {a} next to {b} and {c}",
        "{c} right of {b} and {a}",
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
    things = {name: _name(thing, chance) for name, thing in zip("abc", scene.things, strict=False)}
    place = _choose(PLACE_PHRASES[scene.place], chance)
    caption = template.format(place=place, **things)
    return f"{caption[0].upper()}{caption[1:]} ."


def _name(thing: Thing, chance: random.Random) -> str:
    """Returns a thing with its article, mostly its colour, and sometimes its size."""
    words = []
    if thing.size in SIZE_WORDS and chance.random() < 0.3:
        words.append(_choose(SIZE_WORDS[thing.size], chance))
    if chance.random() < 0.8:
        words.append(thing.colour)
    words.append(_choose(NOUNS[thing.kind], chance))
    article = "an" if words[0][0] in "aeiou" else "a"
    return " ".join([article, *words])


def _choose(words: tuple[str, ...], chance: random.Random) -> str:
    """Takes the usual word mostly, and now and then another."""
    return words[0] if len(words) == 1 or chance.random() < 0.7 else chance.choice(words[1:])
