"""Shapes and parameters of a stack of layers, and the registry of rules for single layers.

A rule computes the output of a layer from its arguments and the shape of an input row, without
the batch dimension. It raises `UnknownShape` where it cannot tell what Keras would do, and
`IncompatibleShape` where Keras is certain to refuse the input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from nnrun.errors import IncompatibleSpec
from nnrun.spec import catalogue, graph
from nnrun.spec.component import INPUTS, Component, as_arguments
from nnrun.spec.graph import NamedOutputs
from nnrun.spec.text import quote
from nnrun.spec.tree import KeyPath

Shape = tuple[int | None, ...]
"""Shape of a row; None for an unknown length."""

# Arguments that add or replace weights.
_UNUSUAL = ("lora_rank", "quantization_config", "weights")
# Other dtypes may be quantizations, which replace weights.
_DTYPES = (None, "float16", "bfloat16", "float32", "float64", "mixed_float16", "mixed_bfloat16")


class UnknownShape(Exception):
    """No rule can tell what Keras would do."""


class IncompatibleShape(Exception):
    """Keras is certain to refuse the input.

    Args:
        reason: why, such as the expected shape.
        path: from the outer layer to the layer that refuses; empty for the layer itself.
        layer: name of the inner layer.
        shape: of the input of the inner layer.
    """

    def __init__(
        self, reason: str, *, path: KeyPath = (), layer: str = "", shape: Shape = ()
    ) -> None:
        super().__init__(reason)
        self.path = path
        self.layer = layer
        self.shape = shape


@dataclass(frozen=True)
class LayerOutput:
    """Output shape and parameters of a layer.

    Args:
        shape: of an output row.
        trainable: number of weights that training updates.
        non_trainable: number of other weights, such as moving averages.
    """

    shape: Shape
    trainable: int = 0
    non_trainable: int = 0

    @property
    def parameters(self) -> int:
        """Number of all weights."""
        return self.trainable + self.non_trainable


def combine(shape: Shape, outputs: Iterable[LayerOutput]) -> LayerOutput:
    """The sum of the parameters of several layers, with another output shape."""
    counts = [(output.trainable, output.non_trainable) for output in outputs]
    return LayerOutput(shape, *map(sum, zip(*counts, strict=True)))


class Scope:
    """What the layers before one have defined.

    Args:
        shape: of the input of the model, or of each of several inputs by name.

    Attributes:
        named: shapes by name.
        shared: outputs of shared layers at their first use, by name.
    """

    def __init__(self, shape: Shape | Mapping[str, Shape]) -> None:
        self.named: NamedOutputs[Shape] = NamedOutputs(shape)
        self.shared: dict[str, LayerOutput] = {}


@dataclass(frozen=True)
class Arguments:
    """All arguments of a layer by name, with Keras's defaults.

    Only the most common form of each argument is supported; others raise `UnknownShape`.

    Args:
        values: by name.
        scope: of a layer in a stack; None for a layer inside one of Keras.
    """

    values: Mapping[str, object]
    scope: Scope | None = None

    @property
    def trainable(self) -> bool:
        """Whether the layer is not frozen."""
        return "trainable" not in self.values or self.flag("trainable")

    def flag(self, name: str) -> bool:
        """A boolean argument."""
        value = self.values[name]
        if not isinstance(value, bool):
            raise UnknownShape
        return value

    def choice(self, name: str, *allowed: str) -> str:
        """An argument that must be one of some words."""
        value = self.values[name]
        if not isinstance(value, str) or value not in allowed:
            raise UnknownShape
        return value

    def size(self, name: str) -> int:
        """A positive integer."""
        return integer(self.values[name])

    def sizes(self, name: str, rank: int) -> tuple[int, ...]:
        """One positive integer per spatial dimension, or one for all."""
        return integers(self.values[name], rank)

    def axes(self, name: str) -> tuple[int, ...]:
        """One axis or several different ones; 0, the batch, is not allowed."""
        value = self.values[name]
        axes = tuple(value) if isinstance(value, list) else (value,)
        if not axes or not all(is_integer(axis) and axis != 0 for axis in axes):
            raise UnknownShape
        if len(set(axes)) != len(axes):
            raise UnknownShape
        return axes


def is_integer(value: object) -> TypeGuard[int]:
    """Whether a value is an integer and not a boolean."""
    return isinstance(value, int) and not isinstance(value, bool)


def integer(value: object, *, minimum: int = 1) -> int:
    """An integer of at least `minimum`."""
    if not is_integer(value) or value < minimum:
        raise UnknownShape
    return value


def integers(value: object, count: int, *, minimum: int = 1) -> tuple[int, ...]:
    """A list of `count` integers; a single integer is repeated."""
    values = value if isinstance(value, list) else [value] * count
    if len(values) != count:
        raise UnknownShape
    return tuple(integer(item, minimum=minimum) for item in values)


def known(length: int | None) -> int:
    """A length that the number of weights depends on."""
    if length is None:
        raise UnknownShape
    return length


Rule = Callable[[Arguments, Shape], LayerOutput]
RULES: dict[str, Rule] = {}
"""By the name of a layer."""


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Registers a function as the rule of the named layers."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


def parse_layer(value: object) -> Component:
    """A layer inside another one, as YAML gives it."""
    if isinstance(value, str):
        return Component(name=value)
    if not isinstance(value, dict) or len(value) != 1:
        raise UnknownShape
    [(name, arguments)] = value.items()
    return Component(name=str(name), arguments=as_arguments(arguments))


def parse_arguments(
    layer: Component, scope: Scope | None = None, *, kind: str = "layers"
) -> Arguments:
    """The arguments of a layer, or of another kind of component.

    Raises:
        UnknownShape: an argument is missing or unknown, or changes the weights or the shape.
    """
    given = catalogue.name_lone_argument(kind, layer).arguments
    accepted = catalogue.arguments(kind, layer.name)
    required = {name for name, argument in accepted.items() if argument.required}
    if not required <= given.keys() <= accepted.keys():
        raise UnknownShape
    values = {name: given.get(name, argument.default) for name, argument in accepted.items()}
    if any(values.get(name) is not None for name in _UNUSUAL):
        raise UnknownShape
    if values.get("dtype") not in _DTYPES:
        raise UnknownShape
    # `glu` halves its input, although Keras reports the full shape.
    activations = [None, *(name for name in catalogue.names("activations") if name != "glu")]
    for name, argument in accepted.items():
        if argument.kind == "activations" and values[name] not in activations:
            raise UnknownShape
    return Arguments(values, scope)


def layer_output(layer: Component, shape: Shape, scope: Scope) -> LayerOutput:
    """The output of a layer of a stack for an input row; its name and weights get into the scope.

    Raises:
        UnknownShape: no rule covers the layer with these arguments.
        IncompatibleShape: Keras is certain to refuse the input.
    """
    output = own_output(layer, shape, scope)
    if name := graph.shared_name(layer):
        first = scope.shared.setdefault(name, output)
        if first.parameters != output.parameters:
            raise IncompatibleShape(f"the weights of {quote(name)} are for rows of another shape")
        output = output if first is output else LayerOutput(output.shape)
    scope.named.add(layer, output.shape)
    return output


def own_output(layer: Component, shape: Shape, scope: Scope | None = None) -> LayerOutput:
    """The output of a layer by itself, such as one inside `Bidirectional`."""
    if layer.name not in RULES:
        raise UnknownShape
    arguments = parse_arguments(layer, scope)
    output = RULES[layer.name](arguments, shape)
    return output if arguments.trainable else LayerOutput(output.shape, 0, output.parameters)


@dataclass(frozen=True)
class Trace:
    """Shapes and parameters of a stack of layers, as far as they are known.

    Args:
        layers: outputs of the first layers.
        unchecked: index of the first layer whose output is unknown; None if there is none.
        problems: the layer at that index, if Keras is certain to refuse it.
    """

    layers: tuple[LayerOutput, ...]
    unchecked: int | None = None
    problems: tuple[IncompatibleSpec, ...] = ()

    @property
    def shape(self) -> Shape | None:
        """Shape of an output row of the last layer."""
        return self.layers[-1].shape if self.unchecked is None and self.layers else None

    @property
    def parameters(self) -> int | None:
        """Number of weights."""
        return None if self.unchecked is not None else sum(one.parameters for one in self.layers)


def trace(layers: Sequence[Component], shape: Shape | Mapping[str, Shape]) -> Trace:
    """Computes the output of each layer of a stack.

    Args:
        layers: of the stack.
        shape: of an input row, or of each of several inputs by name.

    Example:
        >>> dense = trace([Component(name="Dense", arguments={"units": 16})], (4,))
        >>> dense.shape, dense.parameters
        ((16,), 80)
    """
    outputs: list[LayerOutput] = []
    scope = Scope(shape)
    shape = () if isinstance(shape, Mapping) else shape
    for index, layer in enumerate(layers):
        try:
            outputs.append(layer_output(layer, shape, scope))
        except UnknownShape:
            return Trace(tuple(outputs), index)
        except IncompatibleShape as error:
            name, before = (error.layer, error.shape) if error.layer else (layer.name, shape)
            message = f"{name} cannot follow an output of shape {before}: {error}"
            message = str(error) if name == INPUTS else message
            problem = IncompatibleSpec("NN124", ("model", index, *error.path), message)
            return Trace(tuple(outputs), index, (problem,))
        shape = outputs[-1].shape
    return Trace(tuple(outputs))
