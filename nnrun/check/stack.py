"""Layers that cannot stand in a stack, whatever comes in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nnrun.errors import Misfit
from nnrun.spec.component import Component

SEVERAL_INPUTS = frozenset(
    "Add Average Concatenate Dot Maximum Minimum Multiply Subtract Attention AdditiveAttention "
    "MultiHeadAttention GroupQueryAttention".split()
)
RECURRENT = frozenset("LSTM GRU SimpleRNN RNN ConvLSTM1D ConvLSTM2D ConvLSTM3D".split())


def misfits(model: Sequence[Component]) -> Iterator[Misfit]:
    """Layers that take several inputs, put out several, or have the name of another."""
    seen: dict[str, int] = {}
    for index, layer in enumerate(model):
        if reason := _reason(layer):
            yield Misfit("NN124", ("model", index), f"{layer.name} {reason}")
        name = layer.arguments.get("name")
        if isinstance(name, str) and name in seen:
            message = f"there is a layer of the name '{name}' already, model[{seen[name]}]"
            yield Misfit("NN124", ("model", index, layer.name, "name"), message)
        elif isinstance(name, str):
            seen[name] = index


def _reason(layer: Component) -> str | None:
    if layer.name in SEVERAL_INPUTS:
        return "takes several inputs, and a stack has one"
    if layer.name not in RECURRENT:
        return None
    if layer.arguments.get("return_state") is True:
        return "puts out its state too, and a stack has one output; leave out return_state"
    if layer.arguments.get("stateful") is True:
        return "cannot keep its state from batch to batch: the rows are drawn; leave out stateful"
    return None
