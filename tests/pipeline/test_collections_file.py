"""collections.json: what was written is read, and it is ordinary JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captioner.pipeline.collections_file import read_collections, write_collections
from captioner.pipeline.fingerprint import Collection, explain_change

NAMES = st.text(st.characters())  # lone surrogates and line ends too
DIGESTS = st.dictionaries(NAMES, NAMES, max_size=5)


@given(st.dictionaries(NAMES, DIGESTS, max_size=3))
def test_collections_come_back_as_they_were(tmp_path_factory, digests):
    folder = tmp_path_factory.mktemp("artifact")
    collections = {name: Collection("image", value) for name, value in digests.items()}
    write_collections(folder, {"epochs": 3, **collections})
    restored = read_collections(folder)
    assert restored.keys() == collections.keys()
    assert explain_change(collections, restored) == []


def test_the_file_is_as_it_always_was(tmp_path):
    write_collections(tmp_path, {"images": Collection("image", {"a": "1", "b": "2"}), "x": None})
    assert json.loads((tmp_path / "collections.json").read_text()) == {
        "images": {"noun": "image", "digests": {"a": "1", "b": "2"}}
    }


def test_no_collections_are_an_empty_object(tmp_path):
    write_collections(tmp_path, {"epochs": 3})
    assert read_collections(tmp_path) == {}


def test_a_file_of_something_else_is_told_by_its_error(tmp_path):
    (tmp_path / "collections.json").write_text('{"images": {}}')
    with pytest.raises(KeyError):
        read_collections(tmp_path)
