"""Features as decoders read them: of the image as it is, or mirrored as often as not."""

import dataclasses

import numpy as np
import pytest
from toys import ArrayFeatures, small_spec, toy_task

from captioner.decoders.feature_reader import FeatureReader
from captioner.decoders.settings import TrainSettings
from captioner.decoders.training import train_decoder
from captioner.errors import DecoderError

PLAIN = TrainSettings(epochs=2, batch_size=32, precision="float32")
MIRRORED = dataclasses.replace(PLAIN, mirrored=True)


class BothViews(ArrayFeatures):
    """The mirrored image has the same features, below zero."""

    def __init__(self, plain: ArrayFeatures) -> None:
        super().__init__(plain._vectors)
        self.shapes |= {f"{kind}_mirrored": shape for kind, shape in self.shapes.items()}

    def read(self, kind, image_ids):
        features_N = super().read(kind.removesuffix("_mirrored"), image_ids)
        return -features_N if kind.endswith("_mirrored") else features_N


@pytest.mark.parametrize("kind", ["inject", "attention"])
def test_an_image_is_seen_mirrored_as_often_as_not(kind):
    features = BothViews(toy_task(num_images=400)[2])
    reader = FeatureReader(features, small_spec(kind, 9))
    plain_N = reader.read(features.image_ids)
    seen_N = reader.for_epoch(MIRRORED, epoch=3).read(features.image_ids)
    signs_N = np.sign((seen_N * plain_N).reshape(400, -1).sum(axis=1))
    np.testing.assert_array_equal(
        seen_N.reshape(400, -1), signs_N[:, None] * plain_N.reshape(400, -1)
    )
    assert np.mean(signs_N < 0) == pytest.approx(0.5, abs=0.08)


def test_seed_and_epoch_decide_which():
    features = BothViews(toy_task()[2])
    reader = FeatureReader(features, small_spec("inject", 9))

    def read(settings, epoch):
        opened = reader.for_epoch(settings, epoch)
        return [opened.read(features.image_ids[:40]), opened.read(features.image_ids[:40])]

    first, second = read(MIRRORED, 0)
    np.testing.assert_array_equal(read(MIRRORED, 0), [first, second])
    assert (first != second).any()
    assert (first != read(MIRRORED, 1)[0]).any()
    assert reader.for_epoch(TrainSettings(), 0) is reader


def test_features_of_mirrored_images_must_be_there(tmp_path):
    vocabulary, captions, features = toy_task()
    spec = small_spec("attention", len(vocabulary))
    with pytest.raises(DecoderError, match=r"reads grid_mirrored features.* only vector, grid"):
        train_decoder(spec, features, captions, MIRRORED, tmp_path, lambda decoder: 1.0)


def test_training_on_mirrored_images_learns_from_them_and_can_be_repeated(tmp_path):
    vocabulary, captions, features = toy_task()
    spec, losses = small_spec("inject", len(vocabulary)), []
    for name, settings in (("a", MIRRORED), ("b", MIRRORED), ("c", PLAIN)):
        (folder := tmp_path / name).mkdir()
        summary = train_decoder(
            spec, BothViews(features), captions, settings, folder, lambda decoder: 1.0
        )
        losses.append([row.loss for row in summary.history])
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]
