import csv
import io
import json

import pytest
from folders import captions, skipped, splits, write_files
from hypothesis import given
from hypothesis import strategies as st

from captioner.datasets.formats import FORMATS, read_dataset
from captioner.datasets.rows import read_rows
from captioner.datasets.text_files import TextFile
from captioner.errors import DatasetError, UsageError

IMAGES = {"Images/a.jpg": b"", "Images/b.jpg": b"", "Images/sub/c.png": b""}


def write_set(folder, **files):
    return write_files(folder, {**IMAGES, **files})


# what the formats have in common


def test_an_unknown_format_names_the_nearest():
    with pytest.raises(UsageError, match=r"'flickr_8k' is unknown.*Did you mean 'flickr8k'"):
        read_dataset("flickr_8k", ".")


@pytest.mark.parametrize("format", FORMATS)
def test_a_missing_folder_is_a_slip(tmp_path, format):
    with pytest.raises(UsageError, match="is no folder"):
        read_dataset(format, tmp_path / "none")


@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_folder_is_an_error(tmp_path, format):
    with pytest.raises(DatasetError, match=r"no captions file|No captioned image"):
        read_dataset(format, tmp_path)


@pytest.mark.parametrize("option", ["captions", "images", "splits"])
def test_something_named_that_does_not_exist_is_a_slip(tmp_path, option):
    write_set(tmp_path, **{"captions.csv": "image,caption\na.jpg,A dog\n"})
    with pytest.raises(UsageError, match=r"nowhere does not exist"):
        read_dataset("table", tmp_path, **{option: "nowhere"})


def test_fractions_that_do_not_add_up_are_a_slip(tmp_path):
    with pytest.raises(UsageError, match=r"sum is 1.*0\.9, 0\.9, 0\.9"):
        read_dataset("table", tmp_path, split_fractions=(0.9, 0.9, 0.9))


# kaggle


def test_kaggle_reads_quotes_commas_and_half_quoted_lines(tmp_path):
    text = (
        "image,caption\r\n"
        'a.jpg,"A dog , running ."\r\n'
        'a.jpg,"A ""big"" dog ."\r\n'
        "a.jpg,A dog, a cat, a man\r\n"
        'a.jpg,"A dog that nobody closed\r\n'
        'b.jpg,A cat"\r\n'
        "\r\n"
        'b.jpg,12" of snow\r\n'
        "no comma\r\n"
    )
    dataset = read_dataset("kaggle", write_set(tmp_path, **{"captions.txt": text}), splits="seeded")
    assert captions(dataset) == {
        "a": (
            "A dog , running .",
            'A "big" dog .',
            "A dog, a cat, a man",
            '"A dog that nobody closed',
        ),
        "b": ('A cat"', '12" of snow'),
    }
    assert ("captions.txt:9", "no comma between image and caption") in skipped(dataset)


def test_kaggle_uses_split_lists_that_lie_there(tmp_path):
    write_set(tmp_path, **{"captions.txt": "image,caption\na.jpg,A dog\nb.jpg,A cat\n"})
    write_files(
        tmp_path, {"Flickr_8k.trainImages.txt": "a.jpg", "Flickr_8k.testImages.txt": "b.jpg"}
    )
    assert splits(read_dataset("kaggle", tmp_path)) == {"a": "train", "b": "test"}


@pytest.mark.parametrize("text", ["", "a.jpg#0\tA dog .\n", "name,words\na.jpg,A dog\n"])
def test_kaggle_wants_its_header(tmp_path, text):
    with pytest.raises(DatasetError, match="must begin with the line `image,caption`"):
        read_dataset("kaggle", write_set(tmp_path, **{"captions.txt": text}))


# table


def test_table_columns_may_come_in_any_order_with_splits(tmp_path):
    text = "split,caption,image\nTrain,A dog,a.jpg\nval,A cat,b.jpg\ntest,Two men, sub/c.png\n"
    dataset = read_dataset("table", write_set(tmp_path, **{"captions.csv": text}))
    assert splits(dataset) == {"a": "train", "b": "dev", "sub/c": "test"}


