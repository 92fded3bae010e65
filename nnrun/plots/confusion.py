"""Plots of confusion matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from nnrun.plots import style
from nnrun.types import Array

MAX_NAME = 22  # characters of a class name
MAX_NUMBERED = 100  # classes up to which cells have numbers; beyond it, cells are pixels
DIGIT = 0.64  # width of a digit relative to the font size
PAD = 0.1  # inches
MAX_LABELS, COLUMNS = 30, 6
PIXEL_SIDE = 12.0  # inches, of a matrix of pixels


def confusion(counts: Array, classes: Sequence[str]) -> Figure:
    """Draws a confusion matrix: numbers are counts, colors are shares of the true class.

    Shares keep a rare class as visible as a frequent one. A cell without rows stays empty. With
    more than `MAX_NUMBERED` classes, cells are pixels without numbers, and only some class names
    are shown.

    Args:
        counts: ints of shape `(classes, classes)`; rows are true, columns predicted.
    """
    counts = np.asarray(counts)
    names = [style.shorten(name, MAX_NAME) for name in classes]
    layout = _layout(counts, names)
    figure, axes, color_bar = _figure(layout)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    mesh = (_pixels if len(names) > MAX_NUMBERED else _cells)(axes, shares)
    # The square root of the share: otherwise a share of 5 % would be invisible.
    mesh.set_cmap("Blues")
    mesh.set_norm(PowerNorm(0.5, vmin=0, vmax=1))
    axes.spines[:].set(color=style.FAINT, linewidth=0.8)
    if len(names) <= MAX_NUMBERED:
        _numbers(axes, counts, mesh.to_rgba(shares), layout.number_font)
    _class_names(axes, names, layout)
    _color_bar(figure, color_bar, mesh)
    style.name_axes(axes, "predicted class", "true class")
    correct, total = int(np.trace(counts)), int(counts.sum())
    percent = f" ({correct / total:.1%})" if total else ""
    style.title(axes, f"{correct:,} of {total:,} right{percent}")
    return figure


def label_confusions(counts: Array, names: Sequence[str]) -> Figure:
    """Draws a matrix of two by two for each of the first 30 labels.

    Args:
        counts: ints of shape `(labels, 2, 2)`; rows are true, columns predicted.
        names: of the labels.
    """
    shown = min(len(names), MAX_LABELS)
    columns = min(shown, COLUMNS)
    figure = style.blank(1.7 * columns + 0.6, 1.75 * -(-shown // columns) + 0.4)
    for number, name in enumerate(names[:shown]):
        axes = figure.add_subplot(-(-shown // columns), columns, number + 1, aspect="equal")
        matrix = np.asarray(counts[number])
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        mesh = _cells(axes, shares)
        mesh.set_cmap("Blues")
        mesh.set_norm(PowerNorm(0.5, vmin=0, vmax=1))
        axes.spines[:].set(color=style.FAINT, linewidth=0.8)
        _numbers(axes, matrix, mesh.to_rgba(shares), style.SMALL)
        axes.set_xticks((0, 1), ("no", "yes"))
        axes.set_yticks((0, 1), ("no", "yes"))
        _ticks(axes, style.SMALL)
        style.title(axes, style.shorten(name, 14))
    figure.supxlabel("predicted", color=style.INK, fontsize=style.NORMAL)
    figure.supylabel("true", color=style.INK, fontsize=style.NORMAL)
    style.fix_layout(figure)
    return figure


@dataclass(frozen=True)
class _Layout:
    """Sides of the matrix and of a cell, width of the widest name (inches); font sizes (points)."""

    side: float
    cell: float
    name_width: float
    number_font: float
    name_font: float

    @property
    def rotation(self) -> int:
        """Rotation of the column names in degrees: no more than necessary."""
        if self.name_width < 0.9 * self.cell:
            return 0
        return 45 if self.cell >= 0.4 else 90


def _layout(counts: Array, names: Sequence[str]) -> _Layout:
    """Cells shrink with the number of classes, but still fit a small number."""
    classes = max(len(counts), 1)
    if classes > MAX_NUMBERED:
        width = style.width(names, style.SMALL)
        return _Layout(PIXEL_SIDE, PIXEL_SIDE / classes, width, 0, style.SMALL)
    number = 1.25 * DIGIT * len(str(int(counts.max(initial=0)))) / style.POINTS
    cell = max(float(np.clip(5 / classes, 0.22, 1.1)), 6 * number)
    font = min(0.6 * cell * style.POINTS, style.NORMAL)
    return _Layout(
        side=cell * classes,
        cell=cell,
        name_width=style.width(names, font),
        number_font=min(cell / number, 0.45 * cell * style.POINTS, 12.0),
        name_font=font,
    )


def _figure(layout: _Layout) -> tuple[Figure, Axes, Axes]:
    """A figure with axes for the matrix and for the color bar.

    Positions are computed: a layout engine would measure each number, and its result for square
    cells is not stable.
    """
    left = layout.name_width + 5 * PAD
    name_height = layout.name_width if layout.rotation else layout.name_font / style.POINTS
    bottom = name_height + 5 * PAD
    width, height = left + layout.side + 9.5 * PAD, bottom + layout.side + 4 * PAD
    figure = style.blank(width, height)
    matrix = (left / width, bottom / height, layout.side / width, layout.side / height)
    bar_height = min(layout.side, 3.5)
    color_bar = (
        (left + layout.side + 1.5 * PAD) / width,
        (bottom + (layout.side - bar_height) / 2) / height,
        PAD / width,
        bar_height / height,
    )
    return figure, figure.add_axes(matrix), figure.add_axes(color_bar)


def _cells(axes: Axes, shares: Array) -> ScalarMappable:
    edges = np.arange(len(shares) + 1) - 0.5
    mesh = axes.pcolormesh(edges, edges, shares, edgecolors=style.GRID, linewidth=0.5)
    axes.invert_yaxis()
    return mesh


def _pixels(axes: Axes, shares: Array) -> ScalarMappable:
    """As `_cells`, without lines; with more classes than pixels, the darkest cell shows."""
    classes = len(shares)
    starts = np.arange(0, classes, -(-classes // int(PIXEL_SIDE * style.DPI)))
    darkest = np.maximum.reduceat(np.maximum.reduceat(shares, starts, axis=0), starts, axis=1)
    extent = (-0.5, classes - 0.5, classes - 0.5, -0.5)
    return axes.imshow(darkest, extent=extent, aspect="auto", interpolation="nearest")


def _numbers(axes: Axes, counts: Array, colors: Array, font: float) -> None:
    luminance = colors[..., :3] @ [0.299, 0.587, 0.114]
    for row, column in np.argwhere(counts):
        axes.text(
            column,
            row,
            str(counts[row, column]),
            ha="center",
            va="center_baseline",
            fontsize=font,
            color="white" if luminance[row, column] < 0.5 else style.INK,
        )


def _class_names(axes: Axes, names: Sequence[str], layout: _Layout) -> None:
    # A line of text is 1.2 times as high as its font.
    step = math.ceil(1.2 * layout.name_font / style.POINTS / layout.cell)
    positions = range(0, len(names), step)
    axes.set_xticks(positions, names[::step], parse_math=False, rotation=layout.rotation)
    if layout.rotation == 45:
        for label in axes.get_xticklabels():
            label.set(ha="right", va="center", rotation_mode="anchor")
    axes.set_yticks(positions, names[::step], parse_math=False)
    _ticks(axes, layout.name_font)


def _ticks(axes: Axes, font: float) -> None:
    axes.tick_params(color=style.FAINT, labelcolor=style.INK, labelsize=font, length=2, width=0.8)


def _color_bar(figure: Figure, axes: Axes, mesh: ScalarMappable) -> None:
    ticks, percent = [0, 0.01, 0.05, 0.2, 0.5, 1], PercentFormatter(xmax=1)
    bar = figure.colorbar(mesh, cax=axes, ticks=ticks, format=percent)
    bar.set_label("share of the true class", color=style.INK, fontsize=style.NORMAL)
    bar.outline.set(color=style.FAINT, linewidth=0.8)
    bar.minorticks_off()
    _ticks(axes, style.SMALL)
