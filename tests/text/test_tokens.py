"""TokenisedCaptions, the statistics and descriptions.txt; the published counts on Flickr8k."""

import json
from pathlib import Path

import numpy as np
import pytest

from captioner.datasets.records import CaptionedImage
from captioner.errors import UsageError, VocabularyError
from captioner.text.descriptions import write_descriptions
from captioner.text.tokens import TokenisedCaptions, tokenise_captions
from captioner.text.vocabulary import END, START, UNKNOWN, Vocabulary

IMAGES = [
    CaptionedImage("1", Path("1.jpg"), ("A dog runs.", "!!!", "A dog"), "train"),
    CaptionedImage("b/2", Path("b/2.jpg"), ("A zebra sleeps",), "dev"),
    CaptionedImage("3", Path("3.jpg"), ("A cat",), "train"),
    CaptionedImage("4", Path("4.jpg"), ("...",), "test"),
]


def words_of(vocabulary: Vocabulary, captions: TokenisedCaptions) -> list[list[str]]:
    return [vocabulary.decode(ids.tolist()) for ids in captions]


def test_captions_keep_their_order_image_and_split():
    vocabulary, captions, _ = tokenise_captions(IMAGES)
    assert words_of(vocabulary, captions) == [
        ["a", "dog", "runs"],
        ["a", "dog"],
        ["a"],
        ["a", "cat"],
    ]
    assert captions.image_index.tolist() == [0, 0, 1, 2]
    assert captions.lengths.tolist() == [5, 4, 5, 4]
    assert captions.select("train").tolist() == [0, 1, 3]
    assert captions.select("dev").tolist() == [2]
    assert captions.select("test").tolist() == []
    assert captions.image_ids_in("train") == ("1", "3")


def test_the_vocabulary_knows_the_training_split_alone():
    vocabulary, captions, _ = tokenise_captions(IMAGES)
    assert set(vocabulary.words) == {"a", "dog", "runs", "cat"}
    assert captions[2].tolist() == [START, vocabulary.encode(["a"])[1], UNKNOWN, UNKNOWN, END]


def test_long_captions_are_cut_and_do_not_end():
    vocabulary, captions, statistics = tokenise_captions(IMAGES, max_length=4)
    assert captions[0].tolist() == vocabulary.encode(["a", "dog", "runs"])[:4].tolist()
    assert END not in captions[0]
    assert captions[1][-1] == END
    assert statistics["splits"]["train"]["cut"] == 1
    assert statistics["splits"]["dev"]["cut"] == 1


def test_statistics():
    _, _, statistics = tokenise_captions(IMAGES, min_count=2)
    assert statistics["vocabulary"] == {"words_seen": 4, "words_kept": 2, "size": 6}
    assert statistics["splits"]["train"] == {
        "images": 2,
        "captions": 3,
        "emptied": 1,
        "cut": 0,
        "words": 7,
        "mean_length": 7 / 3,
        "longest": 5,
        "prefixes": 10,
        "coverage": 5 / 7,
        "lengths": {"2": 2, "3": 1},
    }
    assert statistics["splits"]["dev"]["coverage"] == pytest.approx(1 / 3)
    assert statistics["splits"]["test"]["captions"] == 0
    json.dumps(statistics)


