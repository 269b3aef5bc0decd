"""Packed sequences: what goes in comes out, whatever it is and however it is asked for."""

from hypothesis import given
from hypothesis import strategies as st

from captioner.datasets.records import CaptionedImage
from captioner.packing import PackedSequence, pack_digests, pack_texts

LONG = [f"image {number}" for number in range(700)]  # three blocks


@given(st.lists(st.text(st.characters())), st.slices(700))
def test_packed_texts_are_a_sequence(texts, part):
    for plain in (texts, LONG):
        packed = pack_texts(plain)
        assert list(packed) == plain
        assert packed == plain
        assert packed[part] == tuple(plain)[part]
        assert [packed[place] for place in range(-len(plain), len(plain))] == plain * 2


def test_records_are_made_anew():
    images = [CaptionedImage(f"{n}", f"/photos/{n}.jpg", ("a dog", "\udcff"), "dev") for n in "abc"]
    packed = PackedSequence(map(tuple, images), CaptionedImage._make)
    assert packed == images
    assert packed[1].path == images[1].path
    assert packed != images[:2]
    assert packed != pack_texts("abc")


def test_digests_come_back_as_they_were_written():
    digests = ["0f" * 32, "0F" * 32, "0f 0f", "0f" * 31, "", "unreadable: Permission denied"]
    assert list(pack_digests(digests)) == digests


def test_packed_digests_take_little_room():
    packed = pack_digests(f"{number:064x}" for number in range(1024))
    assert sum(map(len, packed._blocks)) < 40 * 1024
