"""The plot of a model: its layers as boxes, and the edges between them.

A model consists of nested stacks, and every stack has a strip of its own: its layers stand in the
middle of the strip, branches stand side by side. Lengths are inches; y grows downwards from the top
of the first box.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from nnrun.models.structure import Branches, Group, Layer, Part, Parts, Structure
from nnrun.plots import style

LINE, PAD = 0.15, 0.08
_LETTERS, _LONGEST = 40, 400  # characters per line, and per layer
_BELOW, _BESIDE = 0.36, 0.34  # gaps between boxes
_FRAME, _TITLE = 0.1, 0.2  # padding and title height of a frame
_BARE = 0.15  # width of an empty branch, in boxes

Point = tuple[float, float]


@dataclass(frozen=True)
class Edge:
    """An edge that leaves a box, by its index, in a column."""

    box: int
    column: float


@dataclass
class Box:
    """A layer, and the layers after it that keep its output shape.

    Args:
        lines: names and arguments of the layers.
        shape: of an output row.
        column: of its center, in units of a strip.
        above: its inputs.
        parameters: their number.
    """

    lines: list[str]
    shape: tuple[int | None, ...]
    column: float
    above: Sequence[Edge]
    parameters: int = 0

    @property
    def foot(self) -> str:
        """The last line: shape and parameters."""
        size = " x ".join("?" if length is None else str(length) for length in self.shape)
        return f"{size}    {self.parameters:,} parameters" if self.parameters else size

    @property
    def height(self) -> float:
        """Height of all lines."""
        return (len(self.lines) + 1) * LINE + 2 * PAD


@dataclass(frozen=True)
class Frame:
    """A titled frame around boxes; `inside` is its nesting level, counted from the innermost."""

    title: str
    boxes: range
    inside: int


class Graph:
    """The boxes of a model in the order of the forward pass, and the frames."""

    def __init__(self, structure: Structure) -> None:
        self.boxes = [Box(["input"], structure.shape, 0.0, ())]
        self.frames: list[Frame] = []
        self._follow(structure.parts, Edge(0, 0.0))

    def _follow(self, parts: Parts, at: Edge, *, joins: bool = True) -> Edge:
        """Adds layers below `at` and returns the last edge; `joins`: the first may join its box."""
        for part in parts:
            match part:
                case Layer():
                    at = self._layer(part, [at], at.column, joins=joins)
                case Group(title=""):
                    at = self._follow(part.parts, at, joins=joins)
                case Group():
                    at = self._framed(part, at)
                case Branches():
                    ends = [
                        self._follow(way, Edge(at.box, at.column + offset), joins=False)
                        for way, offset in zip(part.stacks, _offsets(part), strict=True)
                    ]
                    at = self._layer(part.merge, ends, at.column, joins=False)
            joins = not isinstance(part, Group) or not part.title
        return at

    def _layer(self, layer: Layer, above: Sequence[Edge], column: float, *, joins: bool) -> Edge:
        at = above[0].box
        box = self.boxes[at]
        text = f"{layer.name} {layer.arguments}"
        light = not layer.size.parameters or layer.name.endswith("Normalization")
        if not (joins and light and layer.size.shape == box.shape):
            at, box = len(self.boxes), Box([], layer.size.shape, column, above)
            self.boxes.append(box)
        box.lines += textwrap.wrap(style.excerpt(text, _LONGEST), _LETTERS)
        box.parameters += layer.size.parameters
        return Edge(at, column)

    def _framed(self, part: Group, at: Edge) -> Edge:
        first, known = len(self.boxes), len(self.frames)
        at = self._follow(part.parts, at, joins=False)
        deepest = max((frame.inside for frame in self.frames[known:]), default=0)
        self.frames.append(Frame(part.title, range(first, len(self.boxes)), deepest + 1))
        return at


def _offsets(part: Branches) -> list[float]:
    """Offset of each branch from the column above; the main branch of a Residual has none."""
    extents = [_extent(way) for way in part.stacks]
    at, middles = 0.0, []
    for left, right in extents:
        middles.append(at + left)
        at += left + right
    axis = middles[0] if part.name == "Residual" else at / 2
    return [middle - axis for middle in middles]


def _extent(parts: Parts) -> Point:
    """Width of a stack to the left and to the right of its column."""
    extents = [_extent_of(part) for part in parts] or [(_BARE / 2, _BARE / 2)]
    return max(left for left, _ in extents), max(right for _, right in extents)


def _extent_of(part: Part) -> Point:
    match part:
        case Group():
            return _extent(part.parts)
        case Branches():
            extents, offsets = [_extent(way) for way in part.stacks], _offsets(part)
            return max(0.5, extents[0][0] - offsets[0]), max(0.5, extents[-1][1] + offsets[-1])
    return 0.5, 0.5


class Placement:
    """Positions of boxes, edges and frames."""

    def __init__(self, structure: Structure) -> None:
        graph = Graph(structure)
        self.boxes, self.frames = graph.boxes, graph.frames
        self.edges = [(edge, at) for at, box in enumerate(self.boxes) for edge in box.above]
        self._depths = _depths(self.boxes)

    @cached_property
    def width(self) -> float:
        """Width of every box."""
        texts = (text for box in self.boxes for text in (*box.lines, box.foot))
        return style.width(texts, style.SMALL) + 2 * PAD

    @cached_property
    def corners(self) -> list[Point]:
        """Upper left corner of every box."""
        return [
            (self._x(box.column) - self.width / 2, self._tops[depth])
            for box, depth in zip(self.boxes, self._depths, strict=True)
        ]

    def path(self, edge: Edge, below: int) -> list[Point]:
        """Points of an edge, from the bottom of a box past those between to the top of another."""
        above = self.boxes[edge.box]
        column_x = self._x(edge.column)
        between = range(self._depths[edge.box] + 1, self._depths[below])
        passed = [
            (column_x, y)
            for depth in between
            for y in (self._tops[depth], self._tops[depth] + self._heights[depth])
        ]
        start = (self._x(above.column), self.corners[edge.box][1] + above.height)
        return [start, *passed, (self._x(self.boxes[below].column), self.corners[below][1])]

    def around(self, frame: Frame) -> tuple[Point, Point]:
        """Upper left and lower right corner of a frame, with the edges that end in it."""
        columns = [self._x(edge.column) for edge, below in self.edges if below in frame.boxes]
        corners = [self.corners[at] for at in frame.boxes]
        bottoms = [self.corners[at][1] + self.boxes[at].height for at in frame.boxes]
        left = min(*columns, *(x for x, _ in corners)) - _FRAME * frame.inside
        right = max(*columns, *(x + self.width for x, _ in corners)) + _FRAME * frame.inside
        top = min(y for _, y in corners) - _TITLE * frame.inside
        return (left, top), (right, max(bottoms) + _FRAME * frame.inside)

    def whole(self) -> tuple[Point, Point]:
        """Upper left and lower right corner of the drawing."""
        boxes = [
            ((x, y), (x + self.width, y + box.height))
            for (x, y), box in zip(self.corners, self.boxes, strict=True)
        ]
        ends = [*boxes, *map(self.around, self.frames)]
        columns = [self._x(edge.column) for edge, _ in self.edges]
        left = min([*columns, *(first[0] for first, _ in ends)])
        right = max([*columns, *(last[0] for _, last in ends)])
        return (left, 0.0), (right, max(last[1] for _, last in ends))

    def _x(self, column: float) -> float:
        return column * (self.width + _BESIDE)

    @cached_property
    def _tops(self) -> list[float]:
        """Top of the boxes of each depth."""
        spans = [[self._depths[at] for at in frame.boxes] for frame in self.frames]
        tops, at = [], 0.0
        for depth, height in enumerate(self._heights):
            inside = list(zip(self.frames, spans, strict=True))
            begun = [frame.inside for frame, depths in inside if min(depths) == depth]
            ended = [frame.inside for frame, depths in inside if max(depths) == depth]
            at += _TITLE * max(begun, default=0)
            tops.append(at)
            at += height + _FRAME * max(ended, default=0) + _BELOW
        return tops

    @cached_property
    def _heights(self) -> list[float]:
        """Height of the highest box of each depth."""
        heights = [0.0] * (max(self._depths) + 1)
        for depth, box in zip(self._depths, self.boxes, strict=True):
            heights[depth] = max(heights[depth], box.height)
        return heights


def _depths(boxes: Sequence[Box]) -> list[int]:
    """Length of the longest path to each box."""
    depths: list[int] = []
    for box in boxes:
        depths.append(1 + max((depths[edge.box] for edge in box.above), default=-1))
    return depths


_LARGEST = 150.0  # inches; a higher plot has a lower resolution
_MARGIN = 0.2
_BOX, _TINT = "#F4F7FA", "#E9F1F7"


def model(structure: Structure) -> Figure:
    """Draws a box per layer with its shape and parameters.

    Repeated layers of the same shape are drawn once, in a frame with the number of repetitions.
    """
    placement = Placement(structure)
    (left, top), (right, bottom) = placement.whole()
    figure, axes = style.sheet(right - left + 2 * _MARGIN, bottom - top + 2 * _MARGIN)
    axes.set(xlim=(left - _MARGIN, right + _MARGIN), ylim=(bottom + _MARGIN, top - _MARGIN))
    figure.set_dpi(style.DPI * min(1.0, _LARGEST / (bottom - top)))
    # The last frames contain those before them.
    for frame in reversed(placement.frames):
        _frame(axes, frame.title, placement.around(frame))
    for edge, below in placement.edges:
        _arrow(axes, placement.path(edge, below))
    for box, corner in zip(placement.boxes, placement.corners, strict=True):
        _box(axes, box, corner, placement.width)
    return figure


def _frame(axes: Axes, title: str, around: tuple[Point, Point]) -> None:
    (left, top), (right, bottom) = around
    _rectangle(axes, (left, top), (right - left, bottom - top), _TINT)
    axes.text(left + PAD, top + PAD / 2, title, va="top", **_text(style.FAINT))


def _box(axes: Axes, box: Box, corner: Point, width: float) -> None:
    x, y = corner
    _rectangle(axes, corner, (width, box.height), _BOX)
    for line, text in enumerate([*box.lines, box.foot]):
        color = style.INK if line < len(box.lines) else style.FAINT
        axes.text(x + PAD, y + PAD + line * LINE, text, va="top", **_text(color))


def _rectangle(axes: Axes, corner: Point, size: Point, color: str) -> None:
    patch = FancyBboxPatch(
        corner,
        *size,
        boxstyle="round,pad=0,rounding_size=0.05",
        facecolor=color,
        edgecolor=style.FAINT,
        linewidth=0.6,
    )
    axes.add_patch(patch)


def _arrow(axes: Axes, points: Sequence[Point]) -> None:
    """An arrow that leaves and enters each point vertically."""
    vertices, codes = [points[0]], [Path.MOVETO]
    for (x, y), (to_x, to_y) in pairwise(points):
        middle = (y + to_y) / 2
        vertices += [(x, middle), (to_x, middle), (to_x, to_y)]
        codes += [Path.CURVE4] * 3
    arrow = FancyArrowPatch(
        path=Path(vertices, codes),
        arrowstyle="-|>",
        mutation_scale=7,
        color=style.FAINT,
        linewidth=0.9,
        shrinkA=0,
        shrinkB=0,
    )
    axes.add_patch(arrow)


def _text(color: str) -> dict[str, Any]:
    return {"color": color, "fontsize": style.SMALL, "parse_math": False}
