"""Layers that cannot be part of a stack, and layers to freeze that do not exist."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nnrun.errors import IncompatibleSpec
from nnrun.spec import catalogue, component
from nnrun.spec.component import Component
from nnrun.spec.experiment import Experiment
from nnrun.spec.suggest import list_nearest, nearest
from nnrun.spec.text import quote
from nnrun.spec.tree import KeyPath

SEVERAL_INPUTS = frozenset(
    "Add Average Concatenate Dot Maximum Minimum Multiply Subtract Attention AdditiveAttention "
    "MultiHeadAttention GroupQueryAttention HashedCrossing".split()
)
CELLS = frozenset("LSTMCell GRUCell SimpleRNNCell StackedRNNCells".split())
NOT_STACKABLE = {
    **dict.fromkeys(SEVERAL_INPUTS, "takes several inputs, and a stack has one"),
    **dict.fromkeys(CELLS, "is one step of a recurrent layer; use it as the cell of an RNN"),
    **dict.fromkeys(
        ("StringLookup", "TextVectorization"),
        "takes texts, but the input of a stack is numbers",
    ),
    "Equalization": "would be left out of the model by Keras without a warning",
    "MaxNumBoundingBoxes": "takes boxes by name, and a row is one array",
}
"""Layers that cannot be part of a stack, and why."""
RECURRENT = frozenset("LSTM GRU SimpleRNN RNN ConvLSTM1D ConvLSTM2D ConvLSTM3D".split())


def model_problems(model: Sequence[Component]) -> Iterator[IncompatibleSpec]:
    """Layers that need several inputs, have several outputs, or share a name."""
    names: dict[str, int] = {}
    for index, layer in enumerate(model):
        yield from _layer_problems(layer, ("model", index))
        name = layer.arguments.get("name")
        if isinstance(name, str) and names.setdefault(name, index) != index:
            message = f"the name '{name}' is taken by model[{names[name]}]"
            yield IncompatibleSpec("NN124", ("model", index, layer.name, "name"), message)


def _layer_problems(layer: Component, path: KeyPath) -> Iterator[IncompatibleSpec]:
    """Problems of a layer and of the layers inside a composite."""
    if reason := _refusal(layer):
        yield IncompatibleSpec("NN124", path, f"{layer.name} {reason}")
    for inner_path, stack in _inner_stacks(layer):
        for index, value in enumerate(component.as_stack(stack)):
            position = [index] if isinstance(stack, list) else []
            inner = catalogue.parse_component("layers", value)
            yield from _layer_problems(inner, (*path, layer.name, *inner_path, *position))


def _inner_stacks(layer: Component) -> Iterator[tuple[KeyPath, object]]:
    if layer.name not in component.COMPOSITES:
        return
    for name, value in layer.arguments.items():
        kind = catalogue.argument_kind("layers", layer.name, name)
        if kind == "layers":
            yield (name,), value
        elif kind == component.STACKS:
            yield from (((name, index), stack) for index, stack in enumerate(value))


def _refusal(layer: Component) -> str | None:
    if layer.name not in RECURRENT:
        return NOT_STACKABLE.get(layer.name)
    if layer.arguments.get("return_state") is True:
        return "puts out its state too, and a stack has one output; leave out return_state"
    if layer.arguments.get("stateful") is True:
        return (
            "cannot keep its state between batches, because rows are shuffled; leave out stateful"
        )
    return None


def freeze_problems(spec: Experiment) -> Iterator[IncompatibleSpec]:
    """Layers to freeze that the model does not have."""
    layers = component.walk_layers([*spec.model])
    names = sorted({name for layer in layers for name in component.layer_names(layer)} - {"Block"})
    for number, stage in enumerate(spec.training.stages):
        for position, name in enumerate(stage.freeze):
            if name not in names:
                path = ("training", "stages", number, "freeze", position)
                guess = nearest(name, names)
                listed = f"there are {list_nearest(name, names, 'in the model')}"
                hint = f"did you mean {quote(guess)}?" if guess else listed
                message = f"the model has no layer {quote(name)}; {hint}"
                yield IncompatibleSpec("NN104", path, message)
