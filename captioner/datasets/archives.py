"""Unpacks zip archives from strangers: everything is checked before anything is written."""

import lzma
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from captioner.datasets.image_folder import leads_outside
from captioner.errors import DownloadError
from captioner.progress import track

MAX_BYTES = 8 << 30  # unpacked; Flickr8k has 1.1 GB
MAX_MEMBERS = 500_000
MAX_RATIO = 200  # of unpacked to packed size, which no photograph comes near
_RATIO_MATTERS_FROM = 64 << 20  # bytes; small texts pack well

MAX_DEPTH = 64  # folders in a member's name
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    UnicodeDecodeError,
)

_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CLOCK$", "CONIN$", "CONOUT$"]
    + [f"{port}{number}" for port in ("COM", "LPT") for number in range(10)]
)


def extract_archive(archive: Path, folder: Path) -> None:
    """Unpacks a zip archive into a folder of its own.

    What macOS adds (`__MACOSX`, `._*`, `.DS_Store`) is left out.

    Args:
        archive: the zip file; it is not changed.
        folder: exists; files of an earlier archive in it are replaced.

    Raises:
        DownloadError: the archive is damaged, encrypted or far too large when unpacked, or a
            member would be written outside of `folder` or as anything but a plain file.
        OSError: the folder cannot be written or the disk is full.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            members = [member for member in file.infolist() if not _is_litter(member.filename)]
            check_members(archive, members)
            for member in track(members, f"unpack {archive.name}", unit="file"):
                _extract_member(file, member, folder)
    except _DAMAGE as error:
        raise DownloadError(
            f"{archive} is damaged or no zip archive: {error}. Download it again."
        ) from error


def check_members(archive: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    """Checks that an archive can be unpacked without harm.

    Raises:
        DownloadError: it cannot; the message names the first member at fault.
    """
    for member in members:
        if fault := _find_fault(member):
            raise DownloadError(
                f"{archive} was not unpacked: its member {member.filename!r} {fault}. An archive "
                "of photographs has no use for that; get it from where it was published."
            )
    _check_names(archive, members)
    _check_size(archive, members)


def _find_fault(member: zipfile.ZipInfo) -> str | None:
    path = PureWindowsPath(member.filename)  # knows both separators, and drives
    if len(path.parts) > MAX_DEPTH:
        return f"lies more than {MAX_DEPTH} folders deep"
    if leads_outside(member.filename):
        return "has an absolute path or `..` in it"
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    if any(part.split(".")[0].rstrip().upper() in _DEVICES for part in path.parts):
        return "has the name of a device"
    if any(ord(letter) < 32 or letter == ":" for letter in member.filename):
        return "has a control character or a colon in its name"
    return "is encrypted" if member.flag_bits & 1 else None


def _check_names(archive: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    files = [_place_of(member) for member in members if not member.is_dir()]
    taken = set(files)
    parents = {parent for place in files for parent in place.parents}
    if len(taken) < len(files) or taken & parents:
        raise DownloadError(f"{archive} was not unpacked: two of its members have the same name.")


def _check_size(archive: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    is_bomb = unpacked > _RATIO_MATTERS_FROM and unpacked > MAX_RATIO * max(packed, 1)
    if len(members) > MAX_MEMBERS or unpacked > MAX_BYTES or is_bomb:
        raise DownloadError(
            f"{archive} was not unpacked: its {len(members)} members would take "
            f"{unpacked / 1e9:.1f} GB. Expected at most {MAX_MEMBERS} members, "
            f"{MAX_BYTES / 1e9:.1f} GB, and {MAX_RATIO} times the archive's size."
        )


def _extract_member(file: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    path = folder / _place_of(member)
    if member.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with file.open(member) as source, open(path, "wb") as target:
        try:
            shutil.copyfileobj(source, target, 1 << 20)
        except OSError as error:
            if error.errno is None:  # bz2's way to say so
                raise zipfile.BadZipFile(str(error)) from error
            raise


def _place_of(member: zipfile.ZipInfo) -> PurePosixPath:
    return PurePosixPath(member.filename.replace("\\", "/"))


def _is_litter(name: str) -> bool:
    parts: Iterable[str] = PureWindowsPath(name).parts
    return any(part in ("__MACOSX", ".DS_Store") or part.startswith("._") for part in parts)
