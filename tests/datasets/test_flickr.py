import pytest
from folders import captions, skipped, splits, write_files

from captioner.datasets.formats import read_dataset
from captioner.datasets.records import count_reasons
from captioner.errors import DatasetError

TOKENS = "1.jpg#0\tA dog .\n1.jpg#1\tA brown dog .\n2.jpg#0\tA cat .\n3.jpg#0\tTwo men .\n"
LISTS = {
    "Flickr_8k.trainImages.txt": "1.jpg\n",
    "Flickr_8k.devImages.txt": "2.jpg\n",
    "Flickr_8k.testImages.txt": "3.jpg\n",
}
IMAGES = {f"Images/{number}.jpg": b"" for number in (1, 2, 3)}


def write_flickr(folder, tokens=TOKENS, lists=LISTS, images=IMAGES):
    return write_files(folder, {"Flickr8k.token.txt": tokens, **lists, **images})


def test_captions_and_splits_are_read_in_order(tmp_path):
    dataset = read_dataset("flickr8k", write_flickr(tmp_path))
    assert captions(dataset) == {
        "1": ("A dog .", "A brown dog ."),
        "2": ("A cat .",),
        "3": ("Two men .",),
    }
    assert splits(dataset) == {"1": "train", "2": "dev", "3": "test"}
    assert dataset.skips == dataset.notes == ()
    assert dataset.images[0].path == tmp_path / "Images/1.jpg"


def test_every_file_that_was_read_is_declared(tmp_path):
    dataset = read_dataset("flickr8k", write_flickr(tmp_path))
    assert {path.name for path in dataset.files} == {"Flickr8k.token.txt", *LISTS}


@pytest.mark.parametrize(
    "images", ["Flicker8k_Dataset", "Flickr8k_Dataset", "Flickr8k_Dataset/Flicker8k_Dataset"]
)
def test_the_published_folders_are_found(tmp_path, images):
    texts = {f"Flickr8k_text/{name}": text for name, text in LISTS.items()}
    write_files(tmp_path, {"Flickr8k_text/Flickr8k.token.txt": TOKENS, **texts})
    write_files(tmp_path / images, {"1.jpg": b"", "2.jpg": b"", "3.jpg": b""})
    assert read_dataset("flickr8k", tmp_path).split_sizes() == {"train": 1, "dev": 1, "test": 1}


def test_flickr30k_without_lists_gets_a_drawn_split(tmp_path):
    tokens = "".join(f"{number}.jpg#0\tA dog .\n" for number in range(200))
    write_files(tmp_path, {"results_20130124.token": tokens})
    write_files(tmp_path / "flickr30k-images", {f"{number}.jpg": b"" for number in range(200)})
    sizes = read_dataset("flickr30k", tmp_path).split_sizes()
    assert sum(sizes.values()) == 200
    assert 140 < sizes["train"] < 180
    assert read_dataset("flickr30k", tmp_path, split_seed=1).split_sizes() != sizes
    halves = read_dataset("flickr30k", tmp_path, split_fractions=(0.5, 0.5, 0)).split_sizes()
    assert set(halves) == {"train", "dev"}


def test_a_missing_list_leaves_its_split_empty_and_skips_its_images(tmp_path):
    lists = {name: text for name, text in LISTS.items() if "test" not in name}
    dataset = read_dataset("flickr8k", write_flickr(tmp_path, lists=lists))
    assert dataset.split_sizes() == {"train": 1, "dev": 1}
    assert skipped(dataset) == [("3.jpg", "in no split list")]


