"""The formats captioner reads, by name; one call reads any of them."""

from collections.abc import Callable, Sequence
from pathlib import Path

from captioner.datasets.coco import read_coco
from captioner.datasets.flickr import read_flickr
from captioner.datasets.kaggle import read_kaggle
from captioner.datasets.karpathy import read_karpathy
from captioner.datasets.records import CaptionDataset
from captioner.datasets.sidecar import read_sidecar
from captioner.datasets.source import DatasetSource, as_paths
from captioner.datasets.splits import SeededSplit
from captioner.datasets.table import read_table
from captioner.errors import UsageError
from captioner.names import nearest

FORMATS: dict[str, Callable[[DatasetSource], CaptionDataset]] = {
    "flickr8k": read_flickr,
    "flickr30k": read_flickr,
    "kaggle": read_kaggle,
    "coco": read_coco,
    "karpathy": read_karpathy,
    "table": read_table,
    "sidecar": read_sidecar,
    "scenes": read_flickr,  # drawn in Flickr8k's own layout
}


def read_dataset(
    format: str,
    path: str | Path,
    *,
    captions: str | Path | Sequence[str | Path] | None = None,
    images: str | Path | None = None,
    splits: str | Path | None = None,
    split_seed: int = 0,
    split_fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
) -> CaptionDataset:
    """Reads a data set of captioned images.

    Args:
        format: a key of `FORMATS`.
        path: the data set's folder, or the captions file in it.
        captions: the captions file, or files for `coco`; relative to `path`. None looks for
            the names that the format has.
        images: the images folder, relative to `path` or, if it is not there, to the current
            folder. None looks for the format's.
        splits: a folder of split lists, relative to `path`; `seeded` draws splits whatever
            lists there are; None takes what is there and draws where nothing is.
        split_seed: seed of drawn splits.
        split_fractions: of train, dev and test in drawn splits, in sum 1.

    Returns:
        The images with captions and splits, and everything that was left out.

    Raises:
        UsageError: the format is unknown, or something that was named does not exist.
        DatasetError: the data set contradicts itself, is damaged, or has nothing to use.

    Example:

        dataset = read_dataset("flickr8k", "data/flickr8k")
        dataset.split_sizes()  # {'train': 6000, 'dev': 1000, 'test': 1000}
    """
    read = find_reader(format)
    root, named = Path(path), as_paths(captions)
    if root.is_file() and not named:
        root, named = root.parent, (Path(root.name),)
    source = DatasetSource(
        format,
        root,
        named,
        None if images is None else Path(images),
        splits,
        SeededSplit(split_seed, split_fractions),
    )
    return read(source)


def find_reader(format: str) -> Callable[[DatasetSource], CaptionDataset]:
    """Returns the reader of a format.

    Raises:
        UsageError: there is no such format.
    """
    if format in FORMATS:
        return FORMATS[format]
    raise UsageError(
        f"The data set format {format!r} is unknown. Known: {', '.join(sorted(FORMATS))}."
        f"{nearest(format, FORMATS)}"
    )