def test_files_come_back_and_equal_captions_give_equal_bytes(tmp_path):
    _, captions, _ = tokenise_captions(IMAGES)
    captions.save(tmp_path / "a.npz")
    captions.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    again = TokenisedCaptions.load(tmp_path / "a.npz")
    assert again.image_ids == captions.image_ids
    assert again.splits == captions.splits
    for name in ("tokens", "offsets", "image_index"):
        np.testing.assert_array_equal(getattr(again, name), getattr(captions, name), strict=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"offsets": np.array([0, 5, 9])}, "offsets do not fit"),
        ({"offsets": np.array([0, 9, 5, 14, 18])}, "offsets do not rise"),
        ({"image_index": np.array([0, 0, 1, 9])}, "image that is not listed"),
        ({"image_ids": ("1", "1", "3", "4")}, "image id stands twice"),
        ({"splits": ("train",)}, "Images and splits differ"),
    ],
)
def test_arrays_that_contradict_each_other_are_refused(changes, message):
    _, captions, _ = tokenise_captions(IMAGES)
    fields = ("tokens", "offsets", "image_index", "image_ids", "splits")
    arrays = {name: getattr(captions, name) for name in fields}
    with pytest.raises(VocabularyError, match=message):
        TokenisedCaptions(**{**arrays, **changes})


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "tokens.npz"
    _, captions, _ = tokenise_captions(IMAGES)
    captions.save(path)
    whole = path.read_bytes()
    for content in (b"", whole[:100], whole[: len(whole) // 2], b"PK\x03\x04", b"text"):
        path.write_bytes(content)
        with pytest.raises(VocabularyError, match="Run the tokenize stage again"):
            TokenisedCaptions.load(path)
    np.savez(path, tokens=np.zeros(3))
    with pytest.raises(VocabularyError, match="no array `version`"):
        TokenisedCaptions.load(path)
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(VocabularyError, match=r"no \.npz archive"):
        TokenisedCaptions.load(tmp_path / "one.npy")
    with pytest.raises(VocabularyError, match="No such file"):
        TokenisedCaptions.load(tmp_path / "none.npz")


def test_impossible_requests_are_refused():
    with pytest.raises(VocabularyError, match="None of the 1 images is in the training split"):
        tokenise_captions(IMAGES[1:2])
    with pytest.raises(VocabularyError, match="max_length=2"):
        tokenise_captions(IMAGES, max_length=2)
    with pytest.raises(UsageError, match="'ptb' is unknown"):
        tokenise_captions(IMAGES, scheme="ptb")


def test_captions_outside_the_row_are_an_index_error():
    _, captions, _ = tokenise_captions(IMAGES)
    with pytest.raises(IndexError, match="caption 4 of 4"):
        captions[4]


def test_descriptions_are_the_courses_file(tmp_path):
    write_descriptions(tmp_path / "descriptions.txt", IMAGES, "tutorial")
    text = (tmp_path / "descriptions.txt").read_text()
    assert text == "1 dog runs\n1\n1 dog\nb/2 zebra sleeps\n3 cat\n4\n"


def read_flickr8k(folder: Path) -> list[CaptionedImage]:
    captions: dict[str, list[str]] = {}
    for line in (folder / "Flickr8k.token.txt").read_text().splitlines():
        key, caption = line.split("\t")
        captions.setdefault(key.split("#")[0], []).append(caption)
    return [
        CaptionedImage(name.split(".")[0], folder / "Images" / name, tuple(captions[name]), split)
        for split in ("train", "dev")
        for name in (folder / f"Flickr_8k.{split}Images.txt").read_text().split()
    ]


@pytest.fixture(scope="module")
def flickr8k(flickr8k_folder):
    return read_flickr8k(flickr8k_folder)


@pytest.mark.flickr8k
def test_tutorial_counts_as_published(flickr8k):
    # machinelearningmastery.com's course and its many copies print these three numbers.
    vocabulary, captions, statistics = tokenise_captions(flickr8k, "tutorial")
    sentinels_and_padding = 3
    assert len(vocabulary.words) + sentinels_and_padding == len(vocabulary) == 7579
    assert statistics["splits"]["train"]["longest"] == 34
    assert statistics["splits"]["train"]["prefixes"] == 306_404
    lengths = captions.lengths[captions.select("train")]
    assert (lengths.max(), (lengths - 1).sum()) == (34, 306_404)


@pytest.mark.flickr8k
def test_words_seen_five_times_as_published(flickr8k):
    # Tanti, Gatt and Camilleri (2018), arXiv:1708.02043: 2,535 words seen 5 times or more.
    vocabulary, captions, _ = tokenise_captions(flickr8k, min_count=5)
    assert len(vocabulary.words) == 2535
    assert len(captions) == 35_000


def test_restricting_keeps_the_captions_of_the_images_wanted():
    _, captions, _ = tokenise_captions(IMAGES)
    kept = captions.restrict(["4", "3", "1", "unheard of"])
    assert kept.image_ids == ("1", "3", "4")
    assert kept.splits == ("train", "train", "test")
    assert kept.image_index.tolist() == [0, 0, 1]
    assert [row.tolist() for row in kept] == [captions[i].tolist() for i in (0, 1, 3)]
    assert len(captions.restrict([])) == 0
