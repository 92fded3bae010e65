"""Layers that no stack can hold, whatever its input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from nnrun.errors import IncompatibleSpec
from nnrun.spec import catalogue, component
from nnrun.spec.component import Component
from nnrun.spec.experiment import Experiment
from nnrun.spec.suggest import list_nearest, nearest
from nnrun.spec.text import quote

KeyPath = tuple[str | int, ...]

SEVERAL_INPUTS = frozenset(
    "Add Average Concatenate Dot Maximum Minimum Multiply Subtract Attention AdditiveAttention "
    "MultiHeadAttention GroupQueryAttention HashedCrossing".split()
)
CELLS = frozenset("LSTMCell GRUCell SimpleRNNCell StackedRNNCells".split())
TEXTS = frozenset("StringLookup TextVectorization".split())
UNFIT = {
    **dict.fromkeys(SEVERAL_INPUTS, "takes several inputs, and a stack has one"),
    **dict.fromkeys(CELLS, "is one step of a recurrent layer; use it as the cell of an RNN"),
    **dict.fromkeys(TEXTS, "takes texts, but the input of a stack is numbers"),
    "Equalization": "would be left out of the model by Keras without a warning",
    "MaxNumBoundingBoxes": "takes boxes by name, and a row is one array",
}
"""Layers that no stack can hold, and why."""
RECURRENT = frozenset("LSTM GRU SimpleRNN RNN ConvLSTM1D ConvLSTM2D ConvLSTM3D".split())


def model_problems(model: Sequence[Component]) -> Iterator[IncompatibleSpec]:
    """Layers that take several inputs, put out several, or have the name of another."""
    seen: dict[str, int] = {}
    for index, layer in enumerate(model):
        yield from _unfit(layer, ("model", index))
        name = layer.arguments.get("name")
        if isinstance(name, str) and name in seen:
            message = f"the name '{name}' is taken by model[{seen[name]}]"
            yield IncompatibleSpec("NN124", ("model", index, layer.name, "name"), message)
        elif isinstance(name, str):
            seen[name] = index


def _unfit(layer: Component, path: KeyPath) -> Iterator[IncompatibleSpec]:
    """A layer that no stack can hold, or those inside a composite."""
    if reason := _reason(layer):
        yield IncompatibleSpec("NN124", path, f"{layer.name} {reason}")
    for inner_path, inner in _stacks(layer):
        for index, value in enumerate(component.as_stack(inner)):
            at = (*path, layer.name, *inner_path, *([index] if isinstance(inner, list) else []))
            yield from _unfit(catalogue.parse_component("layers", value), at)


def _stacks(layer: Component) -> Iterator[tuple[KeyPath, Any]]:
    """The stacks inside a layer, each with its path."""
    if layer.name not in component.COMPOSITES:
        return
    for name, value in layer.arguments.items():
        kind = catalogue.argument_kind("layers", layer.name, name)
        if kind == "layers":
            yield (name,), value
        elif kind == component.STACKS:
            yield from (((name, index), each) for index, each in enumerate(value))


def _reason(layer: Component) -> str | None:
    if layer.name in UNFIT:
        return UNFIT[layer.name]
    if layer.name not in RECURRENT:
        return None
    if layer.arguments.get("return_state") is True:
        return "puts out its state too, and a stack has one output; leave out return_state"
    if layer.arguments.get("stateful") is True:
        return (
            "cannot keep its state between batches, because rows are shuffled; leave out stateful"
        )
    return None


def freeze_problems(spec: Experiment) -> Iterator[IncompatibleSpec]:
    """Layers to freeze that the model does not have."""
    names = {
        name
        for layer in component.walk_layers([*spec.model])
        for name in component.layer_names(layer)
    }
    known = sorted(names - {"Block"})
    for number, stage in enumerate(spec.training.stages):
        for position, name in enumerate(stage.freeze):
            if name not in known:
                path = ("training", "stages", number, "freeze", position)
                guess = nearest(name, known)
                listed = f"there are {list_nearest(name, known, 'in the model')}"
                hint = f"did you mean {quote(guess)}?" if guess else listed
                message = f"the model has no layer {quote(name)}; {hint}"
                yield IncompatibleSpec("NN104", path, message)
