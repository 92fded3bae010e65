"""How a metric went, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nnrun.history import History
from nnrun.plots import style, wording
from nnrun.records import Array

FEW, MANY = 20, 200
"""A few epochs are points on the line; the line of many is thin."""


def curve(history: History, metric: str, *, best_epoch: int | None) -> Figure:
    """Draws a metric over the epochs, with its validation where there is one.

    Args:
        history: holds `metric`, and maybe `val_<metric>`. Values that are not finite leave a gap.
        metric: Keras's name, such as `binary_accuracy`.
        best_epoch: counted from 1; its value, in validation where there is one, is marked.
    """
    training = finite(history.epochs[metric])
    validation = finite(history.epochs.get(f"val_{metric}", []))
    figure = style.blank(6.4, 4.2)
    axes = figure.add_subplot()
    style.dress(axes)
    style.name_axes(axes, "epoch", wording.spaced(metric))
    _line(axes, training, label="training", color=style.TRAINING, marker="o")
    if validation.size:
        _line(axes, validation, label="validation", color=style.VALIDATION, marker="s")
    if best_epoch is not None:
        mark(axes, validation if validation.size else training, best_epoch)
    count_epochs(axes, max(training.size, validation.size))
    if not np.isfinite([*training, *validation]).any():
        _say_empty(axes)
    # Above the axes, where it cannot cover the data.
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=3,
        frameon=False,
        fontsize=style.NORMAL,
        labelcolor=style.INK,
        borderaxespad=0.2,
    )
    style.settle(figure)
    return figure


def finite(values: Sequence[float]) -> Array:
    """The values, with NaN for each that is not finite; floats of shape `(epochs,)`."""
    series = np.asarray(values, dtype=float)
    return np.where(np.isfinite(series), series, np.nan)


def _line(axes: Axes, series: Array, *, label: str, color: str, marker: str) -> None:
    points = _points(series)
    axes.plot(
        np.arange(1, series.size + 1),
        series,
        label=label,
        color=color,
        linewidth=1.6 if series.size <= MANY else 1.1,
        linestyle="-",
        marker=marker if points else "",
        markersize=4,
        markevery=points,
    )


def _points(series: Array) -> list[int]:
    """Which epochs get a marker: all of a few; else those that no line would show."""
    if series.size <= FEW:
        return list(range(series.size))
    gap = np.isnan(np.pad(series, 1, constant_values=np.nan))
    alone = ~gap[1:-1] & gap[:-2] & gap[2:]
    return [int(epoch) for epoch in np.flatnonzero(alone)]


def mark(axes: Axes, series: Array, epoch: int) -> None:
    """Marks an epoch, counted from 1, and says its value."""
    value = series[epoch - 1] if 1 <= epoch <= series.size else np.nan
    reads = f": {value:.4g}" if np.isfinite(value) else ""
    axes.axvline(epoch, color=style.FAINT, linewidth=0.9, linestyle=":", zorder=1)
    axes.plot(
        [epoch],
        [value],
        label=f"best epoch {epoch}{reads}",
        linestyle="none",
        marker="o",
        markersize=9,
        markerfacecolor="none",
        markeredgecolor=style.INK,
        markeredgewidth=1.2,
        zorder=4,
    )


def count_epochs(axes: Axes, epochs: int) -> None:
    """Lets the axis count so many epochs, in whole numbers."""
    # The margin stays under 1, so that no tick stands at an epoch 0.
    margin = min(0.03 * (epochs - 1), 0.5) or 0.5
    axes.set_xlim(1 - margin, max(epochs, 1) + max(margin, 0.02 * epochs))
    axes.xaxis.set_major_locator(
        MaxNLocator(nbins=8, steps=style.ROUND, integer=True, min_n_ticks=1)
    )
    axes.ticklabel_format(axis="y", useOffset=False)


def _say_empty(axes: Axes) -> None:
    axes.set_yticks([])
    axes.text(
        0.5,
        0.5,
        "no finite values",
        transform=axes.transAxes,
        ha="center",
        va="center",
        color=style.FAINT,
        fontsize=style.LARGE,
    )
