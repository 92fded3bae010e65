"""The layers that hold another one: Bidirectional and TimeDistributed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nnrun.shapes.arguments import Arguments, Unsure, read
from nnrun.shapes.layer import Outcome, Shape, Unfit, outcome, rule
from nnrun.shapes.recurrent import RECURRENT
from nnrun.spec.component import Component, as_arguments


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
