"""Flickr8k on demand: the two public archives, fetched, verified and unpacked."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from captioner.datasets.archives import extract_archive
from captioner.datasets.assembly import NO_SUCH_IMAGE
from captioner.datasets.flickr import IMAGE_FOLDERS, TOKEN_FILES
from captioner.datasets.formats import read_dataset
from captioner.datasets.transfer import digest_file_of, download_file
from captioner.errors import DatasetError, DownloadError, UsageError
from captioner.files import is_free, put_folder

_STAGING = "unpacked"
BASE_URL = "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k"

# SHA-256 of the published archives. None: not on record; the first download is then trusted,
# and its digest kept beside it for all later ones.
ARCHIVES: Mapping[str, str | None] = {
    "Flickr8k_text.zip": None,
    "Flickr8k_Dataset.zip": None,
}

# Of the lines that name a photograph: the published captions name one that was never there.
_MAX_SHARE_ABSENT = 0.01


def fetch_flickr8k(
    to: Path, *, from_zip: Sequence[Path] = (), base_url: str = BASE_URL, pause_seconds: float = 1.0
) -> Path:
    """Puts Flickr8k into a folder, as `read_dataset("flickr8k", ...)` wants it.

    An interrupted call leaves its downloads in a hidden folder beside `to`, and the next one
    continues there; `to` appears when everything is in it.

    Args:
        to: the folder to make; it may exist if it is empty or has the data set already.
        from_zip: archives that are already here, in any order; nothing is then downloaded.
        base_url: the address that the names of the archives are appended to.
        pause_seconds: before a failed request is repeated; doubled each time.

    Returns:
        `to`.

    Raises:
        UsageError: an archive of `from_zip` does not exist.
        DatasetError: `to` holds something else, or the archives have no such data set.
        DownloadError: an archive cannot be fetched, is damaged, or would do harm.
    """
    if has_flickr8k(to):
        return to
    _check_free(to)
    _check_archives(from_zip)
    with _work_folder(to) as work:
        archives = list(from_zip) if from_zip else _fetch_archives(work, base_url, pause_seconds)
        staging = _unpack(archives, work)
        _check_contents(staging, archives)
        for name in ARCHIVES:
            if digest_file_of(work / name).exists():
                os.replace(digest_file_of(work / name), digest_file_of(staging / name))
        put_folder(staging, to)
        for name in ARCHIVES:
            (work / name).unlink(missing_ok=True)
    return to


def has_flickr8k(folder: Path) -> bool:
    """Tells whether a folder has the captions and the photographs of Flickr8k."""
    has_captions = any((folder / name).is_file() for name in TOKEN_FILES)
    return has_captions and any((folder / name).is_dir() for name in IMAGE_FOLDERS)


def _check_free(to: Path) -> None:
    if not is_free(to):
        raise DatasetError(
            f"{to} exists, and has something other than Flickr8k in it. Name a new or empty folder."
        )


def _check_archives(archives: Sequence[Path]) -> None:
    if missing := [str(archive) for archive in archives if not archive.is_file()]:
        raise UsageError(f"No such archive: {', '.join(missing)}.")


@contextmanager
def _work_folder(to: Path) -> Iterator[Path]:
    """Opens the hidden folder beside `to`, for one process at a time."""
    target = to.resolve()
    work = target.parent / f".{target.name}.download"
    try:
        work.mkdir(parents=True, exist_ok=True)
        with FileLock(work / ".lock", timeout=0):
            try:
                yield work
            finally:
                _tidy(work)
    except Timeout as error:
        raise DownloadError(
            f"Another process is fetching Flickr8k into {to}. Wait for it, or name another folder."
        ) from error
    except OSError as error:
        raise DownloadError(
            f"{work} cannot be written: {error.strerror}. What has been fetched is kept; make "
            "room or name another folder, and try again."
        ) from error


def _tidy(work: Path) -> None:
    """Removes all but downloads that are still of use, which are none once `to` is there."""
    shutil.rmtree(work / _STAGING, ignore_errors=True)
    downloads = [path for path in work.iterdir() if path.name != ".lock"]
    if not downloads:
        shutil.rmtree(work, ignore_errors=True)


def _fetch_archives(work: Path, base_url: str, pause_seconds: float) -> list[Path]:
    try:
        return [
            download_file(
                f"{base_url.rstrip('/')}/{name}",
                work / name,
                sha256=sha256,
                pause_seconds=pause_seconds,
            )
            for name, sha256 in ARCHIVES.items()
        ]
    except DownloadError as error:
        raise DownloadError(f"{error}\n{_WAYS_OUT}") from error


_WAYS_OUT = f"""Ways out:
  - try again: fetching continues where it stopped;
  - get {" and ".join(ARCHIVES)} in another way, for example with a browser from
    {BASE_URL}/, and give them with --from-zip;
  - use photographs that you have: put Flickr8k.token.txt, the split lists and Images/ into a
    folder and name it with --set dataset.path=FOLDER;
  - train without a download: captioner run quickstart"""


def _unpack(archives: Sequence[Path], work: Path) -> Path:
    staging = work / _STAGING
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    for archive in archives:
        extract_archive(archive, staging)
    return staging


def _check_contents(staging: Path, archives: Sequence[Path]) -> None:
    names = " and ".join(archive.name for archive in archives)
    if (staging / "captions.txt").is_file() and not has_flickr8k(staging):
        raise DatasetError(
            f"{names} is Flickr8k in Kaggle's layout. Unpack it yourself, and set dataset.format "
            "to kaggle and dataset.path to its folder."
        )
    try:
        dataset = read_dataset("flickr8k", staging)
    except DatasetError as error:
        raise DatasetError(
            f"Unpacked, {names} make no Flickr8k; both archives are needed: "
            f"{' and '.join(ARCHIVES)}.\n{error}"
        ) from error
    absent = [skip.item for skip in dataset.skips if skip.reason == NO_SUCH_IMAGE]
    num_found = sum(len(image.captions) for image in dataset.images)
    if len(absent) > _MAX_SHARE_ABSENT * (num_found + len(absent)):
        raise DatasetError(
            f"Unpacked, {names} lack photographs: {len(absent):,} lines name one that is not there "
            f"(the first is {absent[0]}), and {num_found:,} captions have theirs. Get the archives "
            "again, or unpack them yourself and set dataset.path to take what there is."
        )
