"""The structure of a model for its drawing: layers, branches, repetitions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from nnrun.spec import catalogue, component
from nnrun.spec.component import Component

_LONGEST = 24  # characters of an argument's value
# Arguments that the drawing does not list.
_HIDDEN = frozenset(("name", "block"))


@dataclass(frozen=True)
class Made:
    """The output shape and parameters of a built layer.

    Args:
        shape: of its output, without the batch; None for an unknown length.
        parameters: their number.
    """

    shape: tuple[int | None, ...]
    parameters: int = 0


@dataclass(frozen=True)
class Layer:
    """One layer: its name, its arguments in short form, its shape and parameters."""

    name: str
    arguments: str
    made: Made


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
    """Stacks with the same input, and the layer that merges them.

    Args:
        name: `Residual` or `Branches`.
        stacks: an empty one returns its input; the main one of a `Residual` comes first.
        merge: the layer.
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


def of(model: Sequence[Component], made: Sequence[Made], shape: tuple[int, ...]) -> Structure:
    """The structure of a model.

    Args:
        model: the layers of the spec.
        made: of every Keras layer, in the order in which they were built.
        shape: of the input, without the batch.
    """
    return Structure(shape, _parts([*model], iter(made)))


def _parts(layers: Any, made: Iterator[Made]) -> Parts:
    return tuple(part for value in component.as_stack(layers) for part in _part(value, made))


def _part(value: Any, made: Iterator[Made]) -> Parts:
    layer = value if isinstance(value, Component) else catalogue.parse_component("layers", value)
    arguments = layer.arguments
    match layer.name:
        case "Block":
            return (Group(arguments.get("block") or "", 1, _parts(arguments["layers"], made)),)
        case "Repeat":
            rounds = [_parts(arguments["layers"], made) for _ in range(arguments["times"])]
            # A first repetition with another shape is drawn separately.
            return tuple(_renamed(parts, len([*alike])) for parts, alike in groupby(rounds))
        case "Residual":
            main, shortcut = (
                _parts(each, made) for each in (arguments["main"], arguments.get("shortcut", []))
            )
            return (Branches("Residual", (main, shortcut), Layer("add", "", next(made))),)
        case "Branches":
            merge = catalogue.arguments("layers", "Branches")["merge"].default
            stacks = tuple(_parts(each, made) for each in arguments["paths"])
            return (
                Branches("Branches", stacks, Layer(arguments.get("merge", merge), "", next(made))),
            )
    return (Layer(layer.name, _in_short(layer), next(made)),)


def _renamed(parts: Parts, times: int) -> Group:
    """A repetition, under the name of the block if it repeats one."""
    if len(parts) == 1 and isinstance(parts[0], Group) and parts[0].times == 1:
        return Group(parts[0].name, times, parts[0].parts)
    return Group("", times, parts)


def _in_short(layer: Component) -> str:
    """Its arguments as in the spec, the first one without its name.

    Example:
        >>> _in_short(Component(name="Conv2D", arguments={"filters": 64, "kernel_size": [3, 3]}))
        '64, kernel_size 3 x 3'
    """
    named = catalogue.name_lone_argument("layers", layer)
    entry = catalogue.entry("layers", named.name)
    first = entry.first if entry else None
    words = {name: _value(value) for name, value in named.arguments.items()}
    if layer.name == component.APPLICATION:
        return ", ".join([words.pop("name"), *(f"{name} {value}" for name, value in words.items())])
    return ", ".join(
        value if name == first else f"{name} {value}"
        for name, value in words.items()
        if name not in _HIDDEN
    )


def _value(value: Any) -> str:
    if isinstance(value, list):
        text = " x ".join(map(_value, value))
    elif isinstance(value, dict):
        text = ", ".join(map(str, value))
    elif value is None or isinstance(value, bool):
        text = json.dumps(value)
    else:
        text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
