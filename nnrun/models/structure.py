"""What a model is made of, as a person sees it: layers, ways that part and meet, repetitions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
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
    return tuple(part for value in component.stack(layers) for part in _part(value, made))


def _part(value: Any, made: Iterator[Made]) -> Parts:
    layer = value if isinstance(value, Component) else catalogue.component("layers", value)
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
    named = catalogue.named("layers", layer)
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


# A model drawn with signs, for a terminal and a text file.

_NODE, _LINE = "●", "│"
_APART, _TOGETHER = ("├", "┬", "╮"), ("├", "┴", "╯")


@dataclass(frozen=True)
class _Row:
    """One line: the graph, what stands there, what comes out of it, and its parameters."""

    graph: str
    label: str = ""
    shape: str = ""
    parameters: str = ""


def outline(structure: Structure) -> str:
    """A line for each layer, with the ways on which a row passes.

    Example:
        >>> print(outline(Structure((4,), (Layer("Dense", "3", Made((3,), 15)),))))
        ● input     4
        ● Dense 3   3   15
    """
    rows = [_Row(_NODE, "input", _size(structure.shape)), *_rows(structure.parts)]
    graph = max(len(row.graph) for row in rows) + 1
    label = max(len(row.label) for row in rows) + 3
    shape = max(len(row.shape) for row in rows)
    parameters = max(len(row.parameters) for row in rows)
    return "".join(
        f"{row.graph:{graph}}{row.label:{label}}{row.shape:{shape}}"
        f"   {row.parameters:>{parameters}}".rstrip()
        + "\n"
        for row in rows
    )


def _rows(parts: Parts) -> list[_Row]:
    return [row for part in parts for row in _of(part)]


def _of(part: Part) -> Iterator[_Row]:
    match part:
        case Layer():
            label = f"{part.name} {part.arguments}".rstrip()
            held = f"{part.made.parameters:,}" if part.made.parameters else ""
            yield _Row(_NODE, label, _size(part.made.shape), held)
        case Group():
            yield from _several(part)
        case Branches():
            yield from _ways(part)


def _several(part: Group) -> Iterator[_Row]:
    """Its layers, indented under what they are."""
    if not part.title:
        yield from _rows(part.parts)
        return
    yield _Row(_LINE, f"{part.title}:")
    for row in _rows(part.parts):
        yield replace(row, label=f"  {row.label}".rstrip())


def _ways(part: Branches) -> Iterator[_Row]:
    """Its stacks in columns of their own, one after the other."""
    stacks = [_rows(way) for way in part.ways]
    widths = [max((len(row.graph) for row in rows), default=1) for rows in stacks]
    yield _Row(_across(widths, _APART), part.name)
    for at, rows in enumerate(stacks):
        for row in rows:
            columns = [*[_LINE] * at, row.graph, *[_LINE] * (len(stacks) - at - 1)]
            yield replace(row, graph=_side_by_side(columns, widths))
    yield _Row(_across(widths, _TOGETHER))
    yield from _of(part.merge)


def _side_by_side(columns: Sequence[str], widths: Sequence[int]) -> str:
    return " ".join(
        f"{column:{width}}" for column, width in zip(columns, widths, strict=True)
    ).rstrip()


def _across(widths: Sequence[int], signs: tuple[str, str, str]) -> str:
    """A line to the beginning of every column."""
    first, between, last = signs
    if len(widths) == 1:
        return _LINE
    return (
        "".join(
            (first if not at else between) + "─" * width for at, width in enumerate(widths[:-1])
        )
        + last
    )


def _size(shape: Sequence[int | None]) -> str:
    return " x ".join("?" if length is None else str(length) for length in shape)
