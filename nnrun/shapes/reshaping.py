"""Flatten, Reshape, Permute and RepeatVector: the same numbers in another order."""

from __future__ import annotations

import math
from typing import Any

from nnrun.shapes.arguments import Arguments, Unsure, is_whole
from nnrun.shapes.grid import takes
from nnrun.shapes.layer import Outcome, Shape, Unfit, elements, rule


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
