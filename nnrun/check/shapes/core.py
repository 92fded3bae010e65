"""Shape rules of dense, embedding, normalization, reshaping, recurrent and wrapper layers."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

from nnrun.check.shapes.layer import (
    Arguments,
    IncompatibleShape,
    LayerOutput,
    Shape,
    UnknownShape,
    combine,
    is_integer,
    known,
    layer_output,
    parse_arguments,
    parse_layer,
    rule,
)
from nnrun.spec.component import Component

RECURRENT = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}
"""Number of kernels by layer: one per gate, and one for the candidate state."""


@rule("Dense")
def dense(arguments: Arguments, shape: Shape) -> LayerOutput:
    """Applies to the last axis."""
    units, bias = arguments.size("units"), arguments.flag("use_bias")
    if not shape:
        raise IncompatibleShape("it takes rows of at least one dimension")
    return LayerOutput((*shape[:-1], units), (known(shape[-1]) + bias) * units)


@rule("Embedding")
def embedding(arguments: Arguments, shape: Shape) -> LayerOutput:
    """A vector for each index."""
    words, size = arguments.size("input_dim"), arguments.size("output_dim")
    return LayerOutput((*shape, size), words * size)


@rule("PReLU")
def prelu(arguments: Arguments, shape: Shape) -> LayerOutput:
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
def identity(_arguments: Arguments, shape: Shape) -> LayerOutput:
    """The shape of the input."""
    return LayerOutput(shape)


@rule("Rescaling")
def rescaling(arguments: Arguments, shape: Shape) -> LayerOutput:
    """The shape of the input; a list of factors could broadcast to another one."""
    for name in ("scale", "offset"):
        if not isinstance(arguments.values[name], int | float):
            raise UnknownShape
    return LayerOutput(shape)


@rule("BatchNormalization")
def batch_normalization(arguments: Arguments, shape: Shape) -> LayerOutput:
    """Moving mean and variance for each feature, and three more weights with `renorm`."""
    features = _normalized_axis(arguments, shape)
    statistics = 5 if arguments.flag("renorm") else 2
    return LayerOutput(shape, _scale_and_center(arguments) * features, statistics * features)


@rule("LayerNormalization")
def layer_normalization(arguments: Arguments, shape: Shape) -> LayerOutput:
    """Scale and center for each position along the axes."""
    positions = math.prod(_normalized_lengths(arguments, shape))
    return LayerOutput(shape, _scale_and_center(arguments) * positions)


@rule("GroupNormalization")
def group_normalization(arguments: Arguments, shape: Shape) -> LayerOutput:
    """Scale and center for each channel; groups have equal numbers of channels."""
    channels, groups = _normalized_axis(arguments, shape), arguments.values["groups"]
    if not is_integer(groups) or groups == 0 or groups < -1:
        raise UnknownShape
    if groups != -1 and channels % groups:
        raise IncompatibleShape(f"{channels} channels do not divide into {groups} groups")
    return LayerOutput(shape, _scale_and_center(arguments) * channels)


@rule("RMSNormalization")
def rms_normalization(arguments: Arguments, shape: Shape) -> LayerOutput:
    """A scale for each position along the axes."""
    return LayerOutput(shape, math.prod(_normalized_lengths(arguments, shape)))


@rule("UnitNormalization")
def unit_normalization(arguments: Arguments, shape: Shape) -> LayerOutput:
    """No weights."""
    _normalized_axes(arguments, shape)
    return LayerOutput(shape)


@rule("Normalization")
def normalization(arguments: Arguments, shape: Shape) -> LayerOutput:
    """No weights if `mean` and `variance` are arguments."""
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
def flatten(_arguments: Arguments, shape: Shape) -> LayerOutput:
    """A vector of all values."""
    return LayerOutput((_size(shape),))


@rule("Reshape")
def reshape(arguments: Arguments, shape: Shape) -> LayerOutput:
    """The values in the target shape, in which one length may be -1."""
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
def permute(arguments: Arguments, shape: Shape) -> LayerOutput:
    """The axes in another order, counted from 1."""
    order = arguments.axes("dims")
    if sorted(order) != list(range(1, len(order) + 1)):
        raise UnknownShape
    if len(order) != len(shape):
        raise IncompatibleShape(f"it takes rows of {len(order)} dimension{'s' * (len(order) > 1)}")
    return LayerOutput(tuple(shape[axis - 1] for axis in order))


@rule("RepeatVector")
def repeat_vector(arguments: Arguments, shape: Shape) -> LayerOutput:
    """The row `n` times."""
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
def bidirectional(arguments: Arguments, shape: Shape) -> LayerOutput:
    """A recurrent layer in both directions, with concatenated or merged outputs."""
    merge = arguments.choice("merge_mode", "concat", "sum", "mul", "ave")
    inner = _inner_layer(arguments)
    if inner.name not in RECURRENT or arguments.values["backward_layer"] is not None:
        raise UnknownShape
    if parse_arguments(inner).flag("go_backwards"):
        raise UnknownShape
    one = layer_output(inner, shape)
    *length, units = one.shape
    width = 2 * known(units) if merge == "concat" else units
    return combine((*length, width), [one, one])


@rule("TimeDistributed")
def time_distributed(arguments: Arguments, shape: Shape) -> LayerOutput:
    """The inner layer at each position of the first axis."""
    inner = _inner_layer(arguments)
    if len(shape) < 2:
        raise IncompatibleShape("it takes rows of at least 2 dimensions")
    try:
        output = layer_output(inner, shape[1:])
    except IncompatibleShape:
        # Keras checks the input of an inner layer less strictly.
        raise UnknownShape from None
    return replace(output, shape=(shape[0], *output.shape))


def _inner_layer(arguments: Arguments) -> Component:
    if not arguments.trainable:
        raise UnknownShape  # Keras counts the inner weights differently for layer and model
    return parse_layer(arguments.values["layer"])
