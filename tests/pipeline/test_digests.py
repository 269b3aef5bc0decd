"""Digests are remembered, and never wrong for it."""

import os
import time

import pytest

from captioner.files import hash_file
from captioner.pipeline import digests
from captioner.pipeline.digests import DigestCache


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"content")
    return path


@pytest.fixture(autouse=True)
def _files_settle_at_once(monkeypatch):
    monkeypatch.setattr(digests, "_FRESH_NS", -(10**12))


def hashing_is_counted(monkeypatch):
    calls = []
    monkeypatch.setattr(digests, "hash_file", lambda path: calls.append(path) or hash_file(path))
    return calls


def test_an_unchanged_file_is_read_once(tmp_path, photo, monkeypatch):
    calls = hashing_is_counted(monkeypatch)
    first = DigestCache(tmp_path / "cache")
    assert first.digest(photo) == hash_file(photo)
    first.save()
    assert DigestCache(tmp_path / "cache").digest(photo) == hash_file(photo)
    assert calls == [photo]


def test_what_was_learnt_waits_for_the_folder(tmp_path, photo, monkeypatch):
    calls = hashing_is_counted(monkeypatch)
    cache = DigestCache(tmp_path / "artifacts" / "cache")
    cache.digest(photo)
    cache.save()
    assert not (tmp_path / "artifacts").exists()
    (tmp_path / "artifacts").mkdir()
    cache.save()
    assert DigestCache(tmp_path / "artifacts" / "cache").digest(photo) == hash_file(photo)
    assert calls == [photo]


def test_many_files_are_asked_for_at_once(tmp_path, photo, monkeypatch):
    calls = hashing_is_counted(monkeypatch)
    DigestCache(tmp_path / "cache").save()
    for _ in range(2):
        cache = DigestCache(tmp_path / "cache")
        with cache.at_hand():
            assert cache.digest(photo) == cache.digest(photo) == hash_file(photo)
        assert cache.digest(photo) == hash_file(photo)
        cache.save()
    assert calls == [photo]


def test_an_edit_in_place_with_the_old_time_stamp_is_noticed(tmp_path, photo):
    cache = DigestCache(tmp_path / "cache")
    before, status = cache.digest(photo), photo.stat()
    time.sleep(0.02)  # the clock that stamps files ticks every few milliseconds
    photo.write_bytes(b"CONTENT")
    os.utime(photo, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert cache.digest(photo) != before


def test_a_file_that_was_just_written_is_not_trusted(tmp_path, photo, monkeypatch):
    monkeypatch.setattr(digests, "_FRESH_NS", 10**12)
    calls = hashing_is_counted(monkeypatch)
    cache = DigestCache(tmp_path / "cache")
    cache.digest(photo)
    cache.digest(photo)
    assert len(calls) == 2


def test_a_damaged_cache_is_begun_anew(tmp_path, photo):
    path = tmp_path / "cache"
    path.write_bytes(b"this is no database" * 100)
    cache = DigestCache(path)
    cache.digest(photo)
    cache.save()
    assert path.read_bytes().startswith(b"SQLite format 3")


def test_a_folder_that_cannot_be_written_costs_only_time(photo):
    cache = DigestCache(photo / "not a folder" / "cache")
    assert cache.digest(photo) == hash_file(photo)
    cache.save()


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        DigestCache(tmp_path / "cache").digest(tmp_path / "gone.jpg")