def test_lists_are_passed_over_when_a_drawn_split_is_wanted(tmp_path):
    lists = {"Flickr_8k.trainImages.txt": "1.jpg\n"}
    dataset = read_dataset("flickr8k", write_flickr(tmp_path, lists=lists), splits="seeded")
    assert len(dataset.images) == 3


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1.jpg#2 no tab here", "no tab between image and caption"),
        ("1.jpg#2\t   ", "empty caption"),
        ("1.jpg#1\tAgain .", "caption id occurs twice"),
        ("9.jpg#0\tGone .", "no such image"),
        ("1.jpg.1#0\tMisnamed .", "no such image"),
        ("../Images/1.jpg#0\tOut .", "image name is absolute or contains `..`"),
        ("/etc/1.jpg#0\tOut .", "image name is absolute or contains `..`"),
        ("C:\\1.jpg#0\tOut .", "image name is absolute or contains `..`"),
        ("\tNothing .", "no such image"),
        ("#0\tNothing .", "no such image"),
    ],
)
def test_a_bad_line_is_skipped_with_its_place_and_harms_nothing(tmp_path, line, reason):
    tokens = TOKENS.replace("2.jpg#0", f"{line}\n2.jpg#0")
    dataset = read_dataset("flickr8k", write_flickr(tmp_path, tokens))
    assert skipped(dataset) == [("Flickr8k.token.txt:3", reason)]
    whole = read_dataset("flickr8k", write_flickr(tmp_path, TOKENS))
    assert dataset.images == whole.images


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\n\n  \n").encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.rstrip("\n").encode(),
    ],
    ids=["CRLF", "BOM", "blank lines", "UTF-16", "no last line end"],
)
def test_line_ends_and_marks_make_no_difference(tmp_path, spoil):
    lists = {name: spoil(text) for name, text in LISTS.items()}
    dataset = read_dataset("flickr8k", write_flickr(tmp_path / "spoilt", spoil(TOKENS), lists))
    whole = read_dataset("flickr8k", write_flickr(tmp_path / "whole"))
    assert captions(dataset) == captions(whole)
    assert splits(dataset) == splits(whole)
    assert dataset.skips == ()


def test_latin_1_bytes_lose_nothing_and_are_noted(tmp_path):
    tokens = "1.jpg#0\tA caf\u00e9 \U0001f600\n".encode() + b"2.jpg#0\tUn caf\xe9 \x93x\x94\x81\n"
    dataset = read_dataset("flickr8k", write_flickr(tmp_path, tokens))
    assert captions(dataset)["1"] == ("A caf\u00e9 \U0001f600",)
    assert captions(dataset)["2"][0].startswith("Un caf\u00e9 ")
    assert dataset.notes == (
        "Flickr8k.token.txt: 1 line is not UTF-8, read as Windows-1252 (line 2)",
    )


def test_an_image_without_captions_is_skipped(tmp_path):
    dataset = read_dataset(
        "flickr8k", write_flickr(tmp_path, images={**IMAGES, "Images/4.png": b""})
    )
    assert skipped(dataset) == [("4.png", "image has no captions")]


def test_names_that_differ_only_in_how_accents_are_spelt_keep_the_first(tmp_path):
    spellings = ["caf\u00e9.jpg", "cafe\u0301.jpg"]
    files = {**IMAGES, **{f"Images/{name}": b"" for name in spellings}}
    lists = {"Flickr_8k.trainImages.txt": "1.jpg\n2.jpg\n3.jpg\ncaf\u00e9.jpg\n"}
    tokens = TOKENS + "caf\u00e9.jpg#0\tA caf\u00e9 .\n"
    folder = write_flickr(tmp_path, tokens, lists, files)
    if len(list((folder / "Images").glob("caf*"))) < 2:
        pytest.skip("this file system takes both for one")
    dataset = read_dataset("flickr8k", folder)
    assert skipped(dataset) == [("caf\u00e9.jpg", "another image has the same id")]
    assert captions(dataset)["caf\u00e9"] == ("A caf\u00e9 .",)


