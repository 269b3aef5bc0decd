"""Convolution arithmetic, by hand and against Keras."""

import keras
import pytest

from captioner.backbones.arithmetic import ReceptiveField, convolve, pad_same, pool
from captioner.errors import UsageError


def test_200_pixels_become_97():
    size = convolve(200, 5, stride=2, padding=1)
    assert size == 99
    size = pool(size, 3, stride=1)
    assert size == 97
    assert convolve(size, 3, padding=1) == 97


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (convolve(224, 11, stride=4, padding=(1, 2)), 55),
        (convolve(224, 11, stride=4, padding=2), 55),
        (convolve(224, 11, stride=4), 54),
        (convolve(28, 5, padding=2), 28),
        (convolve(7, 3, dilation=3), 1),
        (pool(28, 2), 14),
        (pool(55, 3, stride=2), 27),
        (pool(54, 3, stride=2), 26),
        (pool(54, 3, stride=2, rounding="ceil"), 27),
        (pool(112, 3, stride=2, rounding="ceil"), 56),
        (pool(3, 2, rounding="ceil"), 2),
        (pool(3, 2, stride=3, padding=1, rounding="ceil"), 2),  # a third would begin outside
    ],
)
def test_worked_by_hand(found, expected):
    assert found == expected


def test_ceil_never_counts_a_window_that_begins_in_the_padding_behind():
    for size in range(1, 12):
        for kernel in (2, 3):
            for stride in (1, 2, 3):
                places = pool(size, kernel, stride=stride, padding=1, rounding="ceil")
                assert (places - 1) * stride < size + 1
                assert places - pool(size, kernel, stride=stride, padding=1) in (0, 1)


@pytest.mark.parametrize("size", [7, 8, 13, 28])
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"), [(3, 1, 1), (5, 2, 1), (2, 3, 1), (3, 1, 2)]
)
def test_equals_keras(size, kernel, stride, dilation):
    for padding in ("valid", "same"):
        layer = keras.layers.Conv1D(1, kernel, stride, padding, dilation_rate=dilation)
        zeros = (
            (0, 0)
            if padding == "valid"
            else pad_same(size, kernel, stride=stride, dilation=dilation)
        )
        expected = layer.compute_output_shape((None, size, 1))[1]
        assert convolve(size, kernel, stride=stride, padding=zeros, dilation=dilation) == expected


def test_same_puts_the_odd_zero_behind():
    assert pad_same(224, 3, stride=2) == (0, 1)
    assert pad_same(224, 3) == (1, 1)
    assert pad_same(10, 1, stride=2) == (0, 0)


def test_receptive_field_of_vgg16():
    """212 pixels at block5_pool, as in Araujo et al. 2019, table 1."""
    field = ReceptiveField()
    for depth in (2, 2, 3, 3, 3):
        for _ in range(depth):
            field = field.through(3)
        field = field.through(2, 2)
    assert field == ReceptiveField(212, 32)


def test_receptive_field_of_a_dilated_kernel_and_of_a_sum():
    assert ReceptiveField().through(3, dilation=2) == ReceptiveField(5, 1)
    assert ReceptiveField(5, 2).joined(ReceptiveField(3, 2)) == ReceptiveField(5, 2)


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (lambda: convolve(4, 5), "A kernel of 5 does not fit into 4 pixels"),
        (lambda: convolve(4, 3, dilation=2), "A kernel of 5 does not fit into 4 pixels"),
        (lambda: pool(1, 2), "does not fit into 1 pixels"),
        (lambda: convolve(0, 1), "Received: size=0"),
        (lambda: convolve(8, 3, stride=0), "stride=0"),
        (lambda: convolve(8, 3, padding=-1), "padding=-1"),
    ],
)
def test_what_cannot_be_is_told_in_words(compute, message):
    with pytest.raises(UsageError, match=message):
        compute()
