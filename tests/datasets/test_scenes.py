import errno
import hashlib
import random
import re
from itertools import pairwise

import pytest
from PIL import Image

from captioner.datasets.formats import read_dataset
from captioner.datasets.scenes import SCENES_VERSION, drawing
from captioner.datasets.scenes.backgrounds import CANVAS, PLACES
from captioner.datasets.scenes.composition import (
    CAMOUFLAGE,
    COLOURS,
    HELD_OUT,
    KINDS,
    SIZES,
    TOP_OF,
    compose_scene,
)
from captioner.datasets.scenes.drawing import draw_scene, draw_scenes
from captioner.datasets.scenes.objects import draw_object
from captioner.datasets.scenes.wording import (
    NOUNS,
    NUM_CAPTIONS,
    PLACE_PHRASES,
    SIZE_WORDS,
    word_captions,
)
from captioner.errors import DatasetError, UsageError

SCENES = [compose_scene(random.Random(number), novel=number % 2 == 0) for number in range(600)]
NOUN_TO_KIND = {noun: kind for kind, nouns in NOUNS.items() for noun in nouns}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes") / "drawn"
    draw_scenes(folder, num_images=60, seed=3)
    return folder


def content(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}


def test_there_is_enough_to_see():
    assert len(KINDS) >= 12
    assert len(COLOURS) == 8
    assert len(SIZES) == 3
    assert len(PLACES) == 8
    assert PLACES.keys() == PLACE_PHRASES.keys() == CAMOUFLAGE.keys()
    assert set(KINDS) == NOUNS.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_fills_its_tile_and_shows_its_colour(kind):
    tile = draw_object(kind, (255, 0, 255), 80)
    left, top, right, bottom = tile.getbbox()
    assert bottom >= 75
    assert top <= (100 * TOP_OF.get(kind, 0.26)) or kind == "table"
    assert right - left >= 40
    magenta = sum(
        count
        for count, (red, green, blue, alpha) in tile.getcolors(80 * 80)
        if alpha > 200 and red > 120 and blue > 120 and green < red - 60
    )
    assert magenta > 80 * 80 * 0.08


def test_colours_never_hide_in_the_place_around_them():
    for scene in SCENES:
        assert not {thing.colour for thing in scene.things} & set(CAMOUFLAGE[scene.place])


def test_new_combinations_are_where_they_are_asked_for_and_nowhere_else():
    for number, scene in enumerate(SCENES):
        combinations = {(thing.kind, thing.colour) for thing in scene.things}
        assert bool(combinations & HELD_OUT) == (number % 2 == 0)


