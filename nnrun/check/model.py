"""Layers that cannot stand in a stack, whatever comes in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from nnrun.check.subject import SpecContext
from nnrun.errors import IncompatibleSpec
from nnrun.spec import catalogue
from nnrun.spec import component
from nnrun.spec.component import Component
from nnrun.spec.experiment import Experiment
from nnrun.spec.suggest import list_nearest
from nnrun.spec.suggest import nearest
from nnrun.spec.text import quote
from nnrun.spec.tree import Problem

KeyPath = tuple[str | int, ...]

SEVERAL_INPUTS = frozenset(
    "Add Average Concatenate Dot Maximum Minimum Multiply Subtract Attention AdditiveAttention "
    "MultiHeadAttention GroupQueryAttention HashedCrossing".split()
)
CELLS = frozenset("LSTMCell GRUCell SimpleRNNCell StackedRNNCells".split())
TEXTS = frozenset("StringLookup TextVectorization".split())
UNFIT = {
    **dict.fromkeys(SEVERAL_INPUTS, "takes several inputs, and a stack has one"),
    **dict.fromkeys(CELLS, "is one step of a recurrent layer; it stands inside RNN, as its cell"),
    **dict.fromkeys(TEXTS, "takes texts, and what comes into a stack are numbers"),
    "Equalization": "would be left out of the model by Keras, without a word",
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
            message = f"there is a layer of the name '{name}' already, model[{seen[name]}]"
            yield IncompatibleSpec("NN124", ("model", index, layer.name, "name"), message)
        elif isinstance(name, str):
            seen[name] = index


def _unfit(layer: Component, path: KeyPath) -> Iterator[IncompatibleSpec]:
    """A layer that cannot stand where it stands; of a composite, those inside it."""
    if reason := _reason(layer):
        yield IncompatibleSpec("NN124", path, f"{layer.name} {reason}")
    for way, inner in _stacks(layer):
        for index, value in enumerate(component.as_stack(inner)):
            at = (*path, layer.name, *way, *([index] if isinstance(inner, list) else []))
            yield from _unfit(catalogue.parse_component("layers", value), at)


def _stacks(layer: Component) -> Iterator[tuple[KeyPath, Any]]:
    """The stacks inside a layer, each with the way to it."""
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
        return "cannot keep its state from batch to batch: the rows are drawn; leave out stateful"
    return None


# Stages of the training that name layers which the model has not, or never begin.


def stage_problems(spec: Experiment) -> Iterator[IncompatibleSpec]:
    """Layers to freeze that are not there."""
    known = [
        name
        for layer in component.walk_layers([*spec.model])
        for name in component.layer_names(layer)
    ]
    known = sorted({*known} - {"Block"})
    for stage, each in enumerate(spec.training.stages):
        for position, name in enumerate(each.freeze):
            if name not in known:
                path = ("training", "stages", stage, "freeze", position)
                guess = nearest(name, known)
                there_are = f"there are {list_nearest(name, known, 'in the model')}"
                hint = f"did you mean {quote(guess)}?" if guess else there_are
                yield IncompatibleSpec(
                    "NN104", path, f"the model has no layer {quote(name)}; {hint}"
                )


def stages_that_never_begin(about: SpecContext) -> Iterator[Problem]:
    """NN226."""
    training = about.spec.training
    before = 0
    for number, stage in enumerate(training.stages):
        if before >= training.epochs:
            message = f"begins after {before} epochs, and training ends after {training.epochs}"
            yield Problem("NN226", ("training", "stages", number), message)
            return
        before += stage.epochs


STAGE_RULES = {"NN226": stages_that_never_begin}