def test_two_files_with_one_id_keep_the_first(tmp_path):
    tokens = TOKENS + "1.png#0\tAnother .\n"
    dataset = read_dataset(
        "flickr8k", write_flickr(tmp_path, tokens, images={**IMAGES, "Images/1.png": b""})
    )
    assert skipped(dataset) == [("1.png", "another image has the same id")]
    assert captions(dataset)["1"] == ("A dog .", "A brown dog .")


def test_a_listed_image_that_is_missing_is_skipped(tmp_path):
    lists = {**LISTS, "Flickr_8k.devImages.txt": "2.jpg\n9.jpg\n../2.jpg\n2.jpg\n"}
    dataset = read_dataset("flickr8k", write_flickr(tmp_path, lists=lists))
    assert skipped(dataset) == [
        ("Flickr_8k.devImages.txt:2", "no such image"),
        ("Flickr_8k.devImages.txt:3", "image name is absolute or contains `..`"),
    ]


@pytest.mark.parametrize("name", ["1.jpg", "1", "./1.jpg"])
def test_an_image_in_two_splits_is_an_error_that_names_image_and_lists(tmp_path, name):
    lists = {**LISTS, "Flickr_8k.testImages.txt": f"3.jpg\n{name}\n"}
    with pytest.raises(DatasetError) as error:
        read_dataset("flickr8k", write_flickr(tmp_path, lists=lists))
    assert "1 image is in more than one split" in str(error.value)
    assert "1.jpg: test (Flickr_8k.testImages.txt:2), train (Flickr_8k.trainImages.txt:1)" in str(
        error.value
    ) or "1.jpg: train (Flickr_8k.trainImages.txt:1), test (Flickr_8k.testImages.txt:2)" in str(
        error.value
    )


def test_two_lists_of_one_split_are_an_error(tmp_path):
    with pytest.raises(DatasetError, match=r"both Flickr_8k\.devImages\.txt and val\.txt list"):
        read_dataset("flickr8k", write_flickr(tmp_path, lists={**LISTS, "val.txt": "2.jpg\n"}))


def test_links_are_followed_and_broken_ones_are_missing_images(tmp_path):
    write_flickr(tmp_path, images={"elsewhere/1.jpg": b"", "Images/2.jpg": b""})
    (tmp_path / "Images/1.jpg").symlink_to(tmp_path / "elsewhere/1.jpg")
    (tmp_path / "Images/3.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "Images/loop").symlink_to(tmp_path / "Images")
    dataset = read_dataset("flickr8k", tmp_path)
    assert set(captions(dataset)) == {"1", "2"}
    assert ("Flickr8k.token.txt:4", "no such image") in skipped(dataset)


def test_a_data_set_left_with_nothing_says_what_to_do(tmp_path):
    with pytest.raises(DatasetError) as error:
        read_dataset("flickr8k", write_flickr(tmp_path, images={"Images/9.jpg": b""}))
    assert "No captioned image is left" in str(error.value)
    assert "7 x no such image" in str(error.value)
    assert "Check that the names in the captions file" in str(error.value)


def test_a_folder_without_captions_or_images_says_where_it_looked(tmp_path):
    with pytest.raises(DatasetError, match=r"no captions file.*Flickr8k\.token\.txt"):
        read_dataset("flickr8k", tmp_path)
    with pytest.raises(DatasetError, match=r"no images folder.*Flicker8k_Dataset/"):
        read_dataset("flickr8k", write_flickr(tmp_path, images={}))


@pytest.mark.flickr8k
def test_flickr8k_itself(flickr8k_folder):
    dataset = read_dataset("flickr8k", flickr8k_folder)
    on_disk = sum(1 for _ in (flickr8k_folder / "Images").iterdir())
    assert on_disk == 7091
    assert dataset.split_sizes() == {"train": 6000, "dev": 1000}
    assert count_reasons(dataset.skips) == {"in no split list": 91, "no such image": 5}
    assert {image.image_id.count(".") for image in dataset.images} == {0}
    assert all(len(image.captions) == 5 for image in dataset.images)
