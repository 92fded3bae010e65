"""Plots of a metric over the epochs: of one run, of the folds of a cross-validation, of several runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nnrun.plots import style
from nnrun.types import Array, History, Interval

FEW, MANY = 20, 200
"""Up to `FEW` epochs get markers; beyond `MANY` the line is thin."""
NAMED_FOLDS = 10
"""Up to this many folds have a color and a legend entry each."""
MAX_RUNS = 20
"""Maximum number of runs in one plot."""


def curve(history: History, metric: str, *, best_epoch: int | None) -> Figure:
    """Draws a metric over the epochs, with its validation curve if there is one.

    Args:
        history: holds `metric`, and maybe `val_<metric>`. Values that are not finite leave a gap.
        metric: Keras's name, such as `binary_accuracy`.
        best_epoch: counted from 1; marked on the validation curve, else on the training curve.
    """
    training = _finite(history.epochs[metric])
    validation = _finite(history.epochs.get(f"val_{metric}", []))
    figure, axes = _axes(metric.replace("_", " "))
    _line(axes, training, label="training", color=style.TRAINING, marker="o")
    if validation.size:
        _line(axes, validation, label="validation", color=style.VALIDATION, marker="s")
    _mark_best(axes, validation if validation.size else training, best_epoch)
    _set_epochs(axes, max(training.size, validation.size))
    if not np.isfinite([*training, *validation]).any():
        axes.set_yticks([])
        text = axes.text(0.5, 0.5, "no finite values", transform=axes.transAxes)
        text.set(ha="center", va="center", color=style.FAINT, fontsize=style.LARGE)
    return _with_legend(figure, axes, columns=3, size=style.NORMAL)


def folds(
    histories: Mapping[int, History], mean: History, metric: str, *, best_epoch: int | None
) -> Figure:
    """Draws a metric of every fold, and its mean over them.

    Args:
        histories: by fold number; each holds `metric`.
        mean: over the folds, maybe shorter.
        best_epoch: of the mean, counted from 1; marked.
    """
    figure, axes = _axes(_validation_label(metric))
    series = [_finite(history.epochs.get(metric, [])) for history in histories.values()]
    mean_series = _finite(mean.epochs[metric])
    for index, (number, values) in enumerate(zip(histories, series, strict=True)):
        if len(series) <= NAMED_FOLDS:
            color = style.COLORS[index % len(style.COLORS)]
            label, width, alpha = f"fold {number}", 0.9, 0.75
        else:
            color, width, alpha = style.FAINT, 0.5, 0.5
            label = "_" if index else "single folds"
        axes.plot(_epochs(values), values, label=label, color=color, linewidth=width, alpha=alpha)
    label = f"mean of {len(series)} folds"
    axes.plot(
        _epochs(mean_series), mean_series, label=label, color=style.INK, linewidth=1.8, zorder=3
    )
    _mark_best(axes, mean_series, best_epoch)
    _set_epochs(axes, max(map(len, series), default=0))
    _clip_first_epochs(axes, [*series, mean_series])
    return _with_legend(figure, axes, columns=4, size=style.SMALL)


def smoothed(points: Sequence[float], metric: str, *, skip: int, best_epoch: int | None) -> Figure:
    """Draws a smoothed curve without its first epochs.

    Args:
        points: one per epoch from epoch `skip + 1` on.
        skip: number of epochs at the beginning without a point.
        best_epoch: counted from 1, skipped epochs included; marked.
    """
    figure, axes = _axes(_validation_label(metric))
    # The gap keeps each epoch at the same position as in the other plots.
    series = np.concatenate([np.full(skip, np.nan), _finite(points)])
    label = f"mean over folds, smoothed, without the first {skip} epochs"
    axes.plot(_epochs(series), series, label=label, color=style.VALIDATION, linewidth=1.8)
    _mark_best(axes, series, best_epoch)
    _set_epochs(axes, series.size)
    return _with_legend(figure, axes, columns=4, size=style.SMALL)


@dataclass(frozen=True)
class RunCurves:
    """Label, curves and interval of one run, or of one experiment with several seeds."""

    label: str
    history: History
    interval: Interval | None


def comparison(series: Sequence[RunCurves], metric: str, *, rows: str) -> Figure:
    """Draws the curves of a metric, validation solid and training thin, and its intervals.

    Args:
        series: at most `MAX_RUNS`, in the order of the legend.
        rows: the rows behind the intervals, such as `test`.
    """
    figure = style.blank(10.5, max(4.2, 1.4 + 0.32 * len(series)))
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    name = metric.replace("_", " ")
    _draw_curves(left, series, metric)
    style.name_axes(left, "epoch", name)
    style.title(left, "validation solid, training thin")
    _draw_intervals(right, series)
    style.name_axes(right, f"{rows} {name}", "")
    style.title(right, "95 % intervals")
    style.fix_layout(figure)
    return figure


def _finite(values: Sequence[float]) -> Array:
    """Replaces values that are not finite by NaN; floats of shape `(epochs,)`."""
    series = np.asarray(values, dtype=float)
    return np.where(np.isfinite(series), series, np.nan)


def _set_epochs(axes: Axes, epochs: int) -> None:
    """Limits the x axis to the epochs, with whole numbers as ticks."""
    # The margin stays under 1, so that there is no tick at epoch 0.
    margin = min(0.03 * (epochs - 1), 0.5) or 0.5
    axes.set_xlim(1 - margin, max(epochs, 1) + max(margin, 0.02 * epochs))
    axes.xaxis.set_major_locator(
        MaxNLocator(nbins=8, steps=style.ROUND, integer=True, min_n_ticks=1)
    )
    axes.ticklabel_format(axis="y", useOffset=False)


def _axes(y: str) -> tuple[Figure, Axes]:
    figure = style.blank(6.4, 4.2)
    axes = figure.add_subplot()
    style.set_style(axes)
    style.name_axes(axes, "epoch", y)
    return figure, axes


def _validation_label(metric: str) -> str:
    return f"validation {metric.removeprefix('val_').replace('_', ' ')}"


def _epochs(series: Array) -> Array:
    return np.arange(1, series.size + 1)


def _line(axes: Axes, series: Array, *, label: str, color: str, marker: str) -> None:
    if series.size <= FEW:
        markers = list(range(series.size))
    else:
        # Without a marker, an epoch between two gaps would be invisible.
        gap = np.isnan(np.pad(series, 1, constant_values=np.nan))
        markers = np.flatnonzero(~gap[1:-1] & gap[:-2] & gap[2:]).tolist()
    [line] = axes.plot(_epochs(series), series, label=label, color=color, linestyle="-")
    line.set(linewidth=1.6 if series.size <= MANY else 1.1, markersize=4, markevery=markers)
    line.set_marker(marker if markers else "")


def _mark_best(axes: Axes, series: Array, epoch: int | None) -> None:
    """Marks an epoch, counted from 1, and writes its value into the legend."""
    if epoch is None:
        return
    value = series[epoch - 1] if 1 <= epoch <= series.size else np.nan
    text = f": {value:.4g}" if np.isfinite(value) else ""
    axes.axvline(epoch, color=style.FAINT, linewidth=0.9, linestyle=":", zorder=1)
    axes.plot(
        [epoch],
        [value],
        label=f"best epoch {epoch}{text}",
        linestyle="none",
        marker="o",
        markersize=9,
        markerfacecolor="none",
        markeredgecolor=style.INK,
        markeredgewidth=1.2,
        zorder=4,
    )


def _clip_first_epochs(axes: Axes, series: Sequence[Array]) -> None:
    """Cuts off very high values of the first epochs, which would flatten all others."""
    values = np.concatenate([curve[np.isfinite(curve)] for curve in series])
    if values.size < MANY:
        return
    low, high = float(values.min()), float(np.percentile(values, 99.5))
    if high > low and float(values.max()) - low > 3 * (high - low):
        axes.set_ylim(low - 0.05 * (high - low), high + 0.25 * (high - low))


def _with_legend(figure: Figure, axes: Axes, *, columns: int, size: float) -> Figure:
    # The legend stands above the axes, where it cannot cover the data.
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=columns,
        frameon=False,
        fontsize=size,
        labelcolor=style.INK,
        borderaxespad=0.2,
    )
    style.fix_layout(figure)
    return figure


def _draw_curves(axes: Axes, series: Sequence[RunCurves], metric: str) -> None:
    style.set_style(axes)
    for index, run in enumerate(series):
        # Colors repeat, with another line style.
        line_style = ("-", "--", ":")[index // len(style.COLORS) % 3]
        for name, width, alpha in ((metric, 0.8, 0.7), (f"val_{metric}", 1.8, 1.0)):
            values = _finite(run.history.epochs.get(name, []))
            [line] = axes.plot(np.arange(1, values.size + 1), values, line_style)
            line.set(color=_color(index), linewidth=width, alpha=alpha)
    _set_epochs(axes, max((len(run.history) for run in series), default=0))


def _draw_intervals(axes: Axes, series: Sequence[RunCurves]) -> None:
    style.set_style(axes)
    for index, run in enumerate(series):
        if run.interval is None:
            continue
        low, high = run.interval.low, run.interval.high
        if low is not None and high is not None:
            axes.plot([low, high], [index, index], color=_color(index), linewidth=2)
        axes.plot(run.interval.mean, index, "o", color=_color(index), markersize=7)
    labels = [style.shorten(run.label) for run in series]
    axes.set_yticks(range(len(series)), labels, parse_math=False)
    axes.set_ylim(len(series) - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=list(style.ROUND)))


def _color(index: int) -> str:
    return style.COLORS[index % len(style.COLORS)]
