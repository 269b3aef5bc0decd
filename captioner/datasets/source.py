"""Where a data set lies: what the user named, and what is found when nothing was named."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from captioner.datasets.image_folder import ImageFolder
from captioner.datasets.records import Split
from captioner.datasets.splits import SEEDED, SeededSplit, find_split_lists
from captioner.errors import DatasetError, UsageError


@dataclass(frozen=True)
class DatasetSource:
    """The user's description of a data set on disk; names are relative to `root`.

    Images that are not there may also be named relative to the current folder.

    Args:
        format: the name the data set is read under.
        root: the data set's folder.
        captions: caption files; none to look where the format has them.
        images: the images folder; None to look where the format has it.
        splits: a folder of split lists; `seeded` to draw splits; None to take what is there.
        seeded_split: how splits are drawn.

    Raises:
        UsageError: a named file or folder does not exist.
    """

    format: str
    root: Path
    captions: tuple[Path, ...] = ()
    images: Path | None = None
    splits: str | Path | None = None
    seeded_split: SeededSplit = field(default_factory=SeededSplit)

    def __post_init__(self) -> None:
        if not self.root.is_dir():
            raise UsageError(
                f"{self.root} is no folder. Expected the folder of a {self.format} data set."
            )

    def caption_file(self, *candidates: str) -> Path:
        """Returns the one caption file: the named one, or the first candidate that exists."""
        files = self.caption_files(*candidates)
        if self.captions and len(files) > 1:
            raise UsageError(
                f"A {self.format} data set has one captions file. Received: "
                f"{', '.join(map(str, self.captions))}."
            )
        return files[0]

    def caption_files(self, *candidates: str) -> list[Path]:
        """Returns the named caption files, or those that match a candidate pattern."""
        if self.captions:
            return [self._named(path, "captions file") for path in self.captions]
        found = [path for pattern in candidates for path in sorted(self.root.glob(pattern))]
        if not found:
            raise DatasetError(
                f"{self.root} has no captions file of a {self.format} data set. Looked for: "
                f"{', '.join(candidates)}. Put it there, or name it with `captions`."
            )
        return found

    def image_folder(self, *candidates: str) -> ImageFolder:
        """Lists the named images folder, or the first candidate that exists."""
        if self.images is not None:
            is_elsewhere = self.images.exists() and not (self.root / self.images).exists()
            return ImageFolder(
                self.images if is_elsewhere else self._named(self.images, "images folder")
            )
        for candidate in candidates:
            if (self.root / candidate).is_dir():
                return ImageFolder(self.root / candidate)
        raise DatasetError(
            f"{self.root} has no images folder of a {self.format} data set. Looked for: "
            f"{', '.join(f'{name}/' for name in candidates)}. Put it there, or name it with "
            "`images`."
        )

    def split_lists(self, *folders: Path) -> dict[Split, Path]:
        """Returns the split lists to use; none where splits are to be drawn.

        Args:
            folders: where the format may have them, the likeliest first.
        """
        if self.wants_seeded_split:
            return {}
        if self.splits is None:
            return find_split_lists(folders)
        folder = self._named(Path(self.splits), "folder of split lists")
        if lists := find_split_lists([folder]):
            return lists
        raise UsageError(
            f"{folder} has no split list. Expected files such as train.txt, dev.txt and test.txt "
            f'or Flickr_8k.trainImages.txt, one image a line; or `splits = "{SEEDED}"`.'
        )

    @property
    def wants_seeded_split(self) -> bool:
        """Whether the user asked for a drawn split, whatever lists there are."""
        return self.splits == SEEDED

    def _named(self, path: Path, what: str) -> Path:
        path = self.root / path
        if path.exists():
            return path
        raise UsageError(f"{path} does not exist. It was named as the {what}.")


def as_paths(paths: str | Path | Sequence[str | Path] | None) -> tuple[Path, ...]:
    """Returns one path, several or none as a tuple."""
    if paths is None:
        return ()
    if isinstance(paths, str | Path):
        return (Path(paths),)
    return tuple(map(Path, paths))
