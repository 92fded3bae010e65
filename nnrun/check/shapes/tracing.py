"""Output shapes and parameters of a stack of layers, and of the stacks inside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnrun.check.shapes.layer import (
    Arguments,
    IncompatibleShape,
    LayerOutput,
    Shape,
    UnknownShape,
    combine,
    integer,
    layer_output,
    parse_layer,
    rule,
)
from nnrun.errors import IncompatibleSpec
from nnrun.spec.component import Component, as_stack
from nnrun.spec.tree import KeyPath


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

    @property
    def trainable(self) -> int | None:
        """Number of weights that training updates."""
        return None if self.unchecked is not None else sum(one.trainable for one in self.layers)


def trace(layers: Sequence[Component], shape: Shape) -> Trace:
    """Computes the output of each layer of a stack.

    Args:
        layers: of the stack.
        shape: of an input row.

    Example:
        >>> dense = trace([Component(name="Dense", arguments={"units": 16})], (4,))
        >>> dense.shape, dense.parameters
        ((16,), 80)
    """
    outputs: list[LayerOutput] = []
    for index, layer in enumerate(layers):
        try:
            outputs.append(layer_output(layer, shape))
        except UnknownShape:
            return Trace(tuple(outputs), index)
        except IncompatibleShape as error:
            before = error.shape if error.layer else shape
            message = (
                f"{error.layer or layer.name} cannot follow an output of shape {before}: {error}"
            )
            problem = IncompatibleSpec("NN124", ("model", index, *error.path), message)
            return Trace(tuple(outputs), index, (problem,))
        shape = outputs[-1].shape
    return Trace(tuple(outputs))


@rule("Block")
def block(arguments: Arguments, shape: Shape) -> LayerOutput:
    """A stack of layers."""
    return _stack(arguments.values["layers"], shape, ("Block", "layers"))


@rule("Repeat")
def repeat(arguments: Arguments, shape: Shape) -> LayerOutput:
    """A stack several times, each with new weights."""
    output = LayerOutput(shape)
    for _ in range(integer(arguments.values["times"])):
        following = _stack(arguments.values["layers"], output.shape, ("Repeat", "layers"))
        output = combine(following.shape, [output, following])
    return output


@rule("Residual")
def residual(arguments: Arguments, shape: Shape) -> LayerOutput:
    """The sum of both stacks, whose outputs must have the same shape."""
    main, shortcut = (
        _stack(arguments.values[name], shape, ("Residual", name)) for name in ("main", "shortcut")
    )
    if main.shape != shortcut.shape:
        if None in (*main.shape, *shortcut.shape):
            raise UnknownShape
        hint = "" if arguments.values["shortcut"] else "; put layers into shortcut"
        raise IncompatibleShape(f"main puts out {main.shape} and shortcut {shortcut.shape}{hint}")
    return combine(main.shape, [main, shortcut])


@rule("Branches")
def branches(arguments: Arguments, shape: Shape) -> LayerOutput:
    """Several stacks, whose outputs are concatenated along the last axis or merged elementwise."""
    outputs = [
        _stack(layers, shape, ("Branches", "paths", index))
        for index, layers in enumerate(as_stack(arguments.values["paths"]))
    ]
    shapes = [output.shape for output in outputs]
    if any(None in shape for shape in shapes):
        raise UnknownShape
    concatenates = arguments.values["merge"] == "concatenate"
    compared = {(len(shape), shape[:-1] if concatenates else shape) for shape in shapes}
    if len(compared) > 1:
        listed = ", ".join(map(str, shapes))
        raise IncompatibleShape(f"the paths put out {listed}, which cannot be merged")
    width = sum(shape[-1] or 0 for shape in shapes) if concatenates else shapes[0][-1]
    return combine((*shapes[0][:-1], width), outputs)


def _stack(layers: object, shape: Shape, path: KeyPath) -> LayerOutput:
    """The output of an inner stack; `path` leads to it from the layer that contains it."""
    outputs = [LayerOutput(shape)]
    for index, value in enumerate(as_stack(layers)):
        layer, before = parse_layer(value), outputs[-1].shape
        try:
            outputs.append(layer_output(layer, before))
        except IncompatibleShape as error:
            position = (*path, index) if isinstance(layers, list) else path
            raise IncompatibleShape(
                str(error),
                path=(*position, *error.path),
                layer=error.layer or layer.name,
                shape=error.shape if error.layer else before,
            ) from None
    return combine(outputs[-1].shape, outputs)
