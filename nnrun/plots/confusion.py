"""The plot of a confusion matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from nnrun.plots import style
from nnrun.types import Array

NAME = 22
"""Maximum characters of a class name."""
DIGIT = 0.64
"""Width of a digit relative to the font size."""
PAD = 0.1
"""Padding in inches."""
MAX_NUMBERED = 100
"""Up to this many classes have cells with numbers; beyond it, cells are pixels."""
SIDE = 12.0
"""Side of a matrix of pixels, in inches."""


def confusion(counts: Array, classes: Sequence[str]) -> Figure:
    """Draws a confusion matrix: numbers are counts, colors are shares of the true class.

    Shares keep a rare class as visible as a frequent one. A cell without rows stays empty. With
    more than `MAX_NUMBERED` classes, cells are pixels without numbers, and only some class names
    are shown.

    Args:
        counts: ints of shape `(classes, classes)`; rows are true, columns predicted.
        classes: one name per class.
    """
    counts = np.asarray(counts)
    names = [style.shorten(name, NAME) for name in classes]
    size = _size(counts, names)
    figure, axes, scale = _sheet(size)
    shares = _shares(counts)
    mesh: ScalarMappable
    if len(names) > MAX_NUMBERED:
        mesh = _points(axes, shares)
    else:
        mesh = _cells(axes, shares)
        _numbers(axes, counts, dark=_luminance(mesh, shares) < 0.5, size=size)
    _names(axes, names, size)
    _legend(figure, scale, mesh)
    style.name_axes(axes, "predicted class", "true class")
    style.title(axes, _summary(counts))
    return figure


@dataclass(frozen=True)
class _Size:
    """Sides of the matrix and of a cell, width of the widest name (inches); font sizes (points)."""

    side: float
    cell: float
    room: float
    numbers: float
    names: float

    @property
    def turn(self) -> int:
        """Rotation of the column names in degrees: no more than necessary."""
        if self.room < 0.9 * self.cell:
            return 0
        return 45 if self.cell >= 0.4 else 90


def _size(counts: Array, names: Sequence[str]) -> _Size:
    """Cells shrink with the number of classes, but still fit a small number."""
    if len(counts) > MAX_NUMBERED:
        room = style.width(names, style.SMALL)
        return _Size(SIDE, SIDE / len(counts), room, numbers=0, names=style.SMALL)
    number = 1.25 * DIGIT * len(str(int(counts.max(initial=0)))) / style.POINTS
    classes = max(len(counts), 1)
    cell = max(float(np.clip(5 / classes, 0.22, 1.1)), 6 * number)
    font = min(0.6 * cell * style.POINTS, style.NORMAL)
    return _Size(
        side=cell * classes,
        cell=cell,
        room=style.width(names, font),
        numbers=min(cell / number, 0.45 * cell * style.POINTS, 12.0),
        names=font,
    )


def _sheet(size: _Size) -> tuple[Figure, Axes, Axes]:
    """A figure with axes for the matrix and for the color bar.

    Positions are computed: a layout engine would measure each number, and its result for square
    cells is not stable.
    """
    left = size.room + 5 * PAD
    below = (size.names / style.POINTS if size.turn == 0 else size.room) + 5 * PAD
    width, height = left + size.side + 9.5 * PAD, below + size.side + 4 * PAD
    figure = style.blank(width, height)
    matrix = (left / width, below / height, size.side / width, size.side / height)
    tall = min(size.side, 3.5)
    scale = (
        (left + size.side + 1.5 * PAD) / width,
        (below + (size.side - tall) / 2) / height,
        PAD / width,
        tall / height,
    )
    return figure, figure.add_axes(matrix), figure.add_axes(scale)


def _shares(counts: Array) -> Array:
    """Counts divided by their row sums, 0 in an empty row; shape `(classes, classes)`."""
    totals = counts.sum(axis=1, keepdims=True)
    return np.asarray(counts / np.maximum(totals, 1))


def _cells(axes: Axes, shares: Array) -> ScalarMappable:
    edges = np.arange(len(shares) + 1) - 0.5
    mesh = axes.pcolormesh(
        *(edges, edges, shares),
        cmap="Blues",
        norm=_color_scale(),
        edgecolors=style.GRID,
        linewidth=0.5,
    )
    axes.invert_yaxis()
    axes.spines[:].set(color=style.FAINT, linewidth=0.8)
    return mesh


def _points(axes: Axes, shares: Array) -> ScalarMappable:
    """As `_cells`, without lines; with more classes than pixels, the darkest cell shows."""
    classes = len(shares)
    step = -(-classes // int(SIDE * style.DPI))
    starts = np.arange(0, classes, step)
    darkest = np.maximum.reduceat(np.maximum.reduceat(shares, starts, axis=0), starts, axis=1)
    edges = (-0.5, classes - 0.5, classes - 0.5, -0.5)
    image = axes.imshow(
        darkest,
        cmap="Blues",
        norm=_color_scale(),
        extent=edges,
        aspect="auto",
        interpolation="nearest",
    )
    axes.spines[:].set(color=style.FAINT, linewidth=0.8)
    return image


def _color_scale() -> PowerNorm:
    """The square root of the share: otherwise a share of 5 % would be invisible."""
    return PowerNorm(0.5, vmin=0, vmax=1)


def _luminance(mesh: ScalarMappable, shares: Array) -> Array:
    """Lightness of each cell from 0 to 1; shape `(classes, classes)`."""
    rgb = np.asarray(mesh.to_rgba(shares))[..., :3]
    return np.asarray(rgb @ [0.299, 0.587, 0.114])


def _numbers(axes: Axes, counts: Array, *, dark: Array, size: _Size) -> None:
    for row, column in np.argwhere(counts):
        axes.text(
            column,
            row,
            str(counts[row, column]),
            ha="center",
            va="center_baseline",
            fontsize=size.numbers,
            color="white" if dark[row, column] else style.INK,
        )


def _names(axes: Axes, names: Sequence[str], size: _Size) -> None:
    slanted: dict[str, Any] = {"ha": "right", "va": "center", "rotation_mode": "anchor"}
    turned = slanted if size.turn == 45 else {}
    # A line of text is 1.2 times as high as its font.
    named = range(0, len(names), math.ceil(1.2 * size.names / style.POINTS / size.cell))
    texts = [names[each] for each in named]
    axes.set_xticks(named, texts, parse_math=False, rotation=size.turn, **turned)
    axes.set_yticks(named, texts, parse_math=False)
    _ticks(axes, size.names)


def _ticks(axes: Axes, font: float) -> None:
    axes.tick_params(color=style.FAINT, labelcolor=style.INK, labelsize=font, length=2, width=0.8)


def _legend(figure: Figure, scale: Axes, mesh: ScalarMappable) -> None:
    bar = figure.colorbar(
        mesh, cax=scale, ticks=[0, 0.01, 0.05, 0.2, 0.5, 1], format=PercentFormatter(xmax=1)
    )
    bar.set_label("share of the true class", color=style.INK, fontsize=style.NORMAL)
    bar.outline.set(color=style.FAINT, linewidth=0.8)
    bar.minorticks_off()
    _ticks(scale, style.SMALL)


def _summary(counts: Array) -> str:
    right, total = int(np.trace(counts)), int(counts.sum())
    return f"{right:,} of {total:,} right" + (f" ({right / total:.1%})" if total else "")
