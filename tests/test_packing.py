"""Packed sequences: what goes in comes out, whatever it is and however it is asked for."""

import tracemalloc
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from captioner.packing import PackedSequence, PackedTable, pack_digests, pack_texts

LONG = [f"image {number}" for number in range(700)]  # three blocks


class Place(NamedTuple):
    name: str
    number: int


PLACES = [Place(f"naïve \udcff {number}", number) for number in range(700)]


@given(st.lists(st.text(st.characters())), st.slices(700))
def test_packed_texts_are_a_sequence(texts, part):
    for plain in (texts, LONG):
        packed = pack_texts(plain)
        assert list(packed) == plain
        assert packed[part] == tuple(plain)[part]
        assert [packed[place] for place in range(-len(plain), len(plain))] == plain * 2


def test_records_are_made_of_columns():
    names = pack_texts(place.name for place in PLACES)
    table = PackedTable(Place, names, PackedSequence(range(700), int))
    assert list(table) == PLACES
    assert table[600] == PLACES[600]
    assert table[::-99] == tuple(PLACES[::-99])


def test_sequences_are_equal_by_their_records():
    packed = PackedSequence(map(tuple, PLACES), Place._make)
    assert packed == PLACES
    assert packed == PackedSequence(map(tuple, PLACES), Place._make)
    assert packed != PLACES[:-1]
    assert packed != [*PLACES[:-1], PLACES[0]]
    assert packed != set(PLACES)


def test_digests_come_back_as_they_were_written():
    digests = ["0f" * 32, "0F" * 32, "0f 0f", "0f" * 31, "", "unreadable: Permission denied"]
    assert list(pack_digests(digests)) == digests


def test_packed_records_take_little_more_room_than_their_content():
    tracemalloc.start()
    texts = pack_texts(f"{number:010d}" for number in range(10_000))
    digests = pack_digests(f"{number:064x}" for number in range(10_000))
    room, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(texts) == len(digests) == 10_000
    assert room < 10_000 * (10 + 32) * 1.25
