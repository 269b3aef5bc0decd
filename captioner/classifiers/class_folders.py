"""Labelled photographs: a folder with one folder for each class.

animals/cat/1.jpg                 animals/train/cat/1.jpg
animals/cat/at-home/2.jpg         animals/train/dog/2.jpg
animals/dog/3.jpg                 animals/validation/cat/3.jpg
(a split is drawn)                (the split is there)
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from captioner.datasets.image_folder import ImageFolder
from captioner.datasets.splits import SPLIT_NAMES
from captioner.errors import DatasetError
from captioner.names import nearest

LearntSplit = Literal["train", "dev"]
_NUM_SHOWN = 5


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """One photograph and its class.

    Args:
        name: its path relative to the class folders, such as `cat/1.jpg`, behind its split;
            unique among the images.
        path: the file.
        label: position of its class among the class names.
        split: "train" or "dev".
    """

    name: str
    path: Path
    label: int
    split: LearntSplit


@dataclass(frozen=True)
class ClassFolders:
    """The labelled photographs of a folder.

    Args:
        class_names: the classes, in alphabetical order; two or more.
        images: ordered by name.
        notes: what was passed over, in sentences.
    """

    class_names: tuple[str, ...]
    images: tuple[LabelledImage, ...]
    notes: tuple[str, ...] = field(default=())

    def in_split(self, split: LearntSplit) -> tuple[LabelledImage, ...]:
        """Returns the images of one split."""
        return tuple(image for image in self.images if image.split == split)

    def describe(self) -> str:
        """Returns one line of what there is, and more of what was passed over."""
        sizes = ", ".join(f"{split} {len(self.in_split(split)):,}" for split in ("train", "dev"))
        text = f"{len(self.images):,} images of {len(self.class_names)} classes ({sizes})"
        return "\n  ".join([text, *self.notes])


def read_class_folders(
    path: Path, *, dev: Path | None = None, dev_fraction: float = 0.2, seed: int = 0
) -> ClassFolders:
    """Lists the photographs of class folders; none is opened.

    Args:
        path: holds a folder for each class; or `train` and `dev` (`val`, `valid`, `validation`)
            folders that do.
        dev: class folders to judge by, where they lie elsewhere.
        dev_fraction: share of each class that is drawn for dev where there are no such folders,
            above 0 and below 1; at least one image.
        seed: decides that draw.

    Raises:
        DatasetError: a folder cannot be listed, there are fewer than two classes, a class has
            no image, or dev has other classes than train.
    """
    folders, notes = ({"train": path, "dev": dev}, []) if dev else _find_splits(path)
    if folders is not None:
        return _join_splits(folders, notes)
    classes, notes = _list_classes(path)
    _check_classes(path, classes)
    return _draw_split(path, classes, dev_fraction, seed, notes)


Classes = dict[str, dict[str, Path]]  # class -> name relative to the class folders -> file


def _find_splits(path: Path) -> tuple[dict[str, Path] | None, list[str]]:
    """Returns the train and dev folders in `path`, if all it holds are folders of splits."""
    names = {name: SPLIT_NAMES.get(name.lower()) for name in _subfolders(path)}
    counts = Counter(names.values())
    if None in counts or not counts["train"] or not counts["dev"]:
        return None, []
    if counts["train"] + counts["dev"] > 2:
        raise DatasetError(f"{path} has several folders for one split: {', '.join(names)}.")
    notes = [f"{path / name} was passed over" for name, split in names.items() if split == "test"]
    found = {split: path / name for name, split in names.items() if split in ("train", "dev")}
    return {str(split): folder for split, folder in found.items()}, notes


def _join_splits(folders: Mapping[str, Path], notes: list[str]) -> ClassFolders:
    """Reads the class folders of either split; training says which classes there are."""
    train, notes_train = _list_classes(folders["train"])
    judged, notes_dev = _list_classes(folders["dev"])
    _check_classes(folders["train"], train)
    _check_dev(folders["dev"], judged, train)
    labels = {name: label for label, name in enumerate(train)}
    splits: dict[LearntSplit, Classes] = {"train": train, "dev": judged}
    images = [
        LabelledImage(f"{split}/{name}", file, labels[class_name], split)
        for split, classes in splits.items()
        for class_name, files in classes.items()
        for name, file in files.items()
    ]
    return ClassFolders(tuple(train), _in_order(images), (*notes, *notes_train, *notes_dev))


def _list_classes(path: Path) -> tuple[Classes, list[str]]:
    """Returns the image files of each class folder, and notes of those that were passed over."""
    folder = ImageFolder(path)
    classes: Classes = {name: {} for name in _subfolders(path)}
    loose = []
    for name in folder.image_names():
        class_name, slash, _ = name.partition("/")
        if slash:
            classes.setdefault(class_name, {})[name] = folder.path_of(name)
        else:
            loose.append(name)
    return dict(sorted(classes.items())), [
        *_note_passed_over(path, "but in no class folder", loose),
        *_note_passed_over(path, "whose names are those of others", folder.doubles),
    ]


def _subfolders(path: Path) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(
                e.name for e in entries if e.is_dir() and not e.name.startswith((".", "_"))
            )
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be listed: {error.strerror}. Expected a folder with one folder of "
            "photographs for each class."
        ) from error


def _check_classes(path: Path, classes: Classes) -> None:
    empty = [name for name, files in classes.items() if not files]
    if not any(classes.values()):
        found = f"its folders ({_shown(empty)}) hold none" if empty else "it has no folders"
        raise DatasetError(
            f"{path} holds no photograph of any class: {found}. "
            "Expected one folder of photographs for each class."
        )
    if empty:
        raise DatasetError(
            f"{path}: no photographs of {_shown(empty)}. Put some into these folders, or remove "
            "the folders."
        )
    if len(classes) == 1:
        (name,) = classes
        raise DatasetError(
            f"{path} holds one class only, '{name}', and a classifier tells two or more apart."
            f"{_hint_deeper(path / name)}"
        )


def _hint_deeper(folder: Path) -> str:
    """Names the folder that was probably meant, where the class folders lie one level deeper."""
    inner = _subfolders(folder)
    return f" Did you mean {folder}, which holds {_shown(inner)}?" if len(inner) > 1 else ""


def _check_dev(path: Path, judged: Classes, train: Classes) -> None:
    unknown = [name for name in judged if name not in train]
    if unknown:
        raise DatasetError(
            f"{path} has classes that training lacks: {_shown(unknown)}. Classes of training: "
            f"{_shown(train)}.{nearest(unknown[0], train)}"
        )
    if not any(judged.values()):
        raise DatasetError(f"{path} holds no photograph to judge by. Expected class folders.")


def _draw_split(
    path: Path, classes: Classes, dev_fraction: float, seed: int, notes: list[str]
) -> ClassFolders:
    """Gives dev its share of each class; the digest of a name decides, not the other names."""
    images = []
    for label, (class_name, files) in enumerate(classes.items()):
        if len(files) == 1:
            raise DatasetError(
                f"{path}: '{class_name}' has 1 photograph, and learning and judging need one each."
            )
        drawn = sorted(files, key=lambda name: _position(seed, name))
        num_dev = min(max(1, round(dev_fraction * len(drawn))), len(drawn) - 1)
        for number, name in enumerate(drawn):
            split: LearntSplit = "dev" if number < num_dev else "train"
            images.append(LabelledImage(f"{split}/{name}", files[name], label, split))
    return ClassFolders(tuple(classes), _in_order(images), tuple(notes))


def _position(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}:{name}".encode("utf-8", "surrogateescape")).digest()


def _in_order(images: Iterable[LabelledImage]) -> tuple[LabelledImage, ...]:
    return tuple(sorted(images, key=lambda image: image.name))


def _note_passed_over(path: Path, reason: str, names: list[str]) -> list[str]:
    if not names:
        return []
    count = "1 image" if len(names) == 1 else f"{len(names):,} images"
    return [f"{count} in {path} {reason}, such as {names[0]}: passed over"]


def _shown(names: Iterable[str] | Mapping[str, object]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _NUM_SHOWN} more" if len(listed) > _NUM_SHOWN else ""
    return ", ".join(f"'{name}'" for name in listed[:_NUM_SHOWN]) + more
