"""Dense, Embedding and PReLU: weights for each feature of a row."""

from __future__ import annotations

import math

from nnrun.shapes.arguments import Arguments, Unsure
from nnrun.shapes.layer import Outcome, Shape, Unfit, known, rule


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
