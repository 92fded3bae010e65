"""A model drawn with signs, for a terminal and a text file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from nnrun.structure import Layer, Part, Parts, Several, Structure, Ways

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
        case Several():
            yield from _several(part)
        case Ways():
            yield from _ways(part)


def _several(part: Several) -> Iterator[_Row]:
    """Its layers, indented under what they are."""
    if not part.title:
        yield from _rows(part.parts)
        return
    yield _Row(_LINE, f"{part.title}:")
    for row in _rows(part.parts):
        yield replace(row, label=f"  {row.label}".rstrip())


def _ways(part: Ways) -> Iterator[_Row]:
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
