"""The layers of a model and the ways between them, as a graph."""

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

# Where the layers of a model stand in its picture: boxes, ways between them, frames around them.
#
# A model is made of stacks within stacks, so every part has a strip of its own: a stack runs down
# the middle of its strip, and ways that part run side by side. Lengths are inches, and heights grow
# downwards from the top of the first box.

LINE, PAD = 0.15, 0.08
_LETTERS, _LONGEST = 40, 400  # in a line of a box, and in all that it says of a layer
_BELOW, _BESIDE = 0.36, 0.34  # from box to box, where ways have room
_FRAME, _TITLE = 0.1, 0.2  # by which a frame is larger than the one in it, with its title on top
_BARE = 0.15  # of the strip that an arrow needs, by that of a box

Point = tuple[float, float]


@dataclass(frozen=True)
class Link:
    """A way from a box, by its number, down a column."""

    box: int
    column: float


@dataclass
class Box:
    """A layer, with those after it that leave the shape as it is.

    Args:
        lines: what the layers are.
        shape: of a row that they put out.
        column: of its middle, by the width of a strip.
        above: where its input comes from.
        parameters: how many numbers they hold.
    """

    lines: list[str]
    shape: tuple[int | None, ...]
    column: float
    above: Sequence[Link]
    parameters: int = 0

    @property
    def foot(self) -> str:
        """The last line."""
        size = " x ".join("?" if length is None else str(length) for length in self.shape)
        return f"{size}    {self.parameters:,} parameters" if self.parameters else size

    @property
    def height(self) -> float:
        """Of all its lines."""
        return (len(self.lines) + 1) * LINE + 2 * PAD


@dataclass(frozen=True)
class Frame:
    """Boxes that belong together, and how many frames lie within each other up to this one."""

    title: str
    boxes: range
    inside: int


class Graph:
    """The boxes of a model in the order in which a row reaches them, and the frames."""

    def __init__(self, structure: Structure) -> None:
        self.boxes = [Box(["input"], structure.shape, 0.0, ())]
        self.frames: list[Frame] = []
        self._follow(structure.parts, Link(0, 0.0))

    def _follow(self, parts: Parts, at: Link, *, joins: bool = True) -> Link:
        """Goes on down a column, and says in which box that ends.

        Args:
            joins: whether the first layer may stand in the box it comes from.
        """
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
                        self._follow(way, Link(at.box, at.column + offset), joins=False)
                        for way, offset in zip(part.ways, _offsets(part), strict=True)
                    ]
                    at = self._layer(part.merge, ends, at.column, joins=False)
            joins = not isinstance(part, Group) or not part.title
        return at

    def _layer(self, layer: Layer, above: Sequence[Link], column: float, *, joins: bool) -> Link:
        at = above[0].box
        box = self.boxes[at]
        text = f"{layer.name} {layer.arguments}"
        light = not layer.made.parameters or layer.name.endswith("Normalization")
        if not (joins and light and layer.made.shape == box.shape):
            at, box = len(self.boxes), Box([], layer.made.shape, column, above)
            self.boxes.append(box)
        box.lines += textwrap.wrap(style.excerpt(text, _LONGEST), _LETTERS)
        box.parameters += layer.made.parameters
        return Link(at, column)

    def _framed(self, part: Group, at: Link) -> Link:
        first, known = len(self.boxes), len(self.frames)
        at = self._follow(part.parts, at, joins=False)
        deepest = max((frame.inside for frame in self.frames[known:]), default=0)
        self.frames.append(Frame(part.title, range(first, len(self.boxes)), deepest + 1))
        return at


def _offsets(part: Branches) -> list[float]:
    """How far each way is from the column that they come from; the main one goes straight on."""
    extents = [_extent(way) for way in part.ways]
    at, middles = 0.0, []
    for left, right in extents:
        middles.append(at + left)
        at += left + right
    axis = middles[0] if part.name == "Residual" else at / 2
    return [middle - axis for middle in middles]


def _extent(parts: Parts) -> Point:
    """How far a stack reaches to the left and to the right of its column."""
    extents = [_extent_of(part) for part in parts] or [(_BARE / 2, _BARE / 2)]
    return max(left for left, _ in extents), max(right for _, right in extents)


def _extent_of(part: Part) -> Point:
    match part:
        case Group():
            return _extent(part.parts)
        case Branches():
            extents, offsets = [_extent(way) for way in part.ways], _offsets(part)
            return max(0.5, extents[0][0] - offsets[0]), max(0.5, extents[-1][1] + offsets[-1])
    return 0.5, 0.5


