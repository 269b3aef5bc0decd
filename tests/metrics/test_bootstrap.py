"""The bootstrap: seeded, in pairs, and as wide as statistics says."""

import numpy as np
import pytest

from captioner.metrics import bootstrap
from captioner.metrics.bootstrap import Resampling, find_difference, find_interval


def test_equal_seeds_draw_equal_images():
    table = np.random.default_rng(0).normal(size=(30, 2))
    first = Resampling(50, seed=1).sum_rows(table)
    assert first.shape == (50, 2)
    np.testing.assert_array_equal(first, Resampling(50, seed=1).sum_rows(table))
    assert not np.array_equal(first, Resampling(50, seed=2).sum_rows(table))


def test_every_draw_has_as_many_images_as_there_are():
    assert Resampling(20).sum_rows(np.ones((7, 1))).tolist() == [[7.0]] * 20


def test_chunks_do_not_change_the_draws(monkeypatch):
    table = np.arange(12.0).reshape(6, 2)
    whole = Resampling(10).sum_rows(table)
    monkeypatch.setattr(bootstrap, "_CHUNK_ELEMENTS", 18)
    np.testing.assert_array_equal(Resampling(10).sum_rows(table), whole)


def test_a_mean_has_the_interval_of_its_standard_error():
    values = np.random.default_rng(0).normal(size=400)
    samples = Resampling(4000).sum_rows(values[:, None])[:, 0] / 400
    span = find_interval(samples)
    error = values.std() / 20
    assert span.low == pytest.approx(values.mean() - 1.96 * error, abs=0.01)
    assert span.high == pytest.approx(values.mean() + 1.96 * error, abs=0.01)


def test_a_difference_that_leaves_out_zero_is_significant():
    clear = find_difference(0.5, np.linspace(0.1, 0.9, 100))
    assert clear.is_significant
    assert clear.share_above == 1.0
    vague = find_difference(0.1, np.linspace(-0.4, 0.6, 100))
    assert not vague.is_significant
    assert vague.share_above == pytest.approx(0.6)
    assert find_difference(-0.5, -np.linspace(0.1, 0.9, 100)).is_significant
