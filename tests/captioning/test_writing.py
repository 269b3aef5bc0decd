"""Files replaced whole, by several writers at once and after one that was killed."""

import multiprocessing
import os
import sys
from pathlib import Path

import pytest

from captioner.captioning.writing import replace_content, temporary_path

SIZE = 200_000


def write_often(path: Path, letter: bytes, num_times: int) -> None:
    for _ in range(num_times):
        replace_content(path, (letter * (SIZE // 4) for _ in range(4)))


@pytest.mark.skipif(sys.platform == "win32", reason="no locks on open files")
def test_writers_of_one_file_never_meet_in_it(tmp_path):
    path = tmp_path / "x.txt"
    replace_content(path, b"0" * SIZE)
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=write_often, args=(path, letter, 100)) for letter in (b"a", b"b")
    ]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        content = path.read_bytes()
        assert len(content) == SIZE
        assert len(set(content)) == 1
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert os.listdir(tmp_path) == ["x.txt"]


@pytest.mark.parametrize("leftover", ["file", "unreadable", "link", "broken link"])
def test_what_a_killed_writer_left_is_taken_away(tmp_path, leftover):
    path, elsewhere = tmp_path / "x.txt", tmp_path / "elsewhere"
    elsewhere.write_text("not ours")
    temporary = temporary_path(path)
    if leftover.endswith("link"):
        temporary.symlink_to(elsewhere if leftover == "link" else tmp_path / "nothing")
    else:
        temporary.write_text("half")
        temporary.chmod(0 if leftover == "unreadable" else 0o600)
    replace_content(path, b"whole")
    assert path.read_bytes() == b"whole"
    assert path.stat().st_mode & 0o077 == 0o066 & ~_umask()
    assert elsewhere.read_text() == "not ours"
    assert not os.path.lexists(temporary)


def test_a_link_stays_one(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "x.txt").symlink_to("there/y.txt")
    for content in (b"first", b"second"):
        replace_content(tmp_path / "x.txt", content)
        assert (tmp_path / "there/y.txt").read_bytes() == content
    assert (tmp_path / "x.txt").is_symlink()


def test_a_failure_leaves_nothing_behind(tmp_path):
    def fail():
        yield b"half"
        raise RuntimeError("of the generator")

    replace_content(tmp_path / "x.txt", b"before")
    with pytest.raises(RuntimeError, match="of the generator"):
        replace_content(tmp_path / "x.txt", fail())
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"before"]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
