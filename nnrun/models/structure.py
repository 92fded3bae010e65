"""The structure of a model for its drawing: layers, branches, repetitions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import groupby

from nnrun.spec import catalogue, graph
from nnrun.spec.component import APPLICATION, INPUTS, SOURCE, Component
from nnrun.spec.text import cut

Shape = tuple[int | None, ...]

_LONGEST = 24  # characters of an argument's value


@dataclass(frozen=True)
class LayerSize:
    """The output shape of a built layer, without the batch, and its number of parameters."""

    shape: tuple[int | None, ...]
    parameters: int = 0


@dataclass(frozen=True)
class Layer:
    """One layer: its name, its arguments in short form, its shape and parameters."""

    name: str
    arguments: str
    size: LayerSize


@dataclass(frozen=True)
class Group:
    """Layers that belong together.

    Args:
        name: of their block, may be empty.
        times: number of repetitions with equal shapes.
        parts: one repetition.
    """

    name: str
    times: int
    parts: Parts

    @property
    def title(self) -> str:
        """The name and the number of repetitions; empty for plain layers without repetition."""
        if self.times > 1:
            return f"{self.name}, {self.times} times".removeprefix(", ")
        return "" if all(isinstance(part, Layer) for part in self.parts) else self.name


@dataclass(frozen=True)
class Branches:
    """Stacks with the same input, the main one of a `Residual` first, and the layer that merges them.

    An empty stack returns its input.
    """

    name: str
    stacks: tuple[Parts, ...]
    merge: Layer


@dataclass(frozen=True)
class Source:
    """The output of a layer further above, by its name."""

    name: str
    size: LayerSize


Part = Layer | Group | Branches | Source
Parts = tuple[Part, ...]


@dataclass(frozen=True)
class Structure:
    """The parts of a model, and the shape of its input."""

    shape: tuple[int | None, ...]
    parts: Parts


def of(
    model: Sequence[Component],
    sizes: Sequence[LayerSize],
    shape: Shape | Mapping[str, Shape],
) -> Structure:
    """The structure of a model.

    Args:
        model: the layers of the spec.
        sizes: of the outputs of every layer and source, in the order in which they were applied.
        shape: of the input, without the batch; or of each of several inputs by name.
    """
    inputs = shape if isinstance(shape, Mapping) else {}
    parts = _Parts(iter(sizes), graph.used_names(model), inputs).of([*model])
    return Structure(() if isinstance(shape, Mapping) else shape, parts)


@dataclass(frozen=True)
class _Parts:
    """Makes the parts of stacks.

    Args:
        sizes: of the outputs that are still to come.
        named: the names that sources use, which are shown.
        inputs: the shape of each of several inputs by name.
    """

    sizes: Iterator[LayerSize]
    named: AbstractSet[str]
    inputs: Mapping[str, Shape]

    def of(self, layers: object) -> Parts:
        """The parts of a stack."""
        parts: list[Part] = []
        for _, layer in graph.positions(layers):
            if layer.name == "Repeat":
                times = range(layer.arguments["times"])
                rounds = [self.of(layer.arguments["layers"]) for _ in times]
                # A first repetition with another shape is drawn separately.
                parts += [_repeated(stack, len([*equal])) for stack, equal in groupby(rounds)]
            elif layer.name == INPUTS:
                parts += self._inputs(layer)
            else:
                parts.append(self._part(layer))
        return tuple(parts)

    def _inputs(self, layer: Component) -> Parts:
        """The path of each input below a box of the input."""
        stacks = [
            (Layer(name, "", LayerSize(self.inputs[name])), *self.of(stack))
            for name, stack in layer.arguments["paths"].items()
        ]
        return stacks[0] if len(stacks) == 1 else (self._merged(layer, stacks),)

    def _part(self, layer: Component) -> Part:
        arguments = layer.arguments
        match layer.name:
            case "Block":
                return Group(arguments.get("block") or "", 1, self.of(arguments["layers"]))
            case "Residual":
                stacks = (arguments["main"], arguments.get("shortcut", []))
                return self._branches(layer, stacks, Component(name="add"))
            case "Branches":
                return self._branches(layer, arguments["paths"], catalogue.merge_of(arguments))
            case name if name == SOURCE:
                return Source(graph.source_name(layer), next(self.sizes))
        return Layer(layer.name, self._text(layer, _short_arguments(layer)), next(self.sizes))

    def _branches(self, layer: Component, stacks: Iterable[object], merge: Component) -> Branches:
        return self._merged(layer, [self.of(stack) for stack in stacks], merge)

    def _merged(
        self, layer: Component, parts: Sequence[Parts], merge: Component | None = None
    ) -> Branches:
        merge = merge or catalogue.merge_of(layer.arguments)
        text = ", ".join(f"{name} {_short_value(v)}" for name, v in merge.arguments.items())
        merged = Layer(merge.name, self._text(layer, text), next(self.sizes))
        return Branches(layer.name, tuple(parts), merged)

    def _text(self, layer: Component, arguments: str) -> str:
        """The arguments, with the name if a source uses it."""
        name = graph.output_name(layer)
        return ", ".join(filter(None, [arguments, f"name {name}" if name in self.named else ""]))


def _repeated(parts: Parts, times: int) -> Group:
    """A repetition, under the name of the block if it repeats one."""
    if len(parts) == 1 and isinstance(parts[0], Group) and parts[0].times == 1:
        return Group(parts[0].name, times, parts[0].parts)
    return Group("", times, parts)


def _short_arguments(layer: Component) -> str:
    """Its arguments as in the spec, the first one without its name.

    Example:
        >>> _short_arguments(
        ...     Component(name="Conv2D", arguments={"filters": 64, "kernel_size": [3, 3]})
        ... )
        '64, kernel_size 3 x 3'
    """
    named = catalogue.name_lone_argument("layers", layer)
    entry = catalogue.entry("layers", named.name)
    first = entry.first if entry else None
    arguments = named.arguments
    if layer.name == APPLICATION:
        arguments = {"name": arguments["name"], **arguments}
    else:
        sources = {
            key: f"{SOURCE} {graph.source_name(source)}"
            for key, source in graph.sources(layer).items()
        }
        arguments = {k: v for k, v in arguments.items() if k not in ("name", "block")} | sources
    return ", ".join(
        _short_value(value) if name == first else f"{name} {_short_value(value)}"
        for name, value in arguments.items()
    )


def _short_value(value: object) -> str:
    if isinstance(value, list):
        text = " x ".join(map(_short_value, value))
    elif isinstance(value, dict):
        text = ", ".join(map(str, value))
    elif value is None or isinstance(value, bool):
        text = json.dumps(value)
    else:
        text = str(value)
    return cut(text, _LONGEST)
