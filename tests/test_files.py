"""Files are whole at any moment."""

import os
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captioner.files import (
    hash_file,
    make_folder,
    parse_json,
    replace_file,
    write_json,
    write_text,
)


@given(st.binary())
def test_what_is_written_is_read(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("files") / "file"
    with replace_file(path) as file:
        file.write(content)
    assert path.read_bytes() == content
    assert os.listdir(path.parent) == ["file"]


def test_a_fault_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "file.txt"
    write_text(path, "old")
    with pytest.raises(TypeError), replace_file(path, "w") as file:
        file.writelines(["half of the n", None])
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_a_killed_writer_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    write_text(path, "old")
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from captioner.files import replace_file\n"
        "with replace_file(Path(sys.argv[1]), 'w') as file:\n"
        "    file.write('half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, path], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_text() == "old"


def test_permissions_follow_the_umask_as_those_of_any_new_file(tmp_path):
    (tmp_path / "plain").write_text("")
    write_text(tmp_path / "replaced", "")
    assert (tmp_path / "plain").stat().st_mode == (tmp_path / "replaced").stat().st_mode


def test_json_keeps_letters_readable(tmp_path):
    write_json(tmp_path / "x.json", {"caption": "ein Hund läuft"})
    assert "läuft" in (tmp_path / "x.json").read_text(encoding="utf-8")


def test_hash_is_sha256(tmp_path):
    write_text(tmp_path / "abc", "abc")
    assert hash_file(tmp_path / "abc").startswith("ba7816bf8f01cfea414140de5dae2223")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "", "[1,", b"\xff\xfe"])
def test_damaged_json_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"\w"):
        parse_json(text)
    assert parse_json('{"a": [1]}') == {"a": [1]}


def test_a_folder_appears_when_all_is_in_it(tmp_path):
    target = tmp_path / "far" / "made"
    with make_folder(target) as staging:
        (staging / "part").write_text("one")
        assert not target.exists()
        assert staging.parent == target.parent  # on the same file system
    assert [path.name for path in target.parent.iterdir()] == ["made"]
    assert (target / "part").read_text() == "one"
    (tmp_path / "plain").mkdir()
    assert target.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_folder_whose_making_fails_leaves_nothing(tmp_path):
    def fail():
        with make_folder(tmp_path / "made") as staging:
            (staging / "part").write_text("one")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_writer_left_of_a_folder_is_removed(tmp_path):
    left = tmp_path / ".made.abcd1234.tmp"
    (left / "members").mkdir(parents=True)
    other = tmp_path / ".made-too.abcd1234.tmp"
    other.mkdir()
    with make_folder(tmp_path / "made"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [other.name, "made"]
    assert list((tmp_path / "made").iterdir()) == []


@pytest.mark.parametrize("there", ["file", "full folder", "link to nothing"])
def test_a_folder_takes_no_place_that_is_taken(tmp_path, there):
    target = tmp_path / "made"
    if there == "file":
        target.write_text("mine")
    elif there == "full folder":
        target.mkdir()
        (target / "diary.txt").write_text("mine")
    else:
        target.symlink_to(tmp_path / "nowhere")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(FileExistsError), make_folder(target):
        pass
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_to_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "made").symlink_to(tmp_path / "far")
    with make_folder(tmp_path / "made") as staging:
        (staging / "part").write_text("one")
    assert (tmp_path / "made").is_symlink()
    assert (tmp_path / "far" / "part").read_text() == "one"
