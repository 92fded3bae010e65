"""Follows a row through a stack of layers, and through the stacks inside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nnrun.check.shapes.layer import Arguments, Outcome, Shape, Unfit, Unsure, outcome, rule, whole
from nnrun.errors import IncompatibleSpec
from nnrun.spec.component import Component, as_arguments, as_stack

# Follows a row through a stack of layers.


@dataclass(frozen=True)
class Row:
    """What goes into a layer or comes out of it.

    Args:
        shape: of one row, without the batch; None for a length that is not known.
        dtype: `float32` or `int32`.
    """

    shape: Shape
    dtype: str = "float32"


@dataclass(frozen=True)
class Traced:
    """One layer of a stack.

    Args:
        index: in the list of layers.
        name: the layer's, as in the spec.
        shape: of one row that comes out, without the batch.
        parameters: how many numbers the layer holds.
        trainable: how many of them training changes.
    """

    index: int
    name: str
    shape: Shape
    parameters: int
    trainable: int


@dataclass(frozen=True)
class Trace:
    """What is known of a stack.

    Args:
        layers: from the first on, as far as they are known.
        unchecked: index of the first layer that is not known, None where all are.
        problems: at most one, the first layer that is sure to be refused by Keras.
    """

    layers: tuple[Traced, ...]
    unchecked: int | None
    problems: tuple[IncompatibleSpec, ...] = ()

    @property
    def shape(self) -> Shape | None:
        """Of a row that comes out of the last layer."""
        return self.layers[-1].shape if self.unchecked is None and self.layers else None

    @property
    def parameters(self) -> int | None:
        """Of all layers together."""
        return None if self.unchecked is not None else sum(each.parameters for each in self.layers)

    @property
    def trainable(self) -> int | None:
        """The parameters that training changes."""
        return None if self.unchecked is not None else sum(each.trainable for each in self.layers)


def trace(layers: Sequence[Component], row: Row) -> Trace:
    """What a stack of layers makes of a row, and what it holds.

    Example:
        >>> found = trace([Component(name="Dense", arguments={"units": 16})], Row((4,)))
        >>> found.shape, found.parameters
        ((16,), 80)
    """
    traced: list[Traced] = []
    shape = row.shape
    for index, component in enumerate(layers):
        try:
            found = outcome(component, shape)
        except Unsure:
            return Trace(tuple(traced), index)
        except Unfit as reason:
            return Trace(tuple(traced), index, (_misfit(index, component, shape, reason),))
        traced.append(_traced(index, component, found))
        shape = found.shape
    return Trace(tuple(traced), None)


def _traced(index: int, component: Component, found: Outcome) -> Traced:
    held = found.weights + found.statistics
    return Traced(index, component.name, found.shape, held, found.weights)


def _misfit(index: int, component: Component, shape: Shape, reason: Unfit) -> IncompatibleSpec:
    name, before = (reason.layer, reason.shape) if reason.layer else (component.name, shape)
    message = f"{name} cannot follow an output of shape {before}: {reason}"
    return IncompatibleSpec("NN124", ("model", index, *reason.path), message)


# Stacks inside a stack: what they hold is the sum, what comes out has to fit together.


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
    for index, value in enumerate(as_stack(layers)):
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
