"""`captioner layers` and the table behind it, against figures worked out by hand or published."""

import json

import pytest
from click.testing import CliRunner

from captioner.backbones.layer_table import tabulate_layers
from captioner.backbones.registry import find_spec
from captioner.cli.layers import command
from captioner.errors import UsageError


def rows_of(name, size=None):
    return {row.name: row for row in tabulate_layers(find_spec(name), size).rows}


def test_alexnet_tower_layer_by_layer():
    rows = rows_of("alexnet_tower")
    first = rows["conv1"]
    assert (first.kernel, first.stride, first.padding) == ((11, 11), (4, 4), ((0, 0), (0, 0)))
    assert first.output_shape == (55, 55, 48)
    assert first.num_parameters == 11 * 11 * 3 * 48 + 48
    assert first.num_multiply_adds == 55 * 55 * 11 * 11 * 3 * 48
    assert rows["border"].padding == ((1, 2), (1, 2))
    assert rows["conv2"].padding == ((2, 2), (2, 2))
    assert rows["fc1"].num_multiply_adds == 6 * 6 * 128 * 2048
    fields = [rows[name].receptive_field for name in ("conv1", "pool1", "conv2", "pool5")]
    assert fields == [(11, 11), (19, 19), (51, 51), (195, 195)]  # Araujo et al. 2019, table 1
    assert rows["fc1"].receptive_field is None


def test_odd_zeros_of_a_strided_convolution_lie_behind():
    assert rows_of("efficientnet_lite0")["stem_conv"].padding == ((0, 1), (0, 1))


# multiply-adds: 15.5 billion of VGG-16 and 3.9 of ResNet-50 are the figures of their papers
TOTALS = {"vgg16": (138_357_544, 15.47e9), "resnet50": (25_636_712, 3.87e9)}


@pytest.mark.parametrize("name", TOTALS)
def test_totals(name):
    table = tabulate_layers(find_spec(name))
    num_parameters, num_multiply_adds = TOTALS[name]
    assert table.num_parameters == num_parameters
    assert sum(row.num_parameters for row in table.rows) == num_parameters
    assert table.num_multiply_adds == pytest.approx(num_multiply_adds, rel=0.005)


def test_layers_inside_layers_are_listed():
    rows = rows_of("convnext_tiny")
    assert rows["convnext_tiny_stem_conv"].kernel == (4, 4)
    assert rows["convnext_tiny_stage_0_block_0_depthwise_conv"].receptive_field == (28, 28)
    assert sum(row.num_parameters for row in rows.values()) == 28_589_128


def test_another_size_moves_shapes_and_arithmetic_but_no_convolution():
    published, small = rows_of("vgg11"), rows_of("vgg11", (32, 64))
    assert small["block5_pool"].output_shape == (1, 2, 512)
    assert small["block1_conv1"].num_parameters == published["block1_conv1"].num_parameters
    assert small["block1_conv1"].num_multiply_adds == 32 * 64 * 9 * 3 * 64
    assert small["fc1"].num_parameters == 2 * 512 * 4096 + 4096


def invoke(*arguments):
    return CliRunner().invoke(command, arguments)


def test_the_command_shows_every_layer_and_the_totals():
    result = invoke("alexnet_bn")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert next(line.split() for line in lines if line.startswith("conv1")) == [
        "conv1", "11x11", "4x4", "0", "54x54x96", "34,944", "101,616,768", "11x11"
    ]  # fmt: skip
    assert next(line.split()[1] for line in lines if line.startswith("total")) == "46,846,744"
    assert lines[-1] == "46,846,040 parameters are trained, 704 are not."


def test_the_command_writes_json():
    table = json.loads(invoke("lenet", "--input", "32x40", "--json").stdout)
    assert table["input_shape"] == [32, 40, 1]
    assert table["num_multiply_adds"] == sum(row["num_multiply_adds"] for row in table["rows"])
    assert {"name": "conv1", "kernel": [5, 5], "padding": [[2, 2], [2, 2]]}.items() <= (
        table["rows"][1].items()
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["vgg_16"], "Did you mean 'vgg16'"),
        (["lenet", "--input", "28"], "as in --input 224x224"),
        (["lenet", "--input", "0x28"], "as in --input 224x224"),
        (["lenet", "--input", "4x4"], "LeNet-5 cannot take images of 4 x 4 pixels"),
    ],
)
def test_slips_are_told_in_words(arguments, message):
    error = invoke(*arguments).exception
    assert isinstance(error, UsageError)
    assert message in str(error)