@pytest.mark.parametrize("column", ["image", "file_name", "filename", "file", "path"])
def test_table_may_have_semicolons_and_other_names_of_the_image(tmp_path, column):
    text = f'"{column}";"Caption"\na.jpg;A dog, running\nb.jpg;"A cat; asleep"\n'
    dataset = read_dataset("table", write_set(tmp_path, **{"captions.csv": text}))
    assert captions(dataset) == {"a": ("A dog, running",), "b": ("A cat; asleep",)}


def test_table_names_may_lack_their_suffix_and_use_backslashes(tmp_path):
    text = "image\tcaption\na\tA dog\nsub\\c.png\tTwo men\n"
    dataset = read_dataset("table", write_set(tmp_path, **{"captions.tsv": text}))
    assert set(captions(dataset)) == {"a", "sub/c"}


def test_table_reads_lists_of_captions_from_json_lines(tmp_path):
    rows = [
        json.dumps({"image": "a.jpg", "captions": ["A dog", "", "One dog", 7], "split": "train"}),
        '{"image": "b.jpg", "caption": "A c',
        json.dumps({"caption": "A cat"}),
        json.dumps({"file_name": "b.jpg", "text": "A cat", "split": "somewhere"}),
        json.dumps({"image": "b.jpg", "split": "dev"}),
        json.dumps({"image": "b.jpg", "caption": "The cat", "split": "dev"}),
        "[1, 2]",
    ]
    path = write_set(tmp_path, **{"captions.jsonl": "\n".join(rows)})
    dataset = read_dataset("table", path)
    assert captions(dataset) == {"a": ("A dog", "One dog"), "b": ("A cat", "The cat")}
    assert sorted(skipped(dataset)) == [
        ("captions.jsonl:1", "caption is not text"),
        ("captions.jsonl:1", "empty caption"),
        ("captions.jsonl:2", "line is not a JSON object"),
        ("captions.jsonl:3", "row names no image"),
        (
            "captions.jsonl:4",
            "split is none of train, training, dev, val, valid, validation, test",
        ),
        ("captions.jsonl:5", "row has no caption"),
        ("captions.jsonl:7", "line is not a JSON object"),
        ("sub/c.png", "image has no captions"),
    ]


def test_table_rows_that_disagree_on_the_split_are_an_error(tmp_path):
    text = "image,caption,split\na.jpg,A dog,train\na.jpg,One dog,test\n"
    with pytest.raises(DatasetError, match=r"a\.jpg: train \(captions\.csv:2\), test"):
        read_dataset("table", write_set(tmp_path, **{"captions.csv": text}))


def test_table_without_its_columns_says_what_it_found(tmp_path):
    with pytest.raises(DatasetError, match=r"no column image or file_name or .*'photo, words'"):
        read_dataset("table", write_set(tmp_path, **{"captions.csv": "photo,words\na.jpg,A dog\n"}))


def test_table_of_another_kind_is_a_slip(tmp_path):
    write_set(tmp_path, **{"captions.xlsx": b"PK"})
    with pytest.raises(UsageError, match="is no table"):
        read_dataset("table", tmp_path, captions="captions.xlsx")


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)
names = st.from_regex(r"[a-z]{1,8}\.jpg", fullmatch=True)


@given(st.lists(st.tuples(names, texts), min_size=1), st.sampled_from(",\t"))
def test_what_a_csv_writer_writes_is_read_back(rows, delimiter):
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, lineterminator="\n").writerows(
        [("image", "caption"), *rows]
    )
    file = TextFile("captions.csv", "captions.csv", tuple(buffer.getvalue().split("\n")))
    read = [
        (row.fields["image"], row.fields["caption"])
        for row in read_rows(file, delimiter, ["caption"])
    ]
    assert read == rows


