"""Captions made elsewhere: every format, every way to name an image, every fault with its line."""

import json

import pytest

from captioner.errors import ScoreError
from captioner.metrics.captions_file import read_captions_file

IDS = ["beach/1", "beach/2", "dog.final"]
CAPTIONS = {"beach/1": "a dog, running", "beach/2": "two men", "dog.final": ""}


@pytest.fixture
def write(tmp_path):
    def write_file(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("c.jsonl", '{"image_id": "beach/1", "caption": "a dog, running"}\n\n'
                    '{"image": "beach/2.jpg", "caption": "two men", "score": -3.5}\n'
                    '{"file": "/data/dog.final.JPEG", "caption": ""}'),
        ("c.json", json.dumps([{"image_id": key, "caption": text}
                               for key, text in CAPTIONS.items()])),
        ("c.csv", 'image,caption\nbeach/1.jpg,"a dog, running"\nbeach/2.jpg,two men\n'
                  "dog.final.jpg,\n"),
        ("c.csv", 'root,path,Caption,n\n.,beach/1.jpg,"a dog, running",1\n,beach/2.jpg,two men,\n'
                  ",dog.final.jpg,,\n"),
        ("c.csv", '"Image";"Caption"\nbeach/1.jpg;a dog, running\n"beach/2.jpg";two men\n'
                  "dog.final.jpg;\n"),
        ("c.tsv", "image\tcaption\nbeach/1.jpg\ta dog, running\nbeach/2\ttwo men\ndog.final\t\n"),
        ("c.txt", "beach/1.jpg#0\ta dog, running\nbeach\\2.jpg\ttwo men\n./dog.final.jpg\t"),
        ("c.txt", "a dog, running\ntwo men\n\n"),
        ("c.txt", "a dog, running\r\ntwo men\r\n\r\n"),
        ("c.txt", "\ufeffa dog, running\ntwo men\n\n"),
    ],
)  # fmt: skip
def test_formats(write, name, content):
    assert read_captions_file(write(name, content), IDS) == CAPTIONS


@pytest.mark.parametrize("separator", ["\u2028", "\x0b", "\x85"])
def test_only_line_feeds_end_a_line(write, separator):
    caption = f"a dog{separator}runs"
    for name, content in (
        ("c.csv", f"1,{caption}"),
        ("c.tsv", f"1\t{caption}"),
        ("c.txt", caption),
        ("c.jsonl", json.dumps({"image": "1", "caption": caption}, ensure_ascii=False)),
    ):
        assert read_captions_file(write(name, content), ["1"]) == {"1": caption}


def test_the_order_of_the_split_decides_lines_without_names(write):
    path = write("c.txt", "one\ntwo")
    assert read_captions_file(path, ["b", "a"]) == {"b": "one", "a": "two"}


@pytest.mark.parametrize("name", [42, "42", "000000000042.jpg", "COCO_val2014_000000000042.jpg"])
def test_coco_numbers_find_their_image(write, name):
    ids = ["val2014/COCO_val2014_000000000042", "val2014/COCO_val2014_000000000421"]
    path = write("c.json", json.dumps([{"image_id": name, "caption": "a dog"}]))
    if name == "000000000042.jpg":
        ids = ["val2017/000000000042", "val2017/000000000421"]
    assert read_captions_file(path, ids) == {ids[0]: "a dog"}


def test_short_names_find_an_image_only_if_they_fit_one(write):
    path = write("c.jsonl", '{"image": "1.jpg", "caption": "a dog"}')
    assert read_captions_file(path, ["a/1", "b/2"]) == {"a/1": "a dog"}
    with pytest.raises(ScoreError, match=r"c\.jsonl:1 \('1\.jpg'\)"):
        read_captions_file(path, ["a/1", "b/1"])
    assert read_captions_file(path, ["1", "b/1"]) == {"1": "a dog"}


def test_images_of_another_folder_are_not_taken(write):
    path = write("c.txt", "sea/1.jpg\ta dog")
    with pytest.raises(ScoreError, match=r"not in the split: 1, at .*c\.txt:1 \('sea/1\.jpg'\)"):
        read_captions_file(path, ["beach/1"])
    assert read_captions_file(path, ["1"]) == {"1": "a dog"}


def test_missing_images_are_left_to_the_scores(write):
    path = write("c.txt", "beach/1\ta dog")
    assert read_captions_file(path, IDS) == {"beach/1": "a dog"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.jsonl", '{"image": "1", "caption": "x"}\n{"image":',
         r"c\.jsonl:2: this line is no JSON"),
        ("c.jsonl", '[1]', r"c\.jsonl:1: expected an object, found a list"),
        ("c.jsonl", '{"photo": 1, "caption": "x"}', r"c\.jsonl:1: none of the keys image_id, .* "
                                                     r"Found: photo, caption"),
        ("c.jsonl", '{"image": "1", "title": "x"}', r"none of the keys caption, text is there"),
        ("c.jsonl", '{"image": null, "caption": "x"}', "named by text or a whole number, not null"),
        ("c.jsonl", '{"image": 1.0, "caption": "x"}', "by text or a whole number, not 1.0"),
        ("c.jsonl", '{"image": true, "caption": "x"}', "not true or false"),
        ("c.jsonl", '{"image": "1", "caption": ["x"]}', "the caption must be text, not a list"),
        ("c.jsonl", '{"image": "1", "caption": "x"}\n\n{"image": "1.png", "caption": "y"}',
         r"c\.jsonl:3: image '1' has a caption already, at .*c\.jsonl:1\."),
        ("c.json", '{"1": "x"}', "expected a list of objects .* found an object"),
        ("c.json", '[{"image_id": 1, "caption": "x"}, 7]', "c.json: entry 2: expected an object"),
        ("c.json", "[", "this is no JSON"),
        ("c.csv", '1,a dog, running', r"c\.csv:1: expected an image, a comma and a caption; "
                                      "found 3 fields"),
        ("c.csv", 'id,n,text\n1,7,a dog\n2,8', r"c\.csv:3: expected 3 fields as in the first line; "
                                                "found 2 fields"),
        ("c.csv", '1,"a dog', r"c\.csv:1: this is no CSV"),
        ("c.csv", "a" * 200_000, r"c\.csv:1: this is no CSV"),
        ("c.txt", "1\ta dog\n2 two men", r"c\.txt:2: expected an image, a tab and a caption; "
                                         r"found 1 field\."),
        ("c.txt", "a dog", r"c\.txt: 1 lines for 2 images"),
        ("c.txt", "", r"c\.txt: 0 lines for 2 images"),
        ("c.txt", b"a dog\nein M\xe4dchen", r"c\.txt:2: byte 0xe4 is not UTF-8"),
    ],
)  # fmt: skip
def test_faults_are_told_with_their_line(write, name, content, message):
    with pytest.raises(ScoreError, match=message):
        read_captions_file(write(name, content), ["1", "2"])


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ScoreError, match=r"none\.jsonl: the captions cannot be read: No such file"):
        read_captions_file(tmp_path / "none.jsonl", IDS)


def test_many_foreign_images_are_summed_up(write):
    path = write("c.txt", "".join(f"x{i}\ta dog\n" for i in range(9)))
    with pytest.raises(ScoreError, match=r"not in the split: 9, at .* and 4 more\. Score them"):
        read_captions_file(path, IDS)


@pytest.mark.parametrize("name", ["c.json", "c.jsonl"])
def test_brackets_without_end_are_no_traceback(write, name):
    with pytest.raises(ScoreError, match="is no JSON: Nested too deeply"):
        read_captions_file(write(name, "[" * 100_000), IDS)