class Placing:
    """Where everything is drawn."""

    def __init__(self, structure: Structure) -> None:
        graph = Graph(structure)
        self.boxes, self.frames = graph.boxes, graph.frames
        self.links = [(link, at) for at, box in enumerate(self.boxes) for link in box.above]
        self._ranks = _ranks(self.boxes)

    @cached_property
    def width(self) -> float:
        """Of every box."""
        texts = (text for box in self.boxes for text in (*box.lines, box.foot))
        return style.width(texts, style.SMALL) + 2 * PAD

    @cached_property
    def corners(self) -> list[Point]:
        """The upper left of every box."""
        return [
            (self._x(box.column) - self.width / 2, self._tops[rank])
            for box, rank in zip(self.boxes, self._ranks, strict=True)
        ]

    def way(self, link: Link, below: int) -> list[Point]:
        """What a link passes from under a box to the top of another, beside those between."""
        above = self.boxes[link.box]
        lane = self._x(link.column)
        between = range(self._ranks[link.box] + 1, self._ranks[below])
        passed = [
            (lane, y)
            for rank in between
            for y in (self._tops[rank], self._tops[rank] + self._heights[rank])
        ]
        start = (self._x(above.column), self.corners[link.box][1] + above.height)
        return [start, *passed, (self._x(self.boxes[below].column), self.corners[below][1])]

    def around(self, frame: Frame) -> tuple[Point, Point]:
        """The upper left and the lower right of a frame, with the ways that end in it."""
        lanes = [self._x(link.column) for link, below in self.links if below in frame.boxes]
        corners = [self.corners[at] for at in frame.boxes]
        bottoms = [self.corners[at][1] + self.boxes[at].height for at in frame.boxes]
        left = min(*lanes, *(x for x, _ in corners)) - _FRAME * frame.inside
        right = max(*lanes, *(x + self.width for x, _ in corners)) + _FRAME * frame.inside
        top = min(y for _, y in corners) - _TITLE * frame.inside
        return (left, top), (right, max(bottoms) + _FRAME * frame.inside)

    def whole(self) -> tuple[Point, Point]:
        """The upper left and the lower right of everything."""
        boxes = [
            ((x, y), (x + self.width, y + box.height))
            for (x, y), box in zip(self.corners, self.boxes, strict=True)
        ]
        ends = [*boxes, *map(self.around, self.frames)]
        lanes = [self._x(link.column) for link, _ in self.links]
        left = min([*lanes, *(first[0] for first, _ in ends)])
        right = max([*lanes, *(last[0] for _, last in ends)])
        return (left, 0.0), (right, max(last[1] for _, last in ends))

    def _x(self, column: float) -> float:
        return column * (self.width + _BESIDE)

    @cached_property
    def _tops(self) -> list[float]:
        """Of the boxes of each rank."""
        spans = [[self._ranks[at] for at in frame.boxes] for frame in self.frames]
        tops, at = [], 0.0
        for rank, height in enumerate(self._heights):
            inside = list(zip(self.frames, spans, strict=True))
            begun = [frame.inside for frame, ranks in inside if min(ranks) == rank]
            ended = [frame.inside for frame, ranks in inside if max(ranks) == rank]
            at += _TITLE * max(begun, default=0)
            tops.append(at)
            at += height + _FRAME * max(ended, default=0) + _BELOW
        return tops

    @cached_property
    def _heights(self) -> list[float]:
        """Of the highest box of each rank."""
        heights = [0.0] * (max(self._ranks) + 1)
        for rank, box in zip(self._ranks, self.boxes, strict=True):
            heights[rank] = max(heights[rank], box.height)
        return heights


def _ranks(boxes: Sequence[Box]) -> list[int]:
    """How many boxes lie above each on the longest way to it."""
    ranks: list[int] = []
    for box in boxes:
        ranks.append(1 + max((ranks[link.box] for link in box.above), default=-1))
    return ranks


_LARGEST = 150.0  # inches; of what is higher there are fewer dots to the inch
_MARGIN = 0.2
_BOX, _TINT = "#F4F7FA", "#E9F1F7"


def model(structure: Structure) -> Figure:
    """A box for each layer that makes something new, with shape and number of parameters.

    Layers that come several times over, alike in shape, are drawn once, in a frame that says how
    often.
    """
    placing = Placing(structure)
    (left, top), (right, bottom) = placing.whole()
    figure, axes = style.sheet(right - left + 2 * _MARGIN, bottom - top + 2 * _MARGIN)
    axes.set(xlim=(left - _MARGIN, right + _MARGIN), ylim=(bottom + _MARGIN, top - _MARGIN))
    figure.set_dpi(style.DPI * min(1.0, _LARGEST / (bottom - top)))
    # The last frames hold those before them.
    for frame in reversed(placing.frames):
        _frame(axes, frame.title, placing.around(frame))
    for link, below in placing.links:
        _arrow(axes, placing.way(link, below))
    for box, corner in zip(placing.boxes, placing.corners, strict=True):
        _box(axes, box, corner, placing.width)
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
    """A line that leaves each point downwards and reaches the next from above."""
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
