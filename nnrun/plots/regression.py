"""Plots of predicted against true values of a regression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nnrun.plots import style
from nnrun.types import Array

MAX_VALUES, COLUMNS = 12, 3


def predicted_against_true(target: Array, output: Array, *, name: str) -> Figure:
    """Draws each row as a point; correct predictions are on the diagonal.

    Args:
        target: true values, floats of shape `(rows,)`.
        output: predicted values, floats of shape `(rows,)` or `(rows, 1)`. Rows that
            are not finite are skipped.
        name: of the values, such as `price in 1000 $`.
    """
    figure = style.blank(5.2, 5.4)
    _draw(figure.add_subplot(), target, output, name)
    style.fix_layout(figure)
    return figure


def values_against_true(target: Array, output: Array, names: Sequence[str]) -> Figure:
    """As `predicted_against_true`, with axes for each of the first 12 values of a row.

    Args:
        target, output: floats of shape `(rows, values)`.
        names: of the values.
    """
    shown = min(len(names), MAX_VALUES)
    columns = min(shown, COLUMNS)
    figure = style.blank(4.2 * columns, 4.4 * -(-shown // columns))
    for number, name in enumerate(names[:shown]):
        axes = figure.add_subplot(-(-shown // columns), columns, number + 1)
        _draw(axes, target[:, number], output[:, number], name)
    style.fix_layout(figure)
    return figure


def _draw(axes: Axes, target: Array, output: Array, name: str) -> None:
    rows = np.column_stack([np.ravel(target), np.ravel(output)]).astype(float)
    rows = rows[np.isfinite(rows).all(axis=1)]
    style.set_style(axes)
    style.name_axes(axes, f"true {name}", f"predicted {name}")
    error = f"{np.abs(rows[:, 1] - rows[:, 0]).mean():.4g}" if len(rows) else ""
    title = f"mean absolute error {error}, {len(rows):,} rows" if error else "no finite values"
    style.title(axes, title)
    low, high = (rows.min(), rows.max()) if len(rows) else (0.0, 1.0)
    margin = 0.04 * (high - low) or 1.0
    axes.set(xlim=(low - margin, high + margin), ylim=(low - margin, high + margin))
    axes.set_aspect("equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6, steps=style.ROUND))
    axes.axline((0, 0), slope=1, color=style.FAINT, linewidth=1.0, linestyle="--")
    axes.plot(
        rows[:, 0],
        rows[:, 1],
        linestyle="none",
        marker="o",
        markersize=5,
        markeredgewidth=0,
        color=style.TRAINING,
        # The more points, the fainter: dense regions look dark.
        alpha=float(np.clip(8 / np.sqrt(max(len(rows), 1)), 0.06, 0.75)),
    )
