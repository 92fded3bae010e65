"""LSTM, GRU and SimpleRNN."""

from __future__ import annotations

from nnrun.shapes.arguments import Arguments, Unsure
from nnrun.shapes.grid import takes
from nnrun.shapes.layer import Outcome, Shape, Unfit, known, rule

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
