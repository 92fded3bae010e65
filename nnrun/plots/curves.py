"""How a metric went, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nnrun.plots import style
from nnrun.types import Array, History

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
    style.name_axes(axes, "epoch", style.spaced(metric))
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


# How the folds of a cross-validation went: each of them, their mean, and the mean smoothed.

NAMED = 10
"""So many folds have a colour and a name of their own."""


def folds(
    histories: Mapping[int, History], mean: History, metric: str, *, best_epoch: int | None
) -> Figure:
    """Draws a metric of every fold, and its mean over them.

    Args:
        histories: by the number of the fold; each holds `metric`.
        mean: of these, perhaps shorter.
        metric: Keras's name, such as `val_mae`.
        best_epoch: of the mean, counted from 1; marked.
    """
    figure, axes = _blank(metric)
    series = {n: finite(each.epochs.get(metric, [])) for n, each in histories.items()}
    mean_series = finite(mean.epochs[metric])
    for place, (number, values) in enumerate(series.items()):
        _thin(axes, values, number, place, few=len(series) <= NAMED)
    axes.plot(
        np.arange(1, mean_series.size + 1),
        mean_series,
        label=f"mean of {len(series)} folds",
        color=style.INK,
        linewidth=1.8,
        zorder=3,
    )
    if best_epoch is not None:
        mark(axes, mean_series, best_epoch)
    count_epochs(axes, max(map(len, series.values()), default=0))
    _keep_in_view(axes, [*series.values(), mean_series])
    _finish(figure, axes)
    return figure


def smoothed(points: Sequence[float], metric: str, *, skip: int, best_epoch: int | None) -> Figure:
    """Draws a smoothed curve, whose first epochs are left out.

    Args:
        points: one per epoch from epoch `skip + 1` on.
        metric: Keras's name, such as `val_mae`.
        best_epoch: counted from 1, the skipped ones included; marked.
    """
    figure, axes = _blank(metric)
    # With a gap for what was left out, so that an epoch stands where it stands in the other plots.
    series = np.concatenate([np.full(skip, np.nan), finite(points)])
    axes.plot(
        np.arange(1, series.size + 1),
        series,
        label=f"mean over folds, smoothed, without the first {skip} epochs",
        color=style.VALIDATION,
        linewidth=1.8,
    )
    if best_epoch is not None:
        mark(axes, series, best_epoch)
    count_epochs(axes, series.size)
    _finish(figure, axes)
    return figure


def _blank(metric: str) -> tuple[Figure, Axes]:
    figure = style.blank(6.4, 4.2)
    axes = figure.add_subplot()
    style.dress(axes)
    name = style.spaced(metric.removeprefix("val_"))
    style.name_axes(axes, "epoch", f"validation {name}")
    return figure, axes


def _thin(axes: Axes, values: Array, number: int, place: int, *, few: bool) -> None:
    axes.plot(
        np.arange(1, values.size + 1),
        values,
        label=f"fold {number}" if few else "a fold each" if place == 0 else None,
        color=style.SEVERAL[place % len(style.SEVERAL)] if few else style.FAINT,
        linewidth=0.9 if few else 0.5,
        alpha=0.75 if few else 0.5,
    )


def _keep_in_view(axes: Axes, series: Sequence[Array]) -> None:
    """Cuts off the first epochs where they are so high that nothing else could be told apart."""
    values = np.concatenate([each[np.isfinite(each)] for each in series])
    if values.size < MANY:
        return
    low, high = float(values.min()), float(np.percentile(values, 99.5))
    if high > low and float(values.max()) - low > 3 * (high - low):
        axes.set_ylim(low - 0.05 * (high - low), high + 0.25 * (high - low))


def _finish(figure: Figure, axes: Axes) -> None:
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=4,
        frameon=False,
        fontsize=style.SMALL,
        labelcolor=style.INK,
        borderaxespad=0.2,
    )
    style.settle(figure)
