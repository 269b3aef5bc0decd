"""Small class folders: a bright square in one of three places, on noise."""

from pathlib import Path

import numpy as np
from PIL import Image

from captioner.backbones.registry import find_spec
from captioner.backbones.weights import resolve_weights
from captioner.classifiers.batches import LabelledBatches
from captioner.classifiers.class_folders import ClassFolders, read_class_folders
from captioner.classifiers.settings import Augmentation, ClassifierSettings
from captioner.classifiers.training import LabelledSplits, TrainingSummary, train_classifier
from captioner.files import hash_file

CORNERS = {"below": (17, 9), "left": (4, 2), "right": (4, 17)}
SETTINGS = ClassifierSettings(
    epochs=3,
    batch_size=8,
    learning_rate=3e-3,
    warmup_steps=2,
    patience=3,
    augmentation=Augmentation(5, 0.05, 0.05, 0.05, False, False),
    precision="float32",
)
NETWORK = "lenet_relu3"


def draw_classes(folder: Path, num_images: int = 12, classes=tuple(CORNERS)) -> Path:
    """Draws `num_images` PNG files of 28 x 28 pixels into a folder for each class."""
    noise = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True)
        top, left = CORNERS[name]
        for number in range(num_images):
            image = noise.integers(0, 90, (28, 28, 3)).astype(np.uint8)
            image[top : top + 9, left : left + 9] += 150
            Image.fromarray(image).save(folder / name / f"{number}.png")
    return folder


def toy_splits(folders: ClassFolders) -> LabelledSplits:
    digests = {image.name: hash_file(image.path) for image in folders.images}
    rule = find_spec(NETWORK).rule
    train, dev = (
        LabelledBatches(folders.in_split(split), digests, rule, SETTINGS.batch_size, workers=1)
        for split in ("train", "dev")
    )
    return LabelledSplits(folders.class_names, train, dev)


def train_toy(pictures: Path, folder: Path, settings=SETTINGS) -> TrainingSummary:
    folder.mkdir(exist_ok=True)
    folders = read_class_folders(pictures, dev_fraction=0.25)
    spec = find_spec(NETWORK).at(num_classes=len(folders.class_names))
    origin = resolve_weights(spec, "random", settings.seed)
    return train_classifier(spec, origin, toy_splits(folders), settings, folder)
