"""Class folders: what is found, how it is split, and what is said of those that are wrong."""

import pytest

from captioner.classifiers.class_folders import read_class_folders
from captioner.errors import DatasetError


@pytest.fixture
def folder(tmp_path):
    """Makes files, empty but for their names, below a folder and returns the folder."""

    def make(*names):
        for name in names:
            path = tmp_path / "animals" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path / "animals"

    return make


def names_of(folders, split):
    return [image.name for image in folders.in_split(split)]


def test_classes_are_folders_and_labels_their_order(folder):
    found = read_class_folders(folder("dog/1.jpg", "dog/2.jpg", "cat/a.png", "cat/in/b.JPG"))
    assert found.class_names == ("cat", "dog")
    labels = {image.name.partition("/")[2]: image.label for image in found.images}
    assert labels == {"cat/a.png": 0, "cat/in/b.JPG": 0, "dog/1.jpg": 1, "dog/2.jpg": 1}
    assert all(image.path.is_file() for image in found.images)


def test_a_drawn_split_takes_its_share_of_every_class(folder):
    found = read_class_folders(
        folder(*(f"cat/{n}.jpg" for n in range(40)), *(f"dog/{n}.jpg" for n in range(5))),
        dev_fraction=0.2,
    )
    dev = [image.label for image in found.in_split("dev")]
    assert (dev.count(0), dev.count(1)) == (8, 1)
    assert len(found.in_split("train")) == 36


def test_a_drawn_split_depends_on_names_and_seed_alone(folder):
    cats = [f"cat/{n}.jpg" for n in range(30)]
    path = folder(*cats, "dog/1.jpg", "dog/2.jpg")
    first = read_class_folders(path)
    assert read_class_folders(path) == first
    assert names_of(read_class_folders(path, seed=1), "dev") != names_of(first, "dev")
    folder("bird/1.jpg", "bird/2.jpg")
    more = read_class_folders(path)
    assert [n for n in names_of(more, "dev") if "bird" not in n] == names_of(first, "dev")


@pytest.mark.parametrize("dev", ["dev", "val", "validation", "Validation", "valid"])
def test_folders_of_splits_are_recognised(folder, dev):
    found = read_class_folders(
        folder("train/cat/1.jpg", "train/dog/1.jpg", f"{dev}/cat/2.jpg", "test/cat/3.jpg")
    )
    assert names_of(found, "train") == ["train/cat/1.jpg", "train/dog/1.jpg"]
    assert names_of(found, "dev") == ["dev/cat/2.jpg"]
    assert found.notes == (f"{folder() / 'test'} was passed over",)


def test_classes_called_train_and_bus_are_classes(folder):
    found = read_class_folders(folder("train/1.jpg", "train/2.jpg", "bus/1.jpg", "bus/2.jpg"))
    assert found.class_names == ("bus", "train")


def test_dev_may_lie_elsewhere(folder, tmp_path):
    path = folder("cat/1.jpg", "dog/1.jpg")
    (tmp_path / "judged" / "dog").mkdir(parents=True)
    (tmp_path / "judged" / "dog" / "7.jpg").touch()
    found = read_class_folders(path, dev=tmp_path / "judged")
    assert names_of(found, "train") == ["train/cat/1.jpg", "train/dog/1.jpg"]
    assert [(image.name, image.label) for image in found.in_split("dev")] == [("dev/dog/7.jpg", 1)]


def test_what_lies_beside_the_class_folders_is_told(folder):
    found = read_class_folders(
        folder("cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "dog/2.jpg", "loose.jpg", "notes.txt")
    )
    assert found.notes == (
        f"1 image in {folder()} but in no class folder, such as loose.jpg: passed over",
    )
    assert "4 images of 2 classes (train 2, dev 2)\n  1 image in" in found.describe()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["cat/1.jpg", "cat/2.jpg"], "one class only, 'cat', and a classifier tells two or more"),
        (["all/cat/1.jpg", "all/dog/2.jpg"], r"Did you mean .*all, which holds 'cat', 'dog'\?"),
        (["cat/1.jpg", "dog/notes.txt"], "no photographs of 'dog'. Put some into these folders"),
        (["cat/a.txt", "dog/b.txt"], r"holds no photograph of any class: its folders \('cat', 'd"),
        (["1.jpg"], "holds no photograph of any class: it has no folders"),
        (["cat/1.jpg", "cat/2.jpg", "dog/1.jpg"], "'dog' has 1 photograph, and learning and judg"),
        (["train/cat/1.jpg", "train/dog/1.jpg", "val/cats/1.jpg"], "lacks: 'cats'.*mean 'cat'"),
        (["train/a/1.jpg", "val/a/1.jpg", "dev/a/1.jpg"], "several folders for one split"),
        (["train/a/1.jpg", "train/b/1.jpg", "dev/a/x.txt"], "no photograph to judge by"),
    ],
)
def test_what_is_wrong_is_told_in_words(folder, names, message):
    with pytest.raises(DatasetError, match=message):
        read_class_folders(folder(*names))


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DatasetError, match="cannot be listed: No such file"):
        read_class_folders(tmp_path / "none")
