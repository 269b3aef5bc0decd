"""A network layer by layer: kernel, stride, padding, output, parameters, arithmetic, view.

Built without memory for its weights, so a network of any size is described at once.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from captioner.backbones.arithmetic import ReceptiveField, pad_same
from captioner.backbones.spec import BackboneSpec, Size

Pair = tuple[int, int]  # along height and width
Padding = tuple[Pair, Pair]  # before and after, along height and width
View = tuple[ReceptiveField, ReceptiveField] | None  # along height and width; None: all
_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
_POOLINGS = (layers.MaxPooling2D, layers.AveragePooling2D)
_GLOBAL_POOLINGS = (layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D)


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One layer.

    Args:
        name: unique in the network.
        kind: its class.
        kernel: height and width of what slides over the input; None if nothing does.
        stride: from one place to the next.
        padding: zeros (top, bottom), (left, right).
        output_shape: without the batch.
        num_parameters: trained or not.
        num_multiply_adds: for one image, of convolutions and dense layers.
        receptive_field: pixels of the image, along height and width, that one place sees, beyond
            the edge too; None behind the first layer that sees all of it.
    """

    name: str
    kind: str
    kernel: Pair | None
    stride: Pair | None
    padding: Padding | None
    output_shape: tuple[int, ...]
    num_parameters: int
    num_multiply_adds: int
    receptive_field: Pair | None


@dataclass(frozen=True, slots=True)
class LayerTable:
    """A network's layers and their totals.

    Args:
        name: of the network.
        input_shape: (H, W, C).
        rows: from input to output.
        num_parameters: of the whole network.
        num_trainable: of those, what training changes.
    """

    name: str
    input_shape: tuple[int, ...]
    rows: tuple[LayerRow, ...]
    num_parameters: int
    num_trainable: int

    @property
    def num_multiply_adds(self) -> int:
        """For one image."""
        return sum(row.num_multiply_adds for row in self.rows)


def tabulate_layers(spec: BackboneSpec, input_size: Size | None = None) -> LayerTable:
    """Describes a network's layers.

    Args:
        spec: the network.
        input_size: height and width of the images; None for the published size.

    Raises:
        UsageError: the images are too small for the network, or it is several networks.
    """
    spec.at(input_size=input_size)  # refuses what is no single network
    with keras.StatelessScope(initialize_variables=False):
        return _tabulate(spec.build(input_size=input_size))


def _tabulate(network: keras.Model) -> LayerTable:
    seen: dict[int, View] = {}
    rows = [row for operation in network.operations for row in _walk(operation, seen)]
    return LayerTable(
        network.name,
        tuple(network.input.shape[1:]),
        tuple(rows),
        network.count_params(),
        sum(math.prod(weight.shape) for weight in network.trainable_weights),
    )


def _walk(operation: keras.Operation, seen: dict[int, View]) -> Iterator[LayerRow]:
    """Yields the rows of a layer, or of the layers inside it; `seen` maps tensors to views."""
    inputs = [] if isinstance(operation, layers.InputLayer) else _flatten(operation.input)
    view = _join([seen[id(tensor)] for tensor in inputs])
    inner = operation.layers if isinstance(operation, keras.Sequential) else [operation]
    for layer in inner:
        view = _look(layer, view)
        yield _describe(layer, view)
    seen.update({id(tensor): view for tensor in _flatten(operation.output)})


def _flatten(tensors: Any) -> list[keras.KerasTensor]:
    return list(keras.tree.flatten(tensors))


def _join(views: list[View]) -> View:
    """Returns what a layer sees that takes all of these; None is the whole image."""
    joined: View = (ReceptiveField(), ReceptiveField())
    for view in views:
        if view is None or joined is None:
            return None
        joined = (joined[0].joined(view[0]), joined[1].joined(view[1]))
    return joined


def _look(layer: keras.Operation, view: View) -> View:
    is_whole = isinstance(layer, (*_GLOBAL_POOLINGS, layers.Flatten))
    kernel, stride = _kernel(layer), _stride(layer)
    if view is None or is_whole:
        return None
    if kernel is None or stride is None:
        return view
    dilation = getattr(layer, "dilation_rate", (1, 1))
    rows, columns = (
        field.through(*axis) for field, *axis in zip(view, kernel, stride, dilation, strict=True)
    )
    return rows, columns


def _describe(layer: keras.Operation, view: View) -> LayerRow:
    weights = layer.weights if isinstance(layer, keras.Layer) else []
    shape = tuple(_flatten(layer.output)[0].shape[1:])
    kernels = sum(math.prod(weight.shape) for weight in weights if "kernel" in weight.name)
    return LayerRow(
        name=layer.name,
        kind=type(layer).__name__,
        kernel=_kernel(layer),
        stride=_stride(layer),
        padding=_padding(layer),
        output_shape=shape,
        num_parameters=sum(math.prod(weight.shape) for weight in weights),
        num_multiply_adds=kernels * math.prod(shape[:-1]),  # each kernel once at every place
        receptive_field=None if view is None else (view[0].size, view[1].size),
    )


def _kernel(layer: keras.Operation) -> Pair | None:
    if isinstance(layer, _POOLINGS):
        return _pair(layer.pool_size)
    return _pair(layer.kernel_size) if isinstance(layer, _CONVOLUTIONS) else None


def _stride(layer: keras.Operation) -> Pair | None:
    return _pair(layer.strides) if isinstance(layer, (*_POOLINGS, *_CONVOLUTIONS)) else None


def _padding(layer: keras.Operation) -> Padding | None:
    if isinstance(layer, layers.ZeroPadding2D):
        rows, columns = layer.padding
        return _pair(rows), _pair(columns)
    kernel, stride = _kernel(layer), _stride(layer)
    if kernel is None or stride is None:
        return None
    if layer.padding == "valid":
        return (0, 0), (0, 0)
    dilation = getattr(layer, "dilation_rate", (1, 1))
    sides = layer.input.shape[1:3]
    rows, columns = (
        pad_same(size, k, stride=s, dilation=d)
        for size, k, s, d in zip(sides, kernel, stride, dilation, strict=True)
    )
    return rows, columns


def _pair(values: Iterable[int]) -> Pair:
    first, second = values
    return int(first), int(second)