def test_things_are_inside_the_picture_and_where_the_layout_says():
    for scene in SCENES:
        boxes = [
            (t.x - SIZES[t.size] // 2, t.bottom - SIZES[t.size], t.x + SIZES[t.size] // 2, t.bottom)
            for t in scene.things
        ]
        for left, top, right, bottom in boxes:
            assert left >= 0
            assert top >= 0
            assert right <= CANVAS
            assert bottom <= CANVAS
        if scene.layout in ("beside", "row"):
            middles = [thing.x for thing in scene.things]
            assert middles == sorted(middles)
            for one, other in pairwise(boxes):
                assert one[2] <= other[0] + 1
        if scene.layout in ("above", "on"):
            upper, lower = scene.things
            assert upper.bottom < lower.bottom
        if scene.layout == "above":
            assert boxes[0][3] <= boxes[1][1]
        if scene.layout == "on":
            assert boxes[1][1] < boxes[0][3] < boxes[1][3]


def test_captions_are_true():
    """Whatever colour, kind, size and place a caption names is in the scene."""
    phrases = {phrase: place for place, names in PLACE_PHRASES.items() for phrase in names}
    sizes = {word: size for size, words in SIZE_WORDS.items() for word in words}
    thing_pattern = re.compile(
        rf"(?:({'|'.join(sizes)}) )?(?:({'|'.join(COLOURS)}) )?({'|'.join(NOUN_TO_KIND)})\b"
    )
    for number, scene in enumerate(SCENES):
        for caption in word_captions(scene, random.Random(number)):
            text = caption.lower()
            for phrase, place in phrases.items():
                if phrase in text:
                    assert place == scene.place
                    text = text.replace(phrase, "")
            found = thing_pattern.findall(text)
            assert len(found) == len(scene.things), caption
            for size, colour, noun in found:
                (thing,) = [t for t in scene.things if t.kind == NOUN_TO_KIND[noun]]
                assert colour in ("", thing.colour)
                assert sizes.get(size, thing.size) == thing.size


RELATIONS = {  # words between the first and the second thing named -> what holds for them
    r"left of": lambda one, other: one.x < other.x,
    r"right of": lambda one, other: one.x > other.x,
    r"above|over|on|high in the air": lambda one, other: one.bottom < other.bottom,
    r"below|beneath|under|carries": lambda one, other: one.bottom > other.bottom,
}


def test_relations_are_true():
    nouns = "|".join(NOUN_TO_KIND)
    told = set()
    for number, scene in enumerate(SCENES):
        things = {thing.kind: thing for thing in scene.things}
        for caption in word_captions(scene, random.Random(number)):
            text = caption.lower()
            for phrase in PLACE_PHRASES[scene.place]:
                text = text.replace(phrase, "")
            parts = re.split(rf"\b({nouns})\b", text)
            for before, between, after in zip(parts[1::2], parts[2::2], parts[3::2], strict=False):
                one, other = things[NOUN_TO_KIND[before]], things[NOUN_TO_KIND[after]]
                for words, holds in RELATIONS.items():
                    if re.search(rf"\b({words})\b", between):
                        assert holds(one, other), caption
                        told.add(words)
            if re.search(r"with .* (over it|on top)", text):
                assert things[NOUN_TO_KIND[parts[3]]].bottom < things[NOUN_TO_KIND[parts[1]]].bottom
            if " between " in text:
                middle, *sides = (things[NOUN_TO_KIND[noun]].x for noun in parts[1::2])
                assert min(sides) < middle < max(sides)
    assert told == RELATIONS.keys()


def test_five_captions_differ_and_begin_in_many_ways():
    openings = set()
    for number, scene in enumerate(SCENES):
        captions = word_captions(scene, random.Random(number))
        assert len(set(captions)) == NUM_CAPTIONS == 5
        assert all(re.fullmatch(r"[A-Z][a-z ,]+ \.", caption) for caption in captions)
        openings |= {" ".join(caption.split()[:2]) for caption in captions}
    assert len(openings) > 100
    assert not any(re.search(r"\ba [aeiou]|\ban [^aeiou]", opening.lower()) for opening in openings)


def test_a_scene_is_a_picture_of_the_encoders_size():
    image = draw_scene(SCENES[0], random.Random(0))
    assert (image.mode, image.size) == ("RGB", (224, 224))
    assert len(image.getcolors(224 * 224)) > 1000


def test_the_folder_is_a_data_set_in_flickr8ks_layout(folder):
    dataset = read_dataset("flickr8k", folder)
    assert dataset.split_sizes() == {"train": 48, "dev": 6, "test": 6}
    assert dataset.skips == dataset.notes == ()
    assert all(len(image.captions) == 5 for image in dataset.images)
    for image in dataset.images:
        with Image.open(image.path) as picture:
            picture.load()
            assert (picture.format, picture.size) == ("JPEG", (224, 224))


def test_the_same_seed_draws_the_same_bytes_and_another_draws_others(folder, tmp_path):
    draw_scenes(tmp_path / "again", num_images=60, seed=3)
    assert content(tmp_path / "again") == content(folder)
    draw_scenes(tmp_path / "other", num_images=60, seed=4)
    other = content(tmp_path / "other")
    assert not any(
        other[name] == data for name, data in content(folder).items() if "Images/" in name
    )


def test_captions_are_pinned(folder):
    """When this digest moves, raise SCENES_VERSION: runs must not mix two draws."""
    digest = hashlib.sha256((folder / "Flickr8k.token.txt").read_bytes()).hexdigest()
    assert (SCENES_VERSION, digest[:16]) == (1, "c0e94a1e2b888f7a")


def test_what_is_drawn_is_not_drawn_again_but_other_scenes_replace_it(tmp_path, monkeypatch):
    folder = tmp_path / "drawn"
    draw_scenes(folder, num_images=20, seed=0)
    draw_scenes(folder, num_images=30, seed=0)
    assert len(read_dataset("scenes", folder).images) == 30
    monkeypatch.setattr(drawing, "_draw_all", lambda *_: pytest.fail("drawn again"))
    draw_scenes(folder, num_images=30, seed=0)
    assert [path.name for path in tmp_path.iterdir()] == ["drawn"]


def test_an_interrupted_draw_leaves_what_was_there(tmp_path, monkeypatch):
    folder = tmp_path / "drawn"
    draw_scenes(folder, num_images=20, seed=0)
    before = content(folder)
    calls = []

    def interrupt(*arguments):
        calls.append(arguments)
        if len(calls) > 7:
            raise KeyboardInterrupt
        return draw_scene(*arguments)

    monkeypatch.setattr(drawing, "draw_scene", interrupt)
    with pytest.raises(KeyboardInterrupt):
        draw_scenes(folder, num_images=30, seed=1)
    assert content(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["drawn"]


def test_what_a_killed_run_left_is_cleared_away(tmp_path):
    (tmp_path / ".drawn.drawing/Images").mkdir(parents=True)
    draw_scenes(tmp_path / "drawn", num_images=20, seed=0)
    assert [path.name for path in tmp_path.iterdir()] == ["drawn"]


def test_a_full_disk_leaves_nothing_and_is_told(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(drawing, "sync_file", fail)
    with pytest.raises(DatasetError, match=r"cannot be drawn into .*No space left"):
        draw_scenes(tmp_path / "drawn", num_images=20, seed=0)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_left_alone(tmp_path):
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(DatasetError, match="holds something other than scenes"):
        draw_scenes(tmp_path, num_images=20, seed=0)
    assert (tmp_path / "diary.txt").read_text() == "mine"


def test_too_few_scenes_cannot_be_split(tmp_path):
    with pytest.raises(UsageError, match="num_images=3"):
        draw_scenes(tmp_path / "drawn", num_images=3, seed=0)
