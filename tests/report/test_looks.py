"""Where a model looked, kept in bytes."""

import numpy as np
import pytest

from captioner.images import ResizeRule
from captioner.report.looks import Ground, Looks, pack, read_looks, write_looks

WEIGHTS = [
    np.array([[[0.1, 0.2], [0.3, 0.4]], [[0.25, 0.25], [0.25, 0.25]]], np.float32),
    np.zeros((0, 2, 2), np.float32),
    np.array([[[1.0, 0.0], [0.0, 0.0]]], np.float32),
]


def test_each_words_strongest_place_is_255():
    looks = pack(WEIGHTS, Ground(2, 2))
    assert [list(own) for own in looks.of_image] == [
        [64, 128, 191, 255, 255, 255, 255, 255],
        [],
        [255, 0, 0, 0],
    ]


@pytest.mark.parametrize("weights", [WEIGHTS, WEIGHTS[1:2], []])
def test_what_is_written_is_read_back(tmp_path, weights):
    looks = pack(weights, Ground(2, 2, "crop", 1.5))
    write_looks(tmp_path / "looks.npz", looks)
    assert read_looks(tmp_path / "looks.npz", looks.ground) == looks


def test_another_ground_is_refused_in_words(tmp_path):
    write_looks(tmp_path / "looks.npz", pack(WEIGHTS, Ground(2, 2)))
    with pytest.raises(ValueError, match=r"looks.npz holds uint8 \(3, 4\) for 3 words"):
        read_looks(tmp_path / "looks.npz", Ground(7, 7))


def test_a_ground_knows_the_shape_of_what_is_seen():
    rule = ResizeRule(100, 150, "crop").describe()
    assert Ground.of((5, 7, 512), rule) == Ground(5, 7, "crop", 1.5)
    assert Ground.of((5, 7, 512)) == Ground(5, 7, "squash", 1.0)


def test_a_thousand_images_are_small(tmp_path):
    generator = np.random.default_rng(0)
    weights = list(generator.random((1000, 12, 7, 7), np.float32))
    write_looks(tmp_path / "looks.npz", pack(weights, Ground(7, 7)))
    assert (tmp_path / "looks.npz").stat().st_size < 700_000
    assert isinstance(read_looks(tmp_path / "looks.npz", Ground(7, 7)), Looks)
