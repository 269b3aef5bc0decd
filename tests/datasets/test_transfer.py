import errno
import hashlib
import io
import os
import socket

import pytest
from servers import FileServer

from captioner.datasets import transfer
from captioner.datasets.transfer import digest_file_of, download_file
from captioner.errors import DownloadError

BODY = bytes(range(256)) * 2000
DIGEST = hashlib.sha256(BODY).hexdigest()


def fetch(server, path, **options):
    return download_file(f"{server.url}/a.zip", path, pause_seconds=0, **options)


def test_a_file_arrives_whole_and_its_digest_is_kept(tmp_path):
    with FileServer({"a.zip": BODY}) as server:
        path = fetch(server, tmp_path / "a.zip")
    assert path.read_bytes() == BODY
    assert digest_file_of(path).read_text() == f"{DIGEST}  a.zip\n"
    assert {file.name for file in tmp_path.iterdir()} == {"a.zip", "a.zip.sha256"}


def test_an_interrupted_transfer_continues_where_it_stopped(tmp_path):
    with FileServer({"a.zip": BODY}, cut_after=[100_000, 50_000]) as server:
        assert fetch(server, tmp_path / "a.zip", sha256=DIGEST).read_bytes() == BODY
    assert server.requests == [None, "bytes=100000-", "bytes=150000-"]


def test_a_later_call_continues_what_an_earlier_one_began(tmp_path):
    with FileServer({"a.zip": BODY}, cut_after=[100_000, 0, 0, 0, 0]) as server:
        with pytest.raises(DownloadError, match=r"ended early\. 0\.1 MB are kept"):
            fetch(server, tmp_path / "a.zip")
        server.requests.clear()
        assert fetch(server, tmp_path / "a.zip").read_bytes() == BODY
    assert server.requests == ["bytes=100000-"]


def test_a_server_without_ranges_is_asked_for_everything_again(tmp_path):
    with FileServer({"a.zip": BODY}, ranges=False, cut_after=[100_000]) as server:
        assert fetch(server, tmp_path / "a.zip").read_bytes() == BODY


def test_a_file_that_changed_in_between_is_fetched_anew(tmp_path):
    other = BODY[::-1]
    with FileServer({"a.zip": BODY}, cut_after=[100_000, 0, 0, 0, 0]) as server:
        with pytest.raises(DownloadError):
            fetch(server, tmp_path / "a.zip")
        server.files["a.zip"], server.etag = other, '"two"'
        assert fetch(server, tmp_path / "a.zip").read_bytes() == other


def test_a_file_that_became_shorter_is_fetched_anew(tmp_path):
    with FileServer({"a.zip": BODY}, etag=None, cut_after=[100_000, 0, 0, 0, 0]) as server:
        with pytest.raises(DownloadError):
            fetch(server, tmp_path / "a.zip")
        server.files["a.zip"] = BODY[:5000]
        assert fetch(server, tmp_path / "a.zip").read_bytes() == BODY[:5000]


def test_a_part_that_nothing_is_known_of_is_not_trusted(tmp_path):
    (tmp_path / "a.zip.part").write_bytes(b"x" * 1000)
    with FileServer({"a.zip": BODY}) as server:
        assert fetch(server, tmp_path / "a.zip").read_bytes() == BODY
    assert server.requests == [None]


def test_a_length_that_is_never_reached_is_an_error(tmp_path):
    with (
        FileServer({"a.zip": BODY}, claim=10, ranges=False) as server,
        pytest.raises(DownloadError, match="ended early"),
    ):
        fetch(server, tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


def test_a_wrong_digest_removes_the_file_and_says_so(tmp_path):
    with (
        FileServer({"a.zip": BODY}) as server,
        pytest.raises(DownloadError, match=f"SHA-256 is {DIGEST}, but the published digest"),
    ):
        fetch(server, tmp_path / "a.zip", sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_a_remembered_digest_is_checked_from_then_on(tmp_path):
    with FileServer({"a.zip": BODY}) as server:
        fetch(server, tmp_path / "a.zip").unlink()
        server.files["a.zip"] = BODY[::-1]
        with pytest.raises(DownloadError, match=r"a\.zip\.sha256 says"):
            fetch(server, tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


def test_a_missing_file_is_told_at_once(tmp_path):
    with FileServer({}) as server, pytest.raises(DownloadError, match="answered 404"):
        fetch(server, tmp_path / "a.zip")
    assert len(server.requests) == 1


def test_a_busy_server_is_asked_again(tmp_path):
    with FileServer({"a.zip": BODY}, statuses=[503, 502]) as server:
        assert fetch(server, tmp_path / "a.zip").read_bytes() == BODY


def test_a_refused_connection_names_the_address(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(DownloadError, match=f"127.0.0.1:{port}/a.zip could not be fetched"):
            download_file(f"http://127.0.0.1:{port}/a.zip", tmp_path / "a.zip", pause_seconds=0)


def test_other_addresses_than_http_are_refused(tmp_path):
    with pytest.raises(DownloadError, match="expected http"):
        download_file("file:///etc/passwd", tmp_path / "a.zip")


class FullDisk(io.FileIO):
    """Takes 100,000 bytes and no more."""

    def write(self, data):
        if self.tell() + len(data) > 100_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


def test_a_full_disk_keeps_what_arrived(tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "_CHUNK_BYTES", 50_000)
    with FileServer({"a.zip": BODY}) as server:
        with monkeypatch.context() as patch:
            patch.setattr(
                transfer,
                "open",
                lambda path, mode: FullDisk(path, mode.replace("b", "")),
                raising=False,
            )
            with pytest.raises(DownloadError, match=r"No space left.*Make room.*MB are kept"):
                fetch(server, tmp_path / "a.zip")
        kept = (tmp_path / "a.zip.part").stat().st_size
        assert 0 < kept <= 100_000
        assert fetch(server, tmp_path / "a.zip").read_bytes() == BODY
    assert server.requests[-1] == f"bytes={kept}-"
