"""The layers that bring numbers to one scale."""

from __future__ import annotations

import math

from nnrun.shapes.arguments import Arguments, Unsure, is_whole
from nnrun.shapes.layer import Outcome, Shape, Unfit, known, rule


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
