import stat
import zipfile

import pytest

from captioner.datasets import archives
from captioner.datasets.archives import extract_archive
from captioner.errors import DownloadError


def make_zip(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for member, content in members:
            file.writestr(member, content)
    return path


def special(name, mode):
    member = zipfile.ZipInfo(name)
    member.external_attr = mode << 16
    return member


@pytest.fixture
def target(tmp_path):
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


def test_files_and_folders_come_out_and_litter_stays_in(tmp_path, target):
    members = [("a/", ""), ("a/b.txt", "b"), ("c.txt", "c"), ("__MACOSX/a/._b.txt", "x")]
    extract_archive(make_zip(tmp_path / "a.zip", [*members, ("a/.DS_Store", "x")]), target)
    assert {p.relative_to(target).as_posix() for p in target.rglob("*")} == {
        "a",
        "a/b.txt",
        "c.txt",
    }
    assert (target / "a/b.txt").read_text() == "b"


@pytest.mark.parametrize(
    ("member", "fault"),
    [
        ("/etc/passwd", "absolute path"),
        ("../outside.txt", "absolute path"),
        ("a/../../outside.txt", "absolute path"),
        ("a\\..\\..\\outside.txt", "absolute path"),
        ("C:\\outside.txt", "absolute path"),
        ("\\\\server\\share\\x", "absolute path"),
        (special("link", stat.S_IFLNK | 0o777), "link or a device"),
        (special("pipe", stat.S_IFIFO | 0o644), "link or a device"),
        (special("disk", stat.S_IFBLK | 0o644), "link or a device"),
        ("a/NUL.txt", "name of a device"),
        ("com1", "name of a device"),
        ("a/b.txt:stream", "colon"),
    ],
)
def test_a_harmful_member_stops_everything_before_anything_is_written(
    tmp_path, target, member, fault
):
    archive = make_zip(tmp_path / "a.zip", [("good.txt", "good"), (member, "/etc/passwd")])
    with pytest.raises(DownloadError, match=fault):
        extract_archive(archive, target)
    assert list(target.iterdir()) == []
    assert not (tmp_path / "outside.txt").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("a.txt", "a.txt"), ("a", "a/b.txt")])
def test_two_members_of_one_name_are_refused(tmp_path, target, names):
    archive = make_zip(tmp_path / "a.zip", [(name, name) for name in names])
    with pytest.raises(DownloadError, match="same name"):
        extract_archive(archive, target)


def test_a_bomb_is_refused(tmp_path, target):
    archive = make_zip(tmp_path / "a.zip", [("zeros", bytes(80 << 20))])
    with pytest.raises(DownloadError, match="times the archive's size"):
        extract_archive(archive, target)
    assert list(target.iterdir()) == []


def test_too_many_bytes_are_refused(tmp_path, target, monkeypatch):
    monkeypatch.setattr(archives, "MAX_BYTES", 5)
    with pytest.raises(DownloadError, match="would take"):
        extract_archive(make_zip(tmp_path / "a.zip", [("a", "123456")]), target)


def test_a_damaged_member_is_told(tmp_path, target):
    archive = make_zip(tmp_path / "a.zip", [("a", b"content" * 99)], zipfile.ZIP_STORED)
    archive.write_bytes(archive.read_bytes().replace(b"content", b"CONTENT", 1))
    with pytest.raises(DownloadError, match="damaged"):
        extract_archive(archive, target)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_what_is_no_archive_is_told(tmp_path, target, content):
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DownloadError, match="no zip archive"):
        extract_archive(tmp_path / "a.zip", target)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_is_told_however_a_member_is_packed(tmp_path, target, compression):
    path = make_zip(tmp_path / "a.zip", [("a.txt", repr([*range(2000)]))], compression)
    content = bytearray(path.read_bytes())
    content[45:-120] = bytes(len(content) - 165)
    path.write_bytes(content)
    with pytest.raises(DownloadError, match="is damaged or no zip archive"):
        extract_archive(path, target)


def test_a_name_that_is_not_the_utf8_it_says_it_is_is_damage(tmp_path, target):
    path = make_zip(tmp_path / "a.zip", [("caf\u00e9.txt", "x")])
    path.write_bytes(path.read_bytes().replace("\u00e9".encode(), b"\xff\xfe"))
    with pytest.raises(DownloadError, match="is damaged or no zip archive"):
        extract_archive(path, target)


def test_a_member_too_deep_for_any_file_system_is_refused(tmp_path, target):
    path = make_zip(tmp_path / "a.zip", [("a/" * 2000 + "b.txt", "x")])
    with pytest.raises(DownloadError, match="lies more than 64 folders deep"):
        extract_archive(path, target)
    assert list(target.iterdir()) == []
