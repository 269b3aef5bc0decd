"""Evaluations made in a moment: drawn photographs, captions with awkward texts, real scores."""

from pathlib import Path

import numpy as np
from PIL import Image

from captioner.metrics.bootstrap import Resampling
from captioner.metrics.evaluation import evaluate_captions
from captioner.metrics.signature import Origin
from captioner.report.evaluation import ScoredImage, write_evaluation
from captioner.report.looks import Ground, Looks, pack

SCRIPT = "<script>window.hacked = true</script>"
BREAKOUT = '"><img src=x onerror="window.hacked = true">'
HEBREW = "כלב רץ על החוף"
AWKWARD = [SCRIPT, BREAKOUT, HEBREW, 'it\'s "quoted" & <b>bold</b>', ""]
COLOURS = ["red", "blue", "green"]


def _epoch(epoch, phase, **values):
    return {"epoch": epoch, "phase": phase, **values}


BACKGROUND = {
    "pipeline": "awkward",
    "command": f"captioner run awkward --set dataset.path='{BREAKOUT}'",
    "settings": {"dataset": {"path": SCRIPT}, "train": {"epochs": 2, "precision": None}},
    "versions": {"python": "3.11.7", "captioner": "0.1.0"},
    "stages": {
        "train": {"seconds": 62.0, "peak_memory_bytes": 10**9, "created": "2026-01-02T03:04:05"},
        "evaluate": {"seconds": 1.5, "peak_memory_bytes": None, "created": "2026-01-02T03:05:05"},
    },
    "history": [
        _epoch(1, "cross_entropy", loss=4.0, dev_loss=3.5, dev_score=0.2, is_best=True),
        _epoch(2, "cross_entropy", loss=3.0, dev_loss=3.1, dev_score=0.4, is_best=True),
        _epoch(3, "self_critical", loss=-0.5, dev_loss=3.2, dev_score=0.3, is_best=False),
    ],
    "vocabulary": {"words_seen": 40, "words_kept": 30, "size": 33},
}


def make_images(folder: Path, num_images: int = 60) -> list[ScoredImage]:
    """Draws photographs; the last but one is damaged, the last has gone."""
    (folder / "photos").mkdir(parents=True)
    images = []
    for index in range(num_images):
        colour = COLOURS[index % 3]
        path = folder / "photos" / f"{index}.jpg"
        Image.new("RGB", (64, 48), colour).save(path)
        references = (f"A {colour} wall number {index}.", f"one {colour} wall, and nothing else")
        caption = f"a {colour} wall" if index % 4 else "a wall"
        others = (("a wall behind", -4.5), (f"the {colour}", -6.25))
        image_id = f"<i>&\"{index}'"
        if index < len(AWKWARD):
            caption, references = AWKWARD[index], (AWKWARD[index] + " wall", *references)
        images.append(ScoredImage(image_id, path, caption, -2.5, others, references, index / 20))
    images[-2].path.write_bytes(b"not a JPEG")
    images[-1].path.unlink()
    return images


def make_looks(images: list[ScoredImage]) -> Looks:
    """Lets the first word look at the first of 2 x 3 places, the second at the second, ..."""
    places_66 = 0.9 * np.eye(6, dtype=np.float32) + 0.01
    weights = [
        np.stack([places_66[word % 6].reshape(2, 3) for word in range(num_words)])
        if (num_words := len(image.caption.split()))
        else np.zeros((0, 2, 3), np.float32)
        for image in images
    ]
    return pack(weights, Ground(2, 3))


def make_evaluation(folder: Path, num_images: int = 60, *, attends: bool = True) -> Path:
    """Writes the files of an evaluation into a folder and returns it."""
    images = make_images(folder, num_images)
    training = {"1": ("a red wall", "the blue wall"), "2": ("a red wall",)}
    report = evaluate_captions(
        {image.image_id: image.caption for image in images},
        {image.image_id: image.references for image in images},
        training=training,
        nearest=dict.fromkeys((image.image_id for image in images), "a blue door"),
        origin=Origin(split="test", beam=3, seed=0),
        resampling=Resampling(20, 0),
    )
    looks = make_looks(images) if attends else None
    write_evaluation(folder, images, report.to_json(), BACKGROUND, looks)
    return folder
