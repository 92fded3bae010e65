"""Dense, Embedding and PReLU: weights for each feature of a row."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from nnrun.check.shapes.grid import grid, spatial, takes
from nnrun.check.shapes.layer import (
    Arguments,
    Outcome,
    Shape,
    Unfit,
    Unsure,
    elements,
    is_whole,
    known,
    outcome,
    read,
    rule,
)
from nnrun.spec.component import Component, as_arguments


@rule("Dense")
def dense(arguments: Arguments, shape: Shape) -> Outcome:
    """Every unit sees every feature, which is the last length of a row."""
    units, bias = arguments.count("units"), arguments.flag("use_bias")
    if not shape:
        raise Unfit("it takes rows of at least one dimension")
    return Outcome((*shape[:-1], units), (known(shape[-1]) + bias) * units)


@rule("Embedding")
def embedded(arguments: Arguments, shape: Shape) -> Outcome:
    """A vector for each word."""
    words, size = arguments.count("input_dim"), arguments.count("output_dim")
    return Outcome((*shape, size), words * size)


@rule("PReLU")
def leaking(arguments: Arguments, shape: Shape) -> Outcome:
    """A slope for each number, or one for all along the shared axes, counted from 1."""
    shared = () if arguments.values["shared_axes"] is None else arguments.axes("shared_axes")
    if any(axis < 1 for axis in shared):
        raise Unsure
    if shared and max(shared) > len(shape):
        raise Unfit(f"there is no axis {max(shared)} to share a slope along")
    slopes = (1 if axis in shared else known(length) for axis, length in enumerate(shape, 1))
    return Outcome(shape, math.prod(slopes))


# The layers that bring numbers to one scale.


@rule("BatchNormalization")
def batch(arguments: Arguments, shape: Shape) -> Outcome:
    """Follows a mean and a variance for each feature; three numbers more to renormalise."""
    features = _feature(arguments, shape)
    followed = 5 if arguments.flag("renorm") else 2
    return Outcome(shape, _scale_and_centre(arguments) * features, followed * features)


@rule("LayerNormalization")
def layer(arguments: Arguments, shape: Shape) -> Outcome:
    """Scale and centre for each number along the axes."""
    return Outcome(shape, _scale_and_centre(arguments) * math.prod(_along(arguments, shape)))


@rule("GroupNormalization")
def group(arguments: Arguments, shape: Shape) -> Outcome:
    """Scale and centre for each channel; the groups hold channels in equal parts."""
    channels, groups = _feature(arguments, shape), arguments.values["groups"]
    if not is_whole(groups) or groups == 0 or groups < -1:
        raise Unsure
    if groups != -1 and channels % groups:
        raise Unfit(f"{channels} channels do not divide into {groups} groups")
    return Outcome(shape, _scale_and_centre(arguments) * channels)


@rule("RMSNormalization")
def root_mean_square(arguments: Arguments, shape: Shape) -> Outcome:
    """Scale for each number along the axes."""
    return Outcome(shape, math.prod(_along(arguments, shape)))


@rule("UnitNormalization")
def unit(arguments: Arguments, shape: Shape) -> Outcome:
    """Nothing to learn."""
    _axes(arguments, shape)
    return Outcome(shape)


@rule("Normalization")
def told(arguments: Arguments, shape: Shape) -> Outcome:
    """Mean and variance are told, and so are no parameters."""
    if None in (arguments.values["mean"], arguments.values["variance"]):
        raise Unsure
    _along(arguments, shape)
    return Outcome(shape)


def _scale_and_centre(arguments: Arguments) -> int:
    return arguments.flag("scale") + arguments.flag("center")


def _feature(arguments: Arguments, shape: Shape) -> int:
    """The length along the one axis that is told."""
    if not is_whole(arguments.values["axis"]):
        raise Unsure
    return _along(arguments, shape)[0]


def _along(arguments: Arguments, shape: Shape) -> list[int]:
    """The lengths along the axes that are told."""
    return [known((None, *shape)[axis]) for axis in _axes(arguments, shape)]


def _axes(arguments: Arguments, shape: Shape) -> tuple[int, ...]:
    """The axes that are told, the batch counted as axis 0."""
    axes, dimensions = arguments.axes("axis"), len(shape) + 1
    for axis in axes:
        if not -dimensions <= axis < dimensions:
            raise Unfit(f"there is no axis {axis} to normalise along")
    if len({axis % dimensions for axis in axes}) != len(axes):
        raise Unsure
    return axes


# The layers that leave the shape of a row as it is and have nothing to learn.


@rule("Identity", "Masking", "ActivityRegularization")
@rule("Activation", "ReLU", "LeakyReLU", "ELU", "Softmax")
@rule("Dropout", "GaussianDropout", "AlphaDropout", "GaussianNoise")
def unchanged(_arguments: Arguments, shape: Shape) -> Outcome:
    """Any row."""
    return Outcome(shape)


@spatial("SpatialDropout{}D")
def unchanged_in_space(arguments: Arguments, shape: Shape, rank: int) -> Outcome:
    """Whole channels are dropped, so it has to be known where they are."""
    return Outcome(grid(arguments, shape, rank).shape)


@rule("Rescaling")
def rescaled(arguments: Arguments, shape: Shape) -> Outcome:
    """By numbers; a list of them could widen a row."""
    for name in ("scale", "offset"):
        if not isinstance(arguments.values[name], (int, float)):
            raise Unsure
    return Outcome(shape)


# Flatten, Reshape, Permute and RepeatVector: the same numbers in another order.


@rule("Flatten")
def flattened(_arguments: Arguments, shape: Shape) -> Outcome:
    """All numbers in one line."""
    return Outcome((elements(shape),))


@rule("Reshape")
def reshaped(arguments: Arguments, shape: Shape) -> Outcome:
    """The numbers in a shape that is told; one length may be left open, as -1."""
    target = _target(arguments.values["target_shape"])
    told = math.prod(length for length in target if length != -1)
    numbers = elements(shape)
    if numbers is None:
        return Outcome(tuple(None if length == -1 else length for length in target))
    left = numbers % told if -1 in target else numbers - told
    if left:
        raise Unfit(f"{numbers} numbers do not make rows of shape {target}")
    return Outcome(tuple(numbers // told if length == -1 else length for length in target))


@rule("Permute")
def permuted(arguments: Arguments, shape: Shape) -> Outcome:
    """The lengths in another order, counted from 1."""
    order = arguments.axes("dims")
    if sorted(order) != list(range(1, len(order) + 1)):
        raise Unsure
    if len(order) != len(shape):
        raise Unfit(f"it takes rows of {len(order)} dimension{'s' * (len(order) > 1)}")
    return Outcome(tuple(shape[axis - 1] for axis in order))


@rule("RepeatVector")
def repeated(arguments: Arguments, shape: Shape) -> Outcome:
    """The whole row several times."""
    times = arguments.count("n")
    if len(shape) != 1:
        raise Unfit(takes("features"))
    return Outcome((times, *shape))


def _target(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(map(is_whole, value)):
        raise Unsure
    if value.count(-1) > 1 or any(length < 1 and length != -1 for length in value):
        raise Unsure
    return tuple(value)


# LSTM, GRU and SimpleRNN.

RECURRENT = ("LSTM", "GRU", "SimpleRNN")


@rule("LSTM")
def lstm(arguments: Arguments, shape: Shape) -> Outcome:
    """Three gates and what they let through."""
    return _recurrent(arguments, shape, parts=4)


@rule("GRU")
def gru(arguments: Arguments, shape: Shape) -> Outcome:
    """Two gates and what they let through, by default with a second bias."""
    return _recurrent(arguments, shape, parts=3, biases=1 + arguments.flag("reset_after"))


@rule("SimpleRNN")
def simple(arguments: Arguments, shape: Shape) -> Outcome:
    """No gate."""
    return _recurrent(arguments, shape, parts=1)


def _recurrent(arguments: Arguments, shape: Shape, *, parts: int, biases: int = 1) -> Outcome:
    """Each part sees the features, what came out a step before, and its biases."""
    units, steps = arguments.count("units"), arguments.flag("return_sequences")
    if arguments.flag("return_state") or arguments.flag("stateful"):
        raise Unsure  # several outputs, or a state for each row of a batch
    if len(shape) != 2:
        raise Unfit(takes("length", "features"))
    length, features = shape[0], known(shape[1])
    seen = features + units + biases * arguments.flag("use_bias")
    return Outcome((length, units) if steps else (units,), parts * units * seen)


# The layers that hold another one: Bidirectional and TimeDistributed.


@rule("Bidirectional")
def both_ways(arguments: Arguments, shape: Shape) -> Outcome:
    """A recurrent layer twice, once from the end; what comes out is joined or merged."""
    merge = arguments.word("merge_mode", "concat", "sum", "mul", "ave")
    inner = _inner(arguments)
    if inner.name not in RECURRENT or arguments.values["backward_layer"] is not None:
        raise Unsure
    if read(inner).flag("go_backwards"):
        raise Unsure
    one = outcome(inner, shape)
    *length, units = one.shape
    out = 2 * units if merge == "concat" and units is not None else units
    return Outcome((*length, out), 2 * one.weights, 2 * one.statistics)


@rule("TimeDistributed")
def at_each_step(arguments: Arguments, shape: Shape) -> Outcome:
    """One layer for every step, the first length of a row."""
    inner = _inner(arguments)
    if len(shape) < 2:
        raise Unfit("it takes rows of at least 2 dimensions")
    try:
        one = outcome(inner, shape[1:])
    except Unfit:
        # Keras does not look so closely at what it gives to a layer inside another.
        raise Unsure from None
    return replace(one, shape=(shape[0], *one.shape))


def _inner(arguments: Arguments) -> Component:
    """The layer inside, `LSTM` or `LSTM: 3` or `LSTM: {units: 3}`."""
    if not arguments.trainable:
        raise Unsure  # Keras counts the weights inside as frozen in the layer, but not in the model
    return _component(arguments.values["layer"])


def _component(value: Any) -> Component:
    if isinstance(value, str):
        return Component(name=value)
    if not isinstance(value, dict) or len(value) != 1:
        raise Unsure
    [(name, told)] = value.items()
    return Component(name=str(name), arguments=as_arguments(told))
