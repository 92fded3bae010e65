"""The plot of a model: its layers as boxes, and the edges between them.

A model consists of nested stacks, and every stack has a strip of its own: its layers stand in the
middle of the strip, branches stand side by side. Lengths are inches; y grows downwards from the top
of the first box.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from nnrun.models.structure import Branches, Group, Layer, Part, Parts, Source, Structure
from nnrun.plots import style

LINE, PAD = 0.15, 0.08
_LETTERS, _LONGEST = 40, 400  # characters per line, and per layer
_BELOW, _BESIDE = 0.36, 0.34  # gaps between boxes
_FRAME, _TITLE = 0.1, 0.2  # padding and title height of a frame
_EMPTY = 0.15  # width of an empty branch, in boxes

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
        column: of its center, in units of a strip.
        inputs: edges that end in it.
        source: whether it only names the output of another box; then its input is not drawn.
    """

    lines: list[str]
    shape: tuple[int | None, ...]
    column: float
    inputs: Sequence[Edge]
    parameters: int = 0
    source: bool = False

    @property
    def summary(self) -> str:
        """The last line: shape and parameters."""
        size = " x ".join("?" if length is None else str(length) for length in self.shape)
        return f"{size}    {self.parameters:,} parameters" if self.parameters else size

    @property
    def height(self) -> float:
        """Height of all lines."""
        return (len(self.lines) + 1) * LINE + 2 * PAD


@dataclass(frozen=True)
class Frame:
    """A titled frame around boxes; `level` is its nesting level, counted from the innermost."""

    title: str
    boxes: range
    level: int


class Graph:
    """The boxes of a model in the order of the forward pass, and the frames."""

    def __init__(self, structure: Structure) -> None:
        self.boxes = [Box(["input"], structure.shape, 0.0, ())]
        self.frames: list[Frame] = []
        self._add(structure.parts, Edge(0, 0.0))

    def _add(self, parts: Parts, edge: Edge, *, joins: bool = True) -> Edge:
        """Adds layers below `edge` and returns the last edge; `joins`: the first may join its box."""
        for part in parts:
            match part:
                case Layer():
                    edge = self._add_layer(part, [edge], edge.column, joins=joins)
                case Source(name=name, size=size):
                    self.boxes.append(
                        Box([f"from {name}"], size.shape, edge.column, [edge], source=True)
                    )
                    edge = Edge(len(self.boxes) - 1, edge.column)
                case Group(title=""):
                    edge = self._add(part.parts, edge, joins=joins)
                case Group():
                    edge = self._add_frame(part, edge)
                case Branches():
                    ends = [
                        self._add(stack, Edge(edge.box, edge.column + offset), joins=False)
                        for stack, offset in zip(part.stacks, _offsets(part), strict=True)
                    ]
                    edge = self._add_layer(part.merge, ends, edge.column, joins=False)
            joins = not isinstance(part, Group) or not part.title
        return edge

    def _add_layer(
        self, layer: Layer, inputs: Sequence[Edge], column: float, *, joins: bool
    ) -> Edge:
        index, size = inputs[0].box, layer.size
        light = not size.parameters or layer.name.endswith("Normalization")
        if not (joins and light and size.shape == self.boxes[index].shape):
            index = len(self.boxes)
            self.boxes.append(Box([], size.shape, column, inputs))
        text = style.excerpt(f"{layer.name} {layer.arguments}", _LONGEST)
        self.boxes[index].lines += textwrap.wrap(text, _LETTERS)
        self.boxes[index].parameters += size.parameters
        return Edge(index, column)

    def _add_frame(self, group: Group, edge: Edge) -> Edge:
        first_box, first_frame = len(self.boxes), len(self.frames)
        edge = self._add(group.parts, edge, joins=False)
        level = 1 + max((frame.level for frame in self.frames[first_frame:]), default=0)
        self.frames.append(Frame(group.title, range(first_box, len(self.boxes)), level))
        return edge


def _offsets(part: Branches) -> list[float]:
    """Offset of each branch from the column above; the main branch of a Residual has none."""
    position, columns = 0.0, []
    for left, right in map(_extent, part.stacks):
        columns.append(position + left)
        position += left + right
    center = columns[0] if part.name == "Residual" else position / 2
    return [column - center for column in columns]


def _extent(parts: Parts) -> Point:
    """Width of a stack to the left and to the right of its column."""
    extents = [_extent_of(part) for part in parts] or [(_EMPTY / 2, _EMPTY / 2)]
    return max(left for left, _ in extents), max(right for _, right in extents)


def _extent_of(part: Part) -> Point:
    match part:
        case Group():
            return _extent(part.parts)
        case Branches():
            offsets, first, last = _offsets(part), *map(_extent, (part.stacks[0], part.stacks[-1]))
            return max(0.5, first[0] - offsets[0]), max(0.5, last[1] + offsets[-1])
    return 0.5, 0.5


