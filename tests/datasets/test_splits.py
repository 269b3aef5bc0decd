import pytest
from folders import write_files
from hypothesis import given
from hypothesis import strategies as st

from captioner.datasets.image_folder import ImageFolder, image_id_of, leads_outside
from captioner.datasets.splits import SeededSplit, find_split_lists
from captioner.errors import UsageError


@given(st.text(), st.integers())
def test_an_image_keeps_its_split_whatever_else_there_is(image_id, seed):
    assert SeededSplit(seed).split_of(image_id) == SeededSplit(seed).split_of(image_id)


@given(st.text(), st.integers(), st.floats(0, 1))
def test_more_training_never_takes_an_image_out_of_training(image_id, seed, more):
    less = SeededSplit(seed, (more / 2, 1 - more / 2, 0.0)).split_of(image_id)
    if less == "train":
        assert SeededSplit(seed, (more, 1 - more, 0.0)).split_of(image_id) == "train"


def test_drawn_splits_are_pinned():
    """A change here moves the test images of everybody's runs."""
    drawn = [SeededSplit(7).split_of(f"image_{number}") for number in range(12)]
    assert drawn == [
        "train",
        "train",
        "train",
        "train",
        "train",
        "train",
        "test",
        "train",
        "train",
        "train",
        "train",
        "train",
    ]


def test_shares_are_as_asked():
    splits = [SeededSplit(0, (0.7, 0.2, 0.1)).split_of(str(number)) for number in range(10_000)]
    shares = [splits.count(name) / 10_000 for name in ("train", "dev", "test")]
    assert shares == pytest.approx([0.7, 0.2, 0.1], abs=0.02)


@pytest.mark.parametrize(
    "fractions", [(0.5, 0.5), (1, 0.5, -0.5), (0.3, 0.3, 0.3), (float("nan"),) * 3]
)
def test_fractions_must_divide_the_data_set(fractions):
    with pytest.raises(UsageError, match="three numbers from 0 to 1"):
        SeededSplit(0, fractions)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("Flickr_8k.trainImages.txt", "train"),
        ("Flickr_8k.devImages.txt", "dev"),
        ("flickr30k_val.txt", "dev"),
        ("TEST.txt", "test"),
        ("test_images.txt", "test"),
    ],
)
def test_lists_are_known_by_their_names(tmp_path, name, split):
    write_files(tmp_path, {name: "a.jpg", "readme.txt": "", "trainings.txt": ""})
    assert {key: path.name for key, path in find_split_lists([tmp_path]).items()} == {split: name}


@pytest.mark.parametrize(
    "name", ["/a.jpg", "../a.jpg", "a/../../b.jpg", "C:\\a.jpg", "\\\\host\\a"]
)
def test_names_that_lead_outside(name):
    assert leads_outside(name)


@pytest.mark.parametrize("name", ["a.jpg", "sub/a.jpg", "..a.jpg", "a..jpg", "./a.jpg", ""])
def test_names_that_stay_inside(name):
    assert not leads_outside(name)


def test_ids_have_no_suffix():
    assert [image_id_of(name) for name in ("a.JPG", "sub/a.b.png", "a.v2")] == [
        "a",
        "sub/a.b",
        "a.v2",
    ]
    for name in (".jpg", "sub/.jpg", "a.jpg/b"):
        assert image_id_of(name) == name


def test_hidden_files_are_not_seen_and_accents_match_however_they_are_written(tmp_path):
    write_files(
        tmp_path, {"e\u0301.jpg": b"", "._a.jpg": b"", "__MACOSX/a.jpg": b"", ".b/a.jpg": b""}
    )
    folder = ImageFolder(tmp_path)
    assert list(folder.image_names()) == ["\u00e9.jpg"]
    assert folder.path_of(folder.find("\u00e9.jpg")).exists()
    assert folder.find("e\u0301") == "\u00e9.jpg"


def test_a_name_without_suffix_must_leave_no_choice(tmp_path):
    folder = ImageFolder(write_files(tmp_path, {"a.jpg": b"", "a.png": b"", "b.jpg": b""}))
    assert (folder.find("a"), folder.find("b"), folder.find("c")) == (None, "b.jpg", None)
