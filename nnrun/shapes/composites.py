"""Stacks inside a stack: what they hold is the sum, what comes out has to fit together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnrun.shapes.arguments import Arguments, Unsure, whole
from nnrun.shapes.layer import Outcome, Shape, Unfit, outcome, rule
from nnrun.spec.component import Component, as_arguments
from nnrun.spec.composites import stack


@rule("Block")
def as_written(arguments: Arguments, shape: Shape) -> Outcome:
    """One layer after the other."""
    return _through(arguments.values["layers"], Outcome(shape), ("Block", "layers"))


@rule("Repeat")
def again_and_again(arguments: Arguments, shape: Shape) -> Outcome:
    """The same layers several times, with new weights."""
    found = Outcome(shape)
    for _ in range(whole(arguments.values["times"])):
        found = _through(arguments.values["layers"], found, ("Repeat", "layers"))
    return found


@rule("Residual")
def added_to_the_input(arguments: Arguments, shape: Shape) -> Outcome:
    """Both ways have to end in the same shape."""
    main, shortcut = (
        _through(arguments.values[way], Outcome(shape), ("Residual", way))
        for way in ("main", "shortcut")
    )
    if main.shape != shortcut.shape:
        if None in (*main.shape, *shortcut.shape):
            raise Unsure
        hint = "; put layers into shortcut" if not arguments.values["shortcut"] else ""
        raise Unfit(f"main puts out {main.shape} and shortcut {shortcut.shape}{hint}")
    return _together(main.shape, [main, shortcut])


@rule("Branches")
def side_by_side(arguments: Arguments, shape: Shape) -> Outcome:
    """Joined along the last axis, or number by number."""
    paths = [
        _through(layers, Outcome(shape), ("Branches", "paths", index))
        for index, layers in enumerate(arguments.values["paths"])
    ]
    shapes = [path.shape for path in paths]
    if any(None in each for each in shapes):
        raise Unsure
    joined = arguments.values["merge"] == "concatenate"
    alike = {each[:-1] if joined else each for each in shapes}
    if len(alike) > 1 or len({len(each) for each in shapes}) > 1:
        raise Unfit(f"the paths put out {', '.join(map(str, shapes))}, which do not go together")
    width = sum(each[-1] or 0 for each in shapes) if joined else shapes[0][-1]
    return _together((*shapes[0][:-1], width), paths)


def _together(shape: Shape, parts: Sequence[Outcome]) -> Outcome:
    weights, statistics = (
        sum(getattr(part, name) for part in parts) for name in ("weights", "statistics")
    )
    return Outcome(shape, weights, statistics)


def _through(layers: Any, before: Outcome, path: tuple[str | int, ...]) -> Outcome:
    """What comes out of a stack, and what it holds besides what was held before.

    Args:
        path: of the stack, from the layer that it stands in.
    """
    for index, value in enumerate(stack(layers)):
        component = _component(value)
        try:
            found = outcome(component, before.shape)
        except Unfit as reason:
            at = (*path, index) if isinstance(layers, list) else path
            name, shape = reason.layer or component.name, reason.shape or before.shape
            raise Unfit(str(reason), path=(*at, *reason.path), layer=name, shape=shape) from None
        before = _together(found.shape, [before, found])
    return before


def _component(value: Any) -> Component:
    if isinstance(value, str):
        return Component(name=value)
    [(name, told)] = value.items()
    return Component(name=str(name), arguments=as_arguments(told))
