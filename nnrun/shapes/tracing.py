"""Follows a row through a stack of layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnrun.errors import Misfit
from nnrun.shapes.arguments import Unsure
from nnrun.shapes.layer import Outcome, Shape, Unfit, outcome
from nnrun.spec.component import Component


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
        misfits: at most one, the first layer that is sure to be refused by Keras.
    """

    layers: tuple[Traced, ...]
    unchecked: int | None
    misfits: tuple[Misfit, ...] = ()

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


def _misfit(index: int, component: Component, shape: Shape, reason: Unfit) -> Misfit:
    name, before = (reason.layer, reason.shape) if reason.layer else (component.name, shape)
    message = f"{name} cannot follow an output of shape {before}: {reason}"
    return Misfit("NN124", ("model", index, *reason.path), message)
