"""Shape rules of all layers but spatial ones and composites: from Dense to recurrent layers."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from functools import partial

from nnrun.check.shapes.layer import (
    Arguments,
    IncompatibleShape,
    LayerOutput,
    Shape,
    UnknownShape,
    combine,
    integer,
    is_integer,
    known,
    own_output,
    parse_arguments,
    parse_layer,
    rule,
)
from nnrun.spec.component import Component, as_stack

RECURRENT = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}
"""Number of kernels by layer: one per gate, and one for the candidate state."""


@rule("Dense")
def _dense(arguments: Arguments, shape: Shape) -> LayerOutput:
    units, bias = arguments.size("units"), arguments.flag("use_bias")
    if not shape:
        raise IncompatibleShape("it takes rows of at least one dimension")
    return LayerOutput((*shape[:-1], units), (known(shape[-1]) + bias) * units)


@rule("Embedding")
def _embedding(arguments: Arguments, shape: Shape) -> LayerOutput:
    words, size = arguments.size("input_dim"), arguments.size("output_dim")
    return LayerOutput((*shape, size), words * size)


@rule("EinsumDense")
def _einsum_dense(arguments: Arguments, shape: Shape) -> LayerOutput:
    """A kernel with the axes after the comma of an equation such as `abc,cd->abd`."""
    equation = re.fullmatch(r"([a-z]+),([a-z]+)->([a-z]+)", str(arguments.values["equation"]))
    given, bias = arguments.values["output_shape"], arguments.values["bias_axes"] or ""
    sizes = [None if n is None else integer(n) for n in as_stack(given)]
    if not equation or not isinstance(bias, str):
        raise UnknownShape
    rows, kernel, outputs = equation.groups()
    fits = len(rows) == len(shape) + 1 and len(outputs) == len(sizes) + 1
    if not fits or rows[0] != outputs[0] or rows[0] in kernel + bias:
        raise UnknownShape
    before = dict(zip(rows[1:], shape, strict=True))
    after = dict(zip(outputs[1:], sizes, strict=True))
    if any(n is not None and before.get(axis, n) != n for axis, n in after.items()):
        raise UnknownShape
    lengths = {**before, **after}  # a length that the output leaves open stays unknown in Keras
    if not ({*kernel} <= {*lengths} and {*bias} <= {*after} <= {*rows, *kernel}):
        raise UnknownShape
    weights = math.prod(known(lengths[axis]) for axis in kernel)
    biases = math.prod(known(after[axis]) for axis in bias) if bias else 0
    return LayerOutput(tuple(sizes), weights + biases)


@rule("PReLU")
def _prelu(arguments: Arguments, shape: Shape) -> LayerOutput:
    """A slope for each position, shared along `shared_axes`."""
    shared = () if arguments.values["shared_axes"] is None else arguments.axes("shared_axes")
    if any(axis < 1 for axis in shared):
        raise UnknownShape
    if shared and max(shared) > len(shape):
        raise IncompatibleShape(f"there is no axis {max(shared)} to share a slope along")
    slopes = (1 if axis in shared else known(length) for axis, length in enumerate(shape, 1))
    return LayerOutput(shape, math.prod(slopes))


@rule("Identity", "Masking", "ActivityRegularization")
@rule("Activation", "ReLU", "LeakyReLU", "ELU", "Softmax")
@rule("Dropout", "GaussianDropout", "AlphaDropout", "GaussianNoise")
def _identity(_arguments: Arguments, shape: Shape) -> LayerOutput:
    return LayerOutput(shape)


@rule("Rescaling")
def _rescaling(arguments: Arguments, shape: Shape) -> LayerOutput:
    """The shape of the input; a list has a factor for each channel, or could broadcast otherwise."""
    for name in ("scale", "offset"):
        value = arguments.values[name]
        per_channel = isinstance(value, list) and shape[-1:] == (len(value),)
        if not (isinstance(value, int | float) or per_channel):
            raise UnknownShape
    return LayerOutput(shape)


@rule("BatchNormalization")
def _batch_normalization(arguments: Arguments, shape: Shape) -> LayerOutput:
    """Moving mean and variance for each feature, and three more weights with `renorm`."""
    features = _normalized_axis(arguments, shape)
    statistics = 5 if arguments.flag("renorm") else 2
    return LayerOutput(shape, _scale_and_center(arguments) * features, statistics * features)


@rule("LayerNormalization")
def _layer_normalization(arguments: Arguments, shape: Shape) -> LayerOutput:
    positions = math.prod(_normalized_lengths(arguments, shape))
    return LayerOutput(shape, _scale_and_center(arguments) * positions)


@rule("GroupNormalization")
def _group_normalization(arguments: Arguments, shape: Shape) -> LayerOutput:
    """Scale and center for each channel; groups have equal numbers of channels."""
    channels, groups = _normalized_axis(arguments, shape), arguments.values["groups"]
    if not is_integer(groups) or groups == 0 or groups < -1:
        raise UnknownShape
    if groups != -1 and channels % groups:
        raise IncompatibleShape(f"{channels} channels do not divide into {groups} groups")
    return LayerOutput(shape, _scale_and_center(arguments) * channels)


@rule("RMSNormalization")
def _rms_normalization(arguments: Arguments, shape: Shape) -> LayerOutput:
    return LayerOutput(shape, math.prod(_normalized_lengths(arguments, shape)))


@rule("UnitNormalization")
def _unit_normalization(arguments: Arguments, shape: Shape) -> LayerOutput:
    _normalized_axes(arguments, shape)
    return LayerOutput(shape)


@rule("Normalization")
def _normalization(arguments: Arguments, shape: Shape) -> LayerOutput:
    if None in (arguments.values["mean"], arguments.values["variance"]):
        raise UnknownShape
    _normalized_lengths(arguments, shape)
    return LayerOutput(shape)


def _scale_and_center(arguments: Arguments) -> int:
    return arguments.flag("scale") + arguments.flag("center")


def _normalized_axis(arguments: Arguments, shape: Shape) -> int:
    """The length along the only axis."""
    if not is_integer(arguments.values["axis"]):
        raise UnknownShape
    return _normalized_lengths(arguments, shape)[0]


def _normalized_lengths(arguments: Arguments, shape: Shape) -> list[int]:
    return [known((None, *shape)[axis]) for axis in _normalized_axes(arguments, shape)]


def _normalized_axes(arguments: Arguments, shape: Shape) -> tuple[int, ...]:
    """The argument `axis`; axis 0 is the batch."""
    axes, dimensions = arguments.axes("axis"), len(shape) + 1
    for axis in axes:
        if not -dimensions <= axis < dimensions:
            raise IncompatibleShape(f"there is no axis {axis} to normalize along")
    if len({axis % dimensions for axis in axes}) != len(axes):
        raise UnknownShape
    return axes


@rule("Flatten")
def _flatten(_arguments: Arguments, shape: Shape) -> LayerOutput:
    return LayerOutput((_size(shape),))


@rule("Reshape")
def _reshape(arguments: Arguments, shape: Shape) -> LayerOutput:
    target = arguments.values["target_shape"]
    if not isinstance(target, list) or not all(map(is_integer, target)):
        raise UnknownShape
    if target.count(-1) > 1 or any(length < 1 and length != -1 for length in target):
        raise UnknownShape
    given, size = math.prod(length for length in target if length != -1), _size(shape)
    inferred = None if size is None else size // given
    if size is not None and (size % given if -1 in target else size != given):
        raise IncompatibleShape(f"{size} numbers do not make rows of shape {tuple(target)}")
    return LayerOutput(tuple(inferred if length == -1 else length for length in target))


@rule("Permute")
def _permute(arguments: Arguments, shape: Shape) -> LayerOutput:
    order = arguments.axes("dims")
    if sorted(order) != list(range(1, len(order) + 1)):
        raise UnknownShape
    if len(order) != len(shape):
        raise IncompatibleShape(f"it takes rows of {len(order)} dimension{'s' * (len(order) > 1)}")
    return LayerOutput(tuple(shape[axis - 1] for axis in order))


@rule("RepeatVector")
def _repeat_vector(arguments: Arguments, shape: Shape) -> LayerOutput:
    repeats = arguments.size("n")
    if len(shape) != 1:
        raise IncompatibleShape("it takes rows of shape (features,)")
    return LayerOutput((repeats, *shape))


def _size(shape: Shape) -> int | None:
    """Number of values in a row, if known."""
    return math.prod(map(known, shape)) if None not in shape else None


def _recurrent(arguments: Arguments, shape: Shape, *, kernels: int) -> LayerOutput:
    units, bias = arguments.size("units"), arguments.flag("use_bias")
    if arguments.flag("return_state") or arguments.flag("stateful"):
        raise UnknownShape  # several outputs, or a state for each row of a batch
    if len(shape) != 2:
        raise IncompatibleShape("it takes rows of shape (length, features)")
    length, features = shape[0], known(shape[1])
    biases = bias * (2 if arguments.values.get("reset_after") else 1)
    output = (length, units) if arguments.flag("return_sequences") else (units,)
    return LayerOutput(output, kernels * units * (features + units + biases))


for _name, _kernels in RECURRENT.items():
    rule(_name)(partial(_recurrent, kernels=_kernels))


@rule("Bidirectional")
def _bidirectional(arguments: Arguments, shape: Shape) -> LayerOutput:
    merge = arguments.choice("merge_mode", "concat", "sum", "mul", "ave")
    inner = _inner_layer(arguments)
    if inner.name not in RECURRENT or arguments.values["backward_layer"] is not None:
        raise UnknownShape
    if parse_arguments(inner).flag("go_backwards"):
        raise UnknownShape
    one = own_output(inner, shape)
    *length, units = one.shape
    width = 2 * known(units) if merge == "concat" else units
    return combine((*length, width), [one, one])


@rule("TimeDistributed")
def _time_distributed(arguments: Arguments, shape: Shape) -> LayerOutput:
    inner = _inner_layer(arguments)
    if len(shape) < 2:
        raise IncompatibleShape("it takes rows of at least 2 dimensions")
    try:
        output = own_output(inner, shape[1:])
    except IncompatibleShape:
        # Keras checks the input of an inner layer less strictly.
        raise UnknownShape from None
    return replace(output, shape=(shape[0], *output.shape))


def _inner_layer(arguments: Arguments) -> Component:
    if not arguments.trainable:
        raise UnknownShape  # Keras counts the inner weights differently for layer and model
    return parse_layer(arguments.values["layer"])
