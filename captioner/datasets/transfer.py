"""Fetches one file over HTTP and survives interruptions: what has arrived is never fetched twice.

An unfinished file lies in `NAME.part`, and what the server said of it in `NAME.part.json`. The
next attempt asks for the rest (RFC 9110, Range and If-Range), and starts anew when the server
cannot send a part or has another file by now.
"""

import contextlib
import errno
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from captioner.errors import DownloadError
from captioner.files import hash_file, parse_json, sync_folder, write_json, write_text
from captioner.progress import Progress

_CHUNK_BYTES = 1 << 18
_MEGABYTE = 10**6
_ATTEMPTS = 4  # without a single new byte
_TIMEOUT_SECONDS = 30.0
_PAUSE_SECONDS = 1.0  # before the second attempt, then twice as long each time
_NETWORK_ERRORS = (OSError, http.client.HTTPException)


@dataclass(frozen=True, slots=True)
class _Remote:
    """What a server says of a file: its length in bytes and a mark of its content, if any."""

    length: int | None
    mark: str | None


class _WriteError(Exception):
    """The disk failed, not the network."""


def download_file(
    url: str, path: Path, *, sha256: str | None = None, pause_seconds: float = _PAUSE_SECONDS
) -> Path:
    """Downloads a file, continuing what an earlier call began, and checks it.

    The first time, the digest is kept in `NAME.sha256` beside the file; from then on the file
    must have it.

    Args:
        url: http or https.
        path: where the file goes; its folder exists.
        sha256: the digest that the file must have, 64 hexadecimal digits; None if unknown.
        pause_seconds: before the second attempt; doubled each time.

    Returns:
        `path`, whole and checked.

    Raises:
        DownloadError: the server cannot be reached or refuses, the disk is full, or the file
            is not the expected one. What has arrived is kept where it can be of use.
    """
    if not url.startswith(("http://", "https://")):
        raise DownloadError(f"{url} is no address to download from: expected http:// or https://.")
    if path.exists():
        _check_digest(path, path, sha256)
    else:
        part = path.with_name(f"{path.name}.part")
        _fetch_all(url, part, pause_seconds)
        _check_digest(part, path, sha256)
        os.replace(part, path)
        _memory_of(part).unlink(missing_ok=True)
        sync_folder(path.parent)
    return path


def digest_file_of(path: Path) -> Path:
    """Returns where the digest of a downloaded file is kept."""
    return path.with_name(f"{path.name}.sha256")


def _fetch_all(url: str, part: Path, pause_seconds: float) -> None:
    """Tries until the file is whole, or nothing more arrives."""
    failures = 0
    while True:
        size_before = _size_of(part)
        try:
            if _fetch_rest(url, part):
                return
            cause = "the connection ended early"
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise DownloadError(
                    f"{url}: the server answered {error.code} {error.reason}."
                ) from error
            cause = f"the server answered {error.code} {error.reason}"
        except _WriteError as error:
            raise _explain_disk(part, error.__cause__) from error
        except _NETWORK_ERRORS as error:
            cause = str(getattr(error, "reason", error)) or type(error).__name__
        failures = 0 if _size_of(part) > size_before else failures + 1
        if failures >= _ATTEMPTS:
            raise DownloadError(f"{url} could not be fetched: {cause}.{_describe_kept(part)}")
        time.sleep(pause_seconds * 2 ** (failures - 1) if failures else 0)


def _fetch_rest(url: str, part: Path) -> bool:
    """Fetches what is missing in one request, and tells whether the file is whole."""
    known, start = _recall(part), _size_of(part)
    request = urllib.request.Request(url, headers={"Accept-Encoding": "identity"})
    if known is None:
        start = 0
    elif start and start == known.length:
        return True
    elif start:
        request.add_header("Range", f"bytes={start}-")
        if known.mark is not None:
            request.add_header("If-Range", known.mark)
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        part.unlink()  # the file on the server is shorter than what is here: another file
        return False
    with response:
        remote, start = _read_headers(response, known, start)
        _remember(part, remote)
        _receive(response, part, start, remote)
    return remote.length is None or _size_of(part) == remote.length


def _read_headers(
    response: http.client.HTTPResponse, known: _Remote | None, start: int
) -> tuple[_Remote, int]:
    """Returns what the server sends, and from which byte on."""
    mark = response.headers.get("ETag")
    if mark is None or mark.startswith("W/"):  # only strong marks speak for single bytes
        mark = response.headers.get("Last-Modified")
    if response.status == 206 and known is not None:
        expected = f"bytes {start}-"
        content_range = response.headers.get("Content-Range", "")
        total = content_range.rpartition("/")[2]
        if content_range.startswith(expected) and total in (str(known.length), "*"):
            return known, start
        raise http.client.HTTPException(f"the server sent {content_range or 'a nameless part'}")
    length = response.headers.get("Content-Length", "")
    return _Remote(int(length) if length.isdecimal() else None, mark), 0


def _receive(response: http.client.HTTPResponse, part: Path, start: int, remote: _Remote) -> None:
    total = None if remote.length is None else remote.length // _MEGABYTE
    shown = start // _MEGABYTE
    name = part.name.removesuffix(".part")
    with (
        Progress(f"fetch {name}", total, unit="megabyte", initial=shown) as progress,
        _disk_errors(),
        open(part, "r+b" if start else "wb") as file,
    ):
        file.seek(start)
        for chunk in _read_chunks(response):
            file.write(chunk)
            progress.advance(file.tell() // _MEGABYTE - shown)
            shown = file.tell() // _MEGABYTE
        file.flush()
        os.fsync(file.fileno())


def _read_chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yields what arrives; a network error passes `_disk_errors` as an `HTTPException`."""
    while True:
        try:
            chunk = response.read1(_CHUNK_BYTES)
        except OSError as error:
            raise http.client.HTTPException(str(error)) from error
        if not chunk:
            return
        yield chunk


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _WriteError from error


def _explain_disk(part: Path, error: BaseException | None) -> DownloadError:
    cause = error.strerror if isinstance(error, OSError) else error
    advice = "Make room" if getattr(error, "errno", None) == errno.ENOSPC else "Mend that"
    return DownloadError(
        f"{part} cannot be written: {cause}. {advice} and try again.{_describe_kept(part)}"
    )


def _describe_kept(part: Path) -> str:
    size = _size_of(part)
    return f" {size / _MEGABYTE:.1f} MB are kept, and fetching continues there." if size else ""


def _check_digest(file: Path, path: Path, sha256: str | None) -> None:
    """Compares a file with its known or remembered digest; a wrong download is removed."""
    record = digest_file_of(path)
    expected, origin = sha256, "the published digest"
    if expected is None and record.exists():
        expected, origin = record.read_text("utf-8").split()[0], str(record)
    digest = hash_file(file)
    if expected is not None and digest != expected.lower():
        file.unlink()
        _memory_of(file).unlink(missing_ok=True)
        raise DownloadError(
            f"{path.name} is not the expected file and was removed: its SHA-256 is {digest}, but "
            f"{origin} says {expected}. Try again; if it stays so, the file was changed."
        )
    if not record.exists():
        write_text(record, f"{digest}  {path.name}\n")


def _memory_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _remember(part: Path, remote: _Remote) -> None:
    write_json(_memory_of(part), asdict(remote))


def _recall(part: Path) -> _Remote | None:
    """Returns what the server said of an unfinished file; None where that is unknown."""
    try:
        remote = _Remote(**parse_json(_memory_of(part).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return remote if part.exists() and remote.length is not None else None


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
