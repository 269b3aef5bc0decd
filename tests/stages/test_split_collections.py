"""Collections by split: what is known in advance is what a collection of the same would say."""

import pytest

from captioner.datasets.records import SPLITS, CaptionedImages
from captioner.packing import pack_digests
from captioner.pipeline.fingerprint import Collection
from captioner.stages.split_collections import collect_splits

IMAGE_IDS = sorted(f'naïve "{number}"/é\n' for number in range(600))
CHOICES = [SPLITS[:1], SPLITS[1:2], SPLITS[2:], SPLITS[:2], SPLITS[1:], SPLITS[::2], SPLITS]


@pytest.mark.parametrize("choice", CHOICES)
def test_each_choice_of_splits_is_a_collection(choice):
    splits = [SPLITS[number % 7 % 3] for number in range(600)]
    files, captions = [f"{name}.jpg" for name in IMAGE_IDS], [("a dog",)] * 600
    images = CaptionedImages(IMAGE_IDS, files, captions, splits)
    digests = [f"{number:064x}" for number in range(599)] + ["unreadable: Is a directory"]
    collection = collect_splits("image", images, pack_digests(digests))[frozenset(choice)]
    chosen = {
        name: digest
        for name, split, digest in zip(IMAGE_IDS, splits, digests, strict=True)
        if split in choice
    }
    assert dict(collection.digests.items()) == chosen
    assert collection.summary() == Collection("image", chosen).summary()
    assert collection.digest == Collection("image", chosen).digest
