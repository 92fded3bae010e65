"""The layers of a model and the ways between them, as a graph."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from nnrun.plots import style
from nnrun.plots.graph import LINE, PAD, Box, Placing, Point
from nnrun.structure import Structure

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
