"""The plot of predicted against true values of a regression."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nnrun.plots import style
from nnrun.types import Array


def predicted_against_true(target: Array, output: Array, *, name: str) -> Figure:
    """Draws each row as a point; correct predictions are on the diagonal.

    Args:
        target: true values, floats of shape `(rows,)`.
        output: predicted values, floats of shape `(rows,)` or `(rows, 1)`. Rows that
            are not finite are skipped.
        name: of the values, such as `price in 1000 $`.
    """
    rows = np.column_stack([np.ravel(target), np.ravel(output)]).astype(float)
    rows = rows[np.isfinite(rows).all(axis=1)]
    figure = style.blank(5.2, 5.4)
    axes = figure.add_subplot()
    style.dress(axes)
    style.name_axes(axes, f"true {name}", f"predicted {name}")
    style.title(axes, _summary(rows))
    _square(axes, rows)
    axes.axline((0, 0), slope=1, color=style.FAINT, linewidth=1.0, linestyle="--")
    axes.plot(
        rows[:, 0],
        rows[:, 1],
        linestyle="none",
        marker="o",
        markersize=5,
        markeredgewidth=0,
        color=style.TRAINING,
        alpha=_alpha(len(rows)),
    )
    style.fix_layout(figure)
    return figure


def _summary(rows: Array) -> str:
    if not len(rows):
        return "no finite values"
    error = np.abs(rows[:, 1] - rows[:, 0]).mean()
    return f"mean absolute error {error:.4g}, {len(rows):,} rows"


def _alpha(points: int) -> float:
    """The more points, the fainter: dense regions look dark."""
    return float(np.clip(8 / np.sqrt(max(points, 1)), 0.06, 0.75))


def _square(axes: Axes, rows: Array) -> None:
    """Sets the same limits and ticks on both axes."""
    low, high = (rows.min(), rows.max()) if len(rows) else (0.0, 1.0)
    margin = 0.04 * (high - low) or 1.0
    axes.set(xlim=(low - margin, high + margin), ylim=(low - margin, high + margin))
    axes.set_aspect("equal")
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=style.ROUND))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=style.ROUND))
