"""What a model is made of, as a person sees it: layers, ways that part and meet, repetitions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from nnrun.spec import catalogue, component
from nnrun.spec.component import Component

_LONGEST = 24  # characters of an argument's value
# Neither shapes nor weights depend on them, or the picture shows it another way.
_UNTOLD = frozenset(("name", "block"))


@dataclass(frozen=True)
class Made:
    """What came of a layer.

    Args:
        shape: of one row that it puts out, without the batch; None for a length not known.
        parameters: how many numbers it holds.
    """

    shape: tuple[int | None, ...]
    parameters: int = 0


@dataclass(frozen=True)
class Layer:
    """One layer: its name, its arguments in short, and what came of it."""

    name: str
    arguments: str
    made: Made


@dataclass(frozen=True)
class Group:
    """Layers that belong together.

    Args:
        name: of their block; empty for none.
        times: how often they come one after the other, alike in shape each time.
        parts: what comes, once.
    """

    name: str
    times: int
    parts: Parts

    @property
    def title(self) -> str:
        """The name and how often; empty where a few plain layers come once and speak for themselves."""
        if self.times > 1:
            return f"{self.name}, {self.times} times".removeprefix(", ")
        return "" if all(isinstance(part, Layer) for part in self.parts) else self.name


@dataclass(frozen=True)
class Branches:
    """Stacks that get the same input, and the layer in which they meet.

    Args:
        name: `Residual` or `Branches`.
        ways: an empty one hands on its input; of a `Residual` the main one comes first.
        merge: where they meet.
    """

    name: str
    ways: tuple[Parts, ...]
    merge: Layer


Part = Layer | Group | Branches
Parts = tuple[Part, ...]


@dataclass(frozen=True)
class Structure:
    """A model from the input on."""

    shape: tuple[int | None, ...]
    parts: Parts


def of(model: Sequence[Component], made: Sequence[Made], shape: tuple[int, ...]) -> Structure:
    """How a model is put together.

    Args:
        model: the layers of the spec.
        made: of every layer of Keras's, in the order in which they were built.
        shape: of one row that comes in.
    """
    return Structure(shape, _parts([*model], iter(made)))


def _parts(layers: Any, made: Iterator[Made]) -> Parts:
    return tuple(part for value in component.as_stack(layers) for part in _part(value, made))


def _part(value: Any, made: Iterator[Made]) -> Parts:
    layer = value if isinstance(value, Component) else catalogue.parse_component("layers", value)
    told = layer.arguments
    match layer.name:
        case "Block":
            return (Group(told.get("block") or "", 1, _parts(told["layers"], made)),)
        case "Repeat":
            rounds = [_parts(told["layers"], made) for _ in range(told["times"])]
            # A first one that halves its input is shown by itself.
            return tuple(_renamed(parts, len([*alike])) for parts, alike in groupby(rounds))
        case "Residual":
            main, shortcut = (
                _parts(each, made) for each in (told["main"], told.get("shortcut", []))
            )
            return (Branches("Residual", (main, shortcut), Layer("add", "", next(made))),)
        case "Branches":
            merge = catalogue.arguments("layers", "Branches")["merge"].default
            ways = tuple(_parts(each, made) for each in told["paths"])
            return (Branches("Branches", ways, Layer(told.get("merge", merge), "", next(made))),)
    return (Layer(layer.name, _in_short(layer), next(made)),)


def _renamed(parts: Parts, times: int) -> Group:
    """Layers several times; those of a block by the block's name."""
    if len(parts) == 1 and isinstance(parts[0], Group) and parts[0].times == 1:
        return Group(parts[0].name, times, parts[0].parts)
    return Group("", times, parts)


def _in_short(layer: Component) -> str:
    """Its arguments as they stand in the spec, the first one without its name.

    Example:
        >>> _in_short(Component(name="Conv2D", arguments={"filters": 64, "kernel_size": [3, 3]}))
        '64, kernel_size 3 x 3'
    """
    named = catalogue.name_lone_argument("layers", layer)
    entry = catalogue.entry("layers", named.name)
    first = entry.first if entry else None
    told = {name: _value(value) for name, value in named.arguments.items()}
    if layer.name == component.APPLICATION:
        return ", ".join([told.pop("name"), *(f"{name} {value}" for name, value in told.items())])
    return ", ".join(
        value if name == first else f"{name} {value}"
        for name, value in told.items()
        if name not in _UNTOLD
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