def test_a_quoted_caption_may_span_lines():
    lines = ("image,caption", 'a.jpg,"A dog', 'runs, fast"', "b.jpg,A cat")
    rows = list(read_rows(TextFile("x.csv", "x.csv", lines), ",", ["caption"]))
    assert [(row.item, row.fields["caption"]) for row in rows] == [
        ("x.csv:2", "A dog\nruns, fast"),
        ("x.csv:4", "A cat"),
    ]


# COCO


def coco(images, annotations):
    return json.dumps(
        {
            "images": [{"id": key, "file_name": name} for key, name in images.items()],
            "annotations": [
                {"id": number, "image_id": key, "caption": caption}
                for number, (key, caption) in enumerate(annotations)
            ],
        }
    )


def test_coco_files_give_splits_and_images_may_lie_in_their_folders(tmp_path):
    write_files(
        tmp_path,
        {
            "annotations/captions_train2017.json": coco({1: "1.jpg"}, [(1, "A dog"), (1, "Dogs")]),
            "annotations/captions_val2017.json": coco({2: "2.jpg"}, [(2, "A cat")]),
            "images/train2017/1.jpg": b"",
            "images/val2017/2.jpg": b"",
        },
    )
    dataset = read_dataset("coco", tmp_path)
    assert captions(dataset) == {"train2017/1": ("A dog", "Dogs"), "val2017/2": ("A cat",)}
    assert splits(dataset) == {"train2017/1": "train", "val2017/2": "dev"}
    one = read_dataset("coco", tmp_path, captions="annotations/captions_val2017.json")
    assert splits(one) == {"val2017/2": "dev"}
    drawn = read_dataset("coco", tmp_path, splits="seeded", split_fractions=(0, 0, 1))
    assert set(splits(drawn).values()) == {"test"}


def test_coco_skips_are_listed(tmp_path):
    value = json.loads(coco({1: "a.jpg", 2: "gone.jpg"}, [(1, "A dog"), (2, "A cat"), (3, "?")]))
    value["images"] += [{"id": 4}, 7]
    value["annotations"] += [{"id": 0, "image_id": 1, "caption": "Again"}, {"image_id": 1}, None]
    dataset = read_dataset(
        "coco", write_set(tmp_path, **{"captions_all.json": json.dumps(value)}), splits="seeded"
    )
    assert captions(dataset) == {"a": ("A dog",)}
    assert [reason for _, reason in skipped(dataset) if reason != "image has no captions"] == [
        "image record has no file_name",
        "image record has no file_name",
        "annotation names no image record",
        "caption id occurs twice",
        "caption is not text",
        "annotation names no image record",
        "no such image",
    ]


def test_coco_files_of_which_only_some_name_a_split_are_an_error(tmp_path):
    text = coco({1: "a.jpg"}, [(1, "A dog")])
    write_set(tmp_path, **{"captions_train.json": text, "captions_more.json": text})
    with pytest.raises(DatasetError, match=r"some do not: captions_more\.json"):
        read_dataset("coco", tmp_path)


def test_an_image_in_two_coco_files_is_in_two_splits(tmp_path):
    text = coco({1: "a.jpg"}, [(1, "A dog")])
    write_set(tmp_path, **{"captions_train.json": text, "captions_val.json": text})
    with pytest.raises(DatasetError, match=r"a\.jpg: train \(captions_train\.json\), dev"):
        read_dataset("coco", tmp_path)


@pytest.mark.parametrize(
    ("format", "name"), [("coco", "captions_train.json"), ("karpathy", "dataset_flickr8k.json")]
)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images": [\n{"id": 1,,}', "is not valid JSON: .*line 2 column 10"),
        ("", "is not valid JSON"),
        ("[1]", "has no list 'images' at its top. Received: list"),
        ('{"pictures": []}', "has no list 'images' at its top. Received: pictures"),
        ('{"images": {}}', "has no list 'images' at its top"),
    ],
)
def test_json_of_another_kind_is_an_error_with_its_place(tmp_path, format, name, text, message):
    with pytest.raises(DatasetError, match=message):
        read_dataset(format, write_set(tmp_path, **{name: text}))


