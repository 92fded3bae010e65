"""The structure of a model for its drawing: layers, branches, repetitions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from nnrun.spec import catalogue
from nnrun.spec.component import APPLICATION, MERGES, Component, as_stack

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


Part = Layer | Group | Branches
Parts = tuple[Part, ...]


@dataclass(frozen=True)
class Structure:
    """The parts of a model, and the shape of its input."""

    shape: tuple[int | None, ...]
    parts: Parts


def of(model: Sequence[Component], sizes: Sequence[LayerSize], shape: tuple[int, ...]) -> Structure:
    """The structure of a model.

    Args:
        model: the layers of the spec.
        sizes: of every Keras layer, in the order in which they were built.
        shape: of the input, without the batch.
    """
    return Structure(shape, _parts([*model], iter(sizes)))


def _parts(layers: object, sizes: Iterator[LayerSize]) -> Parts:
    parts: list[Part] = []
    for value in as_stack(layers):
        layer = catalogue.parse_component("layers", value)
        arguments = layer.arguments
        match layer.name:
            case "Block":
                stack = _parts(arguments["layers"], sizes)
                parts.append(Group(arguments.get("block") or "", 1, stack))
            case "Repeat":
                rounds = [_parts(arguments["layers"], sizes) for _ in range(arguments["times"])]
                # A first repetition with another shape is drawn separately.
                parts += [_repeated(stack, len([*equal])) for stack, equal in groupby(rounds)]
            case "Residual":
                main = _parts(arguments["main"], sizes)
                shortcut = _parts(arguments.get("shortcut", []), sizes)
                merge = Layer("add", "", next(sizes))
                parts.append(Branches("Residual", (main, shortcut), merge))
            case "Branches":
                stacks = tuple(_parts(stack, sizes) for stack in arguments["paths"])
                merge = Layer(arguments.get("merge", MERGES[0]), "", next(sizes))
                parts.append(Branches("Branches", stacks, merge))
            case _:
                parts.append(Layer(layer.name, _short_arguments(layer), next(sizes)))
    return tuple(parts)


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
        arguments = {k: v for k, v in arguments.items() if k not in ("name", "block")}
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
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
