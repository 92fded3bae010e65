"""Shape rules of layers with several inputs: composites, merges, sources and attention."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce

from nnrun.check.shapes.layer import (
    Arguments,
    IncompatibleShape,
    LayerOutput,
    Shape,
    UnknownShape,
    combine,
    integer,
    is_integer,
    known,
    layer_output,
    parse_arguments,
    parse_layer,
    rule,
)
from nnrun.spec import catalogue
from nnrun.spec.component import INPUTS, MERGES, SOURCE, Component, as_stack
from nnrun.spec.tree import KeyPath


@rule("Block")
def _block(arguments: Arguments, shape: Shape) -> LayerOutput:
    return _stack(arguments, "layers", shape, ("Block", "layers"))


@rule("Repeat")
def _repeat(arguments: Arguments, shape: Shape) -> LayerOutput:
    output = LayerOutput(shape)
    for _ in range(integer(arguments.values["times"])):
        following = _stack(arguments, "layers", output.shape, ("Repeat", "layers"))
        output = combine(following.shape, [output, following])
    return output


@rule("Residual")
def _residual(arguments: Arguments, shape: Shape) -> LayerOutput:
    """The sum of both stacks, whose outputs must have the same shape."""
    main, shortcut = (
        _stack(arguments, name, shape, ("Residual", name)) for name in ("main", "shortcut")
    )
    if main.shape != shortcut.shape:
        if None in (*main.shape, *shortcut.shape):
            raise UnknownShape
        hint = "" if arguments.values["shortcut"] else "; put layers into shortcut"
        raise IncompatibleShape(f"main puts out {main.shape} and shortcut {shortcut.shape}{hint}")
    return combine(main.shape, [main, shortcut])


@rule("Branches")
def _branches(arguments: Arguments, shape: Shape) -> LayerOutput:
    """Several stacks, whose outputs are merged by a layer of Keras."""
    outputs = [
        _layers(arguments, layers, shape, ("Branches", "paths", index))
        for index, layers in enumerate(as_stack(arguments.values["paths"]))
    ]
    return _merged(arguments, outputs)


@rule(INPUTS)
def _inputs(arguments: Arguments, _shape: Shape) -> LayerOutput:
    """Stacks that begin with one of several inputs each."""
    paths, scope = arguments.values["paths"], arguments.scope
    if not isinstance(paths, dict) or scope is None:
        raise UnknownShape
    outputs = []
    for name, layers in paths.items():
        shape = scope.named.input(name)
        if shape is None:
            raise UnknownShape
        outputs.append(_layers(arguments, layers, shape, (INPUTS, "paths", name)))
    return outputs[0] if len(outputs) == 1 else _merged(arguments, outputs)


def _merged(arguments: Arguments, outputs: Sequence[LayerOutput]) -> LayerOutput:
    shapes = [output.shape for output in outputs]
    if any(None in shape for shape in shapes):
        raise UnknownShape
    merge = catalogue.merge_of(arguments.values)
    merged = parse_arguments(merge, kind="merges")
    return combine(_MERGE_RULES[merge.name](merged, shapes), outputs)


@rule(SOURCE)
def _source(arguments: Arguments, _shape: Shape) -> LayerOutput:
    source = Component(name=SOURCE, arguments=dict(arguments.values))
    return LayerOutput(_shape_of(arguments, source))


def _shape_of(arguments: Arguments, source: Component) -> Shape:
    """The shape of a named output."""
    shape = arguments.scope.named.of(source) if arguments.scope else None
    if shape is None:
        raise UnknownShape
    return shape


def _stack(arguments: Arguments, name: str, shape: Shape, path: KeyPath) -> LayerOutput:
    """The output of the stack in an argument."""
    return _layers(arguments, arguments.values[name], shape, path)


def _layers(arguments: Arguments, layers: object, shape: Shape, path: KeyPath) -> LayerOutput:
    """The output of an inner stack; `path` leads to it from the layer that contains it."""
    if arguments.scope is None:
        raise UnknownShape  # inside a layer of Keras, which takes no stacks
    outputs = [LayerOutput(shape)]
    for index, value in enumerate(as_stack(layers)):
        layer, before = parse_layer(value), outputs[-1].shape
        try:
            outputs.append(layer_output(layer, before, arguments.scope))
        except IncompatibleShape as error:
            position = (*path, index) if isinstance(layers, list) else path
            raise IncompatibleShape(
                str(error),
                path=(*position, *error.path),
                layer=error.layer or layer.name,
                shape=error.shape if error.layer else before,
            ) from None
    return combine(outputs[-1].shape, outputs)


def _elementwise(_arguments: Arguments, shapes: Sequence[Shape]) -> Shape:
    """Broadcast as Keras's merge layers do.

    Lengths are compared from the last one on, and 1 fits every length; dimensions that a shape has
    less are 1.
    """

    def broadcast(one: Shape, other: Shape) -> Shape:
        longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
        own = len(longer) - len(shorter)
        pairs = list(zip(longer[own:], shorter, strict=True))
        if any(a != b and 1 not in (a, b) for a, b in pairs):
            raise _unmergeable(shapes)
        return (*longer[:own], *(b if a == 1 else a for a, b in pairs))

    return reduce(broadcast, shapes)


def _concatenate(arguments: Arguments, shapes: Sequence[Shape]) -> Shape:
    axis = arguments.values["axis"]
    dimensions = len(shapes[0]) + 1
    if not is_integer(axis) or not -dimensions <= axis < dimensions or axis % dimensions == 0:
        raise UnknownShape  # axis 0 is the batch
    at = axis % dimensions - 1
    if len({(len(shape), shape[:at], shape[at + 1 :]) for shape in shapes}) > 1:
        raise _unmergeable(shapes)
    width = sum(map(known, (shape[at] for shape in shapes)))
    return (*shapes[0][:at], width, *shapes[0][at + 1 :])


def _pair(arguments: Arguments, shapes: Sequence[Shape]) -> Shape:
    _check_pair(shapes)
    return _elementwise(arguments, shapes)


def _dot(arguments: Arguments, shapes: Sequence[Shape]) -> Shape:
    """Products of two outputs, summed along an axis of each."""
    _check_pair(shapes)
    given = arguments.values["axes"]
    axes = given if isinstance(given, list) else [given, given]
    if len(axes) != 2 or not all(map(is_integer, axes)):
        raise UnknownShape
    kept: list[int | None] = []
    lengths: list[int | None] = []
    for axis, shape in zip(axes, shapes, strict=True):
        dimensions = len(shape) + 1
        if not -dimensions <= axis < dimensions or axis % dimensions == 0:
            raise UnknownShape
        at = axis % dimensions - 1
        lengths.append(shape[at])
        kept += [*shape[:at], *shape[at + 1 :]]
    if lengths[0] != lengths[1]:
        raise IncompatibleShape(
            f"dot sums along axes {tuple(axes)}, but their lengths are {lengths[0]} and {lengths[1]}"
        )
    return tuple(kept) or (1,)


def _check_pair(shapes: Sequence[Shape]) -> None:
    if len(shapes) != 2:
        raise IncompatibleShape(f"this merge takes two paths, got {len(shapes)}")


def _unmergeable(shapes: Sequence[Shape]) -> IncompatibleShape:
    listed = ", ".join(map(str, shapes))
    return IncompatibleShape(f"the paths put out {listed}, which cannot be merged")


_MERGE_RULES: dict[str, Callable[[Arguments, Sequence[Shape]], Shape]] = {
    **dict.fromkeys(MERGES, _elementwise),
    "concatenate": _concatenate,
    "subtract": _pair,
    "dot": _dot,
}


def _attended(arguments: Arguments, query: Shape) -> tuple[Shape, Shape]:
    """The shapes of the value and the key of an attention; by default it attends to its input.

    For rows without a length Keras would attend to the other rows of a batch.
    """
    if len(query) < 2:
        raise IncompatibleShape("it takes rows of shape (length, features)")
    value = _argument_shape(arguments, "value") or query
    key = _argument_shape(arguments, "key") or value
    if value[:-1] != key[:-1]:
        raise IncompatibleShape(f"the value has the shape {value}, and the key {key}")
    return value, key


def _argument_shape(arguments: Arguments, name: str) -> Shape | None:
    given = arguments.values[name]
    if given is None:
        return None
    return _shape_of(arguments, catalogue.parse_component("sources", given))


@rule("MultiHeadAttention")
def _multi_head_attention(arguments: Arguments, shape: Shape) -> LayerOutput:
    """Query, key, value and output each have a kernel, and the query a second one with `use_gate`."""
    value, key = _attended(arguments, shape)
    axes = arguments.values["attention_axes"] is not None and arguments.axes("attention_axes")
    if len(shape) != len(value) or (axes and not {*axes} <= {*range(1, len(shape))}):
        raise UnknownShape
    heads, width = arguments.size("num_heads"), arguments.size("key_dim")
    value_width = arguments.size("value_dim") if arguments.values["value_dim"] else width
    given = arguments.values["output_shape"]
    output = (shape[-1],) if given is None else as_stack(given)
    sizes = [*map(integer, output)]
    gate = arguments.flag("use_gate")
    return _projected(
        arguments,
        (*shape[:-1], *sizes),
        [
            (known(shape[-1]), heads * width),
            (known(key[-1]), heads * width),
            (known(value[-1]), heads * value_width),
            *([(known(shape[-1]), heads * value_width)] if gate else []),
            (heads * value_width, math.prod(sizes)),
        ],
    )


@rule("GroupQueryAttention")
def _group_query_attention(arguments: Arguments, shape: Shape) -> LayerOutput:
    """Groups of heads of the query share a head of key and value."""
    value, key = _attended(arguments, shape)
    if not len(shape) == len(value) == 2:
        raise UnknownShape
    width, heads = arguments.size("head_dim"), arguments.size("num_query_heads")
    groups = arguments.size("num_key_value_heads")
    if heads % groups:
        raise UnknownShape
    features = known(shape[-1])
    gate = arguments.flag("use_gate")
    return _projected(
        arguments,
        shape,
        [
            (features, heads * width),
            (known(key[-1]), groups * width),
            (known(value[-1]), groups * width),
            *([(features, heads * width)] if gate else []),
            (heads * width, features),
        ],
    )


def _projected(
    arguments: Arguments, shape: Shape, kernels: Sequence[tuple[int, int]]
) -> LayerOutput:
    """An output with dense kernels by inputs and outputs."""
    bias = arguments.flag("use_bias")
    return LayerOutput(shape, sum((inputs + bias) * outputs for inputs, outputs in kernels))


@rule("Attention")
def _attention(arguments: Arguments, shape: Shape) -> LayerOutput:
    """Without weights but for two numbers, which scale the products of query and key."""
    concatenates = arguments.choice("score_mode", "dot", "concat") == "concat"
    return _weighted_values(arguments, shape, arguments.flag("use_scale") + concatenates)


@rule("AdditiveAttention")
def _additive_attention(arguments: Arguments, shape: Shape) -> LayerOutput:
    scales = known(shape[-1]) if shape and arguments.flag("use_scale") else 0
    return _weighted_values(arguments, shape, scales)


def _weighted_values(arguments: Arguments, shape: Shape, weights: int) -> LayerOutput:
    value, key = _attended(arguments, shape)
    if len(shape) != len(value) or shape[:-2] != value[:-2]:
        raise UnknownShape
    if shape[-1] != key[-1]:
        raise IncompatibleShape(f"the query has {shape[-1]} features, and the key {key[-1]}")
    return LayerOutput((*shape[:-1], value[-1]), weights)
