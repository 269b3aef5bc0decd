"""What is listed, in which order, and what stands where an image should."""

import io
import operator
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captioner.captioning.file_names import name_fields, name_from_fields
from captioner.captioning.folders import list_folder
from captioner.captioning.listing import Listing
from captioner.captioning.sorting import sort_names
from captioner.errors import UsageError


def touch(folder: Path, *names: str | bytes) -> None:
    for name in names:
        path = os.path.join(os.fsencode(folder), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb"):
            pass


def names(folder: Path, *, recursive: bool = True) -> list[str]:
    return [listed.name for listed in list_folder(str(folder), recursive=recursive)]


def test_folders_are_listed_in_order_and_only_images(tmp_path):
    touch(tmp_path, "b.JPG", "a.png", "c.txt", ".d.png", "sub/x.Webp", "sub/.y/z.png", "b/q.gif")
    assert names(tmp_path) == ["a.png", "b.JPG", "b/q.gif", "sub/x.Webp"]
    assert names(tmp_path, recursive=False) == ["a.png", "b.JPG"]


def test_names_that_are_hard_to_write_down(tmp_path):
    hard = [
        "a\nb.jpg",
        "tab\t.jpg",
        "\N{SMILING FACE WITH SMILING EYES}.jpg",
        "q'\".jpg",
        b"caf\xe9.jpg",
    ]
    touch(tmp_path, *hard)
    assert sorted(map(os.fsencode, names(tmp_path))) == sorted(map(os.fsencode, hard))


@pytest.mark.parametrize("target", [".", "..", "sub", "../photos/sub"])
def test_links_that_lead_back_are_not_followed(tmp_path, target):
    touch(tmp_path, "photos/sub/x.png")
    (tmp_path / "photos" / "sub" / "loop").symlink_to(target)
    assert names(tmp_path / "photos") == ["sub/x.png"]


def test_linked_folders_are_entered_once(tmp_path):
    touch(tmp_path, "elsewhere/x.png", "photos/a.png")
    for link in ("one", "two"):
        (tmp_path / "photos" / link).symlink_to(tmp_path / "elsewhere")
    found = names(tmp_path / "photos")
    assert "a.png" in found
    assert len(found) == 2
    assert found[1] in ("one/x.png", "two/x.png")


def test_links_to_siblings_make_no_doubles(tmp_path):
    touch(tmp_path, *(f"{i}/x.png" for i in range(6)))
    for i in range(6):
        for j in range(6):
            (tmp_path / str(i) / f"to{j}").symlink_to(tmp_path / str(j))
    assert names(tmp_path) == [f"{i}/x.png" for i in range(6)]


def test_what_is_no_file_has_a_fault(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "broken.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "self.jpg").symlink_to("self.jpg")
    faults = {listed.name: listed.fault for listed in list_folder(str(tmp_path))}
    assert faults["pipe.jpg"] == "is a named pipe, not a file"
    assert faults["broken.jpg"] == "links to a file that is not there"
    assert faults["self.jpg"].startswith("cannot be read: Too many levels of symbolic links")


def test_an_unlistable_folder_is_told_and_survived(tmp_path, monkeypatch):
    touch(tmp_path, "a.png", "locked/x.png", "z.png")
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("locked/"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = [(listed.name, listed.fault) for listed in list_folder(str(tmp_path), recursive=True)]
    assert found == [
        ("a.png", None),
        ("locked", "the folder cannot be listed: Permission denied"),
        ("z.png", None),
    ]


def test_very_deep_folders(tmp_path):
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        for _ in range(1200):
            os.mkdir("d")
            os.chdir("d")
        touch(Path("."), "x.png")
        os.chdir(here)
        assert names(tmp_path) == ["d/" * 1200 + "x.png"]
    finally:
        os.chdir(here)
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)  # shutil.rmtree cannot


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jpg", ["[!]e.jpg", "a.jpg", "b.jpg"]),
        ("[!a]*.*", ["[!]e.jpg", "b.jpg", "c.png"]),
        ("?.png", ["c.png"]),
        ("**/*.jpg", ["[!]e.jpg", "a.jpg", "b.jpg", "sub/d.jpg", "sub/deep/e.jpg"]),
        ("sub/*", ["d.jpg"]),
        ("s*/*.jpg", ["sub/d.jpg"]),
        ("[!]*", ["[!]e.jpg"]),
    ],
)
def test_patterns(tmp_path, pattern, expected):
    touch(tmp_path, "a.jpg", "b.jpg", "c.png", "a.txt", "sub/d.jpg", "sub/deep/e.jpg", "[!]e.jpg")
    assert [listed.name for listed in Listing([f"{tmp_path}/{pattern}"])] == expected


def test_a_file_whose_name_is_a_pattern(tmp_path):
    touch(tmp_path, "[1].jpg", "1.jpg")
    assert [listed.name for listed in Listing([f"{tmp_path}/[1].jpg"])] == ["[1].jpg"]


def test_named_files_count_whatever_their_suffix_but_not_companions(tmp_path):
    touch(tmp_path, "a.jpg", "a.txt", "scan.dat")
    every = [str(tmp_path / name) for name in ("a.jpg", "a.txt", "scan.dat")]
    assert [listed.name for listed in Listing(every)] == ["a.jpg", "scan.dat"]
    assert [listed.name for listed in Listing(every[1:2])] == ["a.txt"]


def test_missing_paths_are_named_before_any_work():
    with pytest.raises(UsageError, match=r"'nowhere', 'gone\.jpg': no such file or folder"):
        Listing(["nowhere", "gone.jpg"])
    with pytest.raises(UsageError, match="nothing to caption: name files"):
        Listing()


@pytest.mark.parametrize(
    ("content", "null_separated"),
    [
        (b"a.jpg\nsub/b.jpg\n\nc.jpg", False),
        (b"\xef\xbb\xbfa.jpg\r\nsub/b.jpg\r\nc.jpg\r\n", False),
        (b"a.jpg\0sub/b.jpg\0c.jpg\0", True),
    ],
)
def test_filelists(tmp_path, content, null_separated):
    path = tmp_path / "list"
    path.write_bytes(content)
    listing = Listing(filelist=str(path), null_separated=null_separated)
    assert [listed.name for listed in listing] == ["a.jpg", "sub/b.jpg", "c.jpg"]
    assert {listed.fault for listed in listing} == {"does not exist"}


def test_a_filelist_from_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\nb.jpg\0caf\xe9.jpg\0")))
    listing = Listing(filelist="-", null_separated=True)
    assert not listing.can_repeat
    assert [os.fsencode(listed.name) for listed in listing] == [b"a\nb.jpg", b"caf\xe9.jpg"]


def test_sorting_holds_a_few_names_and_keeps_all():
    count = 40_000

    def shuffled():
        return (f"{(i * 7919) % count:06d}.jpg" for i in range(count))

    def peak_of(ordered):
        tracemalloc.start()
        is_same = all(map(operator.eq, ordered(), (f"{i:06d}.jpg" for i in range(count))))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert is_same
        return peak

    few = peak_of(lambda: sort_names(shuffled(), run_length=2000))
    assert few < peak_of(lambda: sorted(shuffled())) / 2


@given(st.binary(min_size=1, max_size=40).filter(lambda raw: b"\0" not in raw and b"/" not in raw))
def test_names_survive_rows_byte_for_byte(raw):
    name = os.fsdecode(raw)
    fields = name_fields(name)
    fields["path"].encode("utf-8")  # readable by anything
    assert os.fsencode(name_from_fields(fields)) == raw