class Placement:
    """Positions of boxes, edges and frames.

    Attributes:
        edges: each with the index of the box in which it ends.
        width: of every box.
        corners: upper left corner of every box.
    """

    def __init__(self, structure: Structure) -> None:
        graph = Graph(structure)
        self.boxes, self.frames = graph.boxes, graph.frames
        drawn = [(end, box) for end, box in enumerate(self.boxes) if not box.source]
        self.edges = [(edge, end) for end, box in drawn for edge in box.inputs]
        texts = (text for box in self.boxes for text in (*box.lines, box.summary))
        self.width = style.width(texts, style.SMALL) + 2 * PAD
        # The depth of a box is the length of the longest path to it.
        self._depths: list[int] = []
        for box in self.boxes:
            depth = max((self._depths[edge.box] for edge in box.inputs), default=-1) + 1
            self._depths.append(depth)
        self._heights = [0.0] * (max(self._depths) + 1)
        for depth, box in zip(self._depths, self.boxes, strict=True):
            self._heights[depth] = max(self._heights[depth], box.height)
        self._tops = self._tops_of_depths()
        self.corners = [
            (self._x(box.column) - self.width / 2, self._tops[depth])
            for box, depth in zip(self.boxes, self._depths, strict=True)
        ]

    def _tops_of_depths(self) -> list[float]:
        spans = [[self._depths[box] for box in frame.boxes] for frame in self.frames]
        framed = list(zip(self.frames, spans, strict=True))
        tops, y = [], 0.0
        for depth, height in enumerate(self._heights):
            begin = [frame.level for frame, depths in framed if min(depths) == depth]
            end = [frame.level for frame, depths in framed if max(depths) == depth]
            tops.append(y + _TITLE * max(begin, default=0))
            y = tops[-1] + (height + _FRAME * max(end, default=0) + _BELOW)
        return tops

    def _x(self, column: float) -> float:
        return column * (self.width + _BESIDE)

    def path(self, edge: Edge, end: int) -> list[Point]:
        """Points of an edge, from the bottom of a box past those between to the top of another."""
        box, x = self.boxes[edge.box], self._x(edge.column)
        start = (self._x(box.column), self.corners[edge.box][1] + box.height)
        between = [
            (x, y)
            for depth in range(self._depths[edge.box] + 1, self._depths[end])
            for y in (self._tops[depth], self._tops[depth] + self._heights[depth])
        ]
        return [start, *between, (self._x(self.boxes[end].column), self.corners[end][1])]

    def frame_corners(self, frame: Frame) -> tuple[Point, Point]:
        """Upper left and lower right corner of a frame, with the edges that end in it."""
        columns = [self._x(edge.column) for edge, end in self.edges if end in frame.boxes]
        corners = [self.corners[index] for index in frame.boxes]
        bottom = max(self.corners[index][1] + self.boxes[index].height for index in frame.boxes)
        left = min([*columns, *(x for x, _ in corners)]) - _FRAME * frame.level
        right = max([*columns, *(x + self.width for x, _ in corners)]) + _FRAME * frame.level
        top = min(y for _, y in corners) - _TITLE * frame.level
        return (left, top), (right, bottom + _FRAME * frame.level)

    def bounds(self) -> tuple[Point, Point]:
        """Upper left and lower right corner of the drawing."""
        corners = [
            ((x, y), (x + self.width, y + box.height))
            for (x, y), box in zip(self.corners, self.boxes, strict=True)
        ]
        corners += map(self.frame_corners, self.frames)
        columns = [self._x(edge.column) for edge, _ in self.edges]
        left = min([*columns, *(first[0] for first, _ in corners)])
        right = max([*columns, *(last[0] for _, last in corners)])
        return (left, 0.0), (right, max(last[1] for _, last in corners))


_LARGEST = 150.0  # inches; a higher plot has a lower resolution
_MARGIN = 0.2
_BOX, _TINT = "#F4F7FA", "#E9F1F7"


def model(structure: Structure) -> Figure:
    """Draws a box per layer with its shape and parameters.

    Repeated layers of the same shape are drawn once, in a frame with the number of repetitions.
    """
    placement = Placement(structure)
    (left, top), (right, bottom) = placement.bounds()
    figure, axes = style.sheet(right - left + 2 * _MARGIN, bottom - top + 2 * _MARGIN)
    axes.set(xlim=(left - _MARGIN, right + _MARGIN), ylim=(bottom + _MARGIN, top - _MARGIN))
    figure.set_dpi(style.DPI * min(1.0, _LARGEST / (bottom - top)))
    # The last frames contain those before them.
    for frame in reversed(placement.frames):
        (x, y), (end_x, end_y) = placement.frame_corners(frame)
        _rectangle(axes, (x, y), (end_x - x, end_y - y), _TINT)
        _text(axes, x + PAD, y + PAD / 2, frame.title, style.FAINT)
    for edge, end in placement.edges:
        _arrow(axes, placement.path(edge, end))
    for box, (x, y) in zip(placement.boxes, placement.corners, strict=True):
        _rectangle(axes, (x, y), (placement.width, box.height), _BOX)
        for number, line in enumerate(box.lines):
            _text(axes, x + PAD, y + PAD + number * LINE, line, style.INK)
        _text(axes, x + PAD, y + PAD + len(box.lines) * LINE, box.summary, style.FAINT)
    return figure


def _text(axes: Axes, x: float, y: float, text: str, color: str) -> None:
    axes.text(x, y, text, va="top", color=color, fontsize=style.SMALL, parse_math=False)


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
