"""How the folds of a cross-validation went: each of them, their mean, and the mean smoothed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nnrun.history import History
from nnrun.plots import curves, style, wording
from nnrun.records import Array

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
    series = {n: curves.finite(each.epochs.get(metric, [])) for n, each in histories.items()}
    mean_series = curves.finite(mean.epochs[metric])
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
        curves.mark(axes, mean_series, best_epoch)
    curves.count_epochs(axes, max(map(len, series.values()), default=0))
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
    series = np.concatenate([np.full(skip, np.nan), curves.finite(points)])
    axes.plot(
        np.arange(1, series.size + 1),
        series,
        label=f"mean over folds, smoothed, without the first {skip} epochs",
        color=style.VALIDATION,
        linewidth=1.8,
    )
    if best_epoch is not None:
        curves.mark(axes, series, best_epoch)
    curves.count_epochs(axes, series.size)
    _finish(figure, axes)
    return figure


def _blank(metric: str) -> tuple[Figure, Axes]:
    figure = style.blank(6.4, 4.2)
    axes = figure.add_subplot()
    style.dress(axes)
    name = wording.spaced(metric.removeprefix("val_"))
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
    if values.size < curves.MANY:
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