# Karpathy


def test_karpathy_restval_is_training_and_filepath_is_a_folder(tmp_path):
    records = [
        {"filename": "a.jpg", "split": "restval", "sentences": [{"raw": "A dog"}, {"raw": " "}]},
        {"filename": "b.jpg", "split": "val", "sentences": [{"raw": "A cat"}]},
        {"filename": "c.png", "filepath": "sub", "split": "test", "sentences": [{"raw": "Men"}]},
        {"filename": "gone.jpg", "split": "test", "sentences": [{"raw": "Men"}]},
        {"filename": "a.jpg", "split": "unknown"},
        {"split": "test"},
        None,
    ]
    text = json.dumps({"dataset": "flickr8k", "images": records})
    dataset = read_dataset("karpathy", write_set(tmp_path, **{"dataset_flickr8k.json": text}))
    assert splits(dataset) == {"a": "train", "b": "dev", "sub/c": "test"}
    assert skipped(dataset) == [
        ("dataset_flickr8k.json: images[4]", "split is none of train, restval, val, test"),
        ("dataset_flickr8k.json: images[4]", "caption is not text"),
        ("dataset_flickr8k.json: images[5]", "image record has no filename"),
        ("dataset_flickr8k.json: images[6]", "image record has no filename"),
        ("dataset_flickr8k.json: images[0]", "empty caption"),
        ("dataset_flickr8k.json: images[3]", "no such image"),
    ]


# sidecar


def test_sidecars_give_one_caption_a_line(tmp_path):
    files = {
        "dog.JPG": b"",
        "dog.txt": "A dog\n\nOne dog\n",
        "sub/cat.png": b"",
        "sub/cat.TXT": b"Un chat \xe0 table",
        "bare.jpg": b"",
        "blank.jpg": b"",
        "blank.txt": "\n",
        "readme.txt": "Hello",
        "twin.jpg": b"",
        "twin.png": b"",
        "twin.txt": "Twins",
    }
    dataset = read_dataset("sidecar", write_files(tmp_path, files))
    assert captions(dataset) == {
        "dog": ("A dog", "One dog"),
        "sub/cat": ("Un chat \u00e0 table",),
        "twin": ("Twins",),
    }
    assert sorted(skipped(dataset)) == [
        ("bare.jpg", "image has no captions"),
        ("blank.jpg", "image has no captions"),
        ("blank.txt", "empty caption"),
        ("readme.txt", "no such image"),
        ("twin.png", "another image has the same id"),
    ]
    assert any("sub/cat.TXT: 1 line is not UTF-8" in note for note in dataset.notes)
    assert len(dataset.files) == 4


def test_sidecar_split_lists_count_when_named(tmp_path):
    write_files(
        tmp_path / "set", {"a.jpg": b"", "a.txt": "A dog", "train.jpg": b"", "train.txt": "A train"}
    )
    assert set(captions(read_dataset("sidecar", tmp_path / "set"))) == {"a", "train"}
    write_files(tmp_path / "lists", {"train.txt": "a", "test.txt": "train.jpg"})
    dataset = read_dataset("sidecar", tmp_path / "set", splits=tmp_path / "lists")
    assert splits(dataset) == {"a": "train", "train": "test"}


@pytest.mark.parametrize("images", ["photos", "data/photos", "/absolute"])
def test_images_are_named_from_the_data_set_or_from_the_current_folder(
    tmp_path, monkeypatch, images
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/photos").mkdir(parents=True)
    (tmp_path / "data/photos/1.jpg").write_bytes(b"")
    (tmp_path / "data/captions.csv").write_text("image,caption\n1.jpg,a dog\n")
    named = tmp_path / "data/photos" if images == "/absolute" else images
    for path in ("data", "data/captions.csv"):
        dataset = read_dataset("table", path, images=named)
        assert [image.image_id for image in dataset.images] == ["1"]
