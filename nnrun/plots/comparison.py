"""The plot of `nnrun compare`: curves of several runs, and confidence intervals of a metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nnrun.plots import curves, style
from nnrun.types import History, Interval

MAX_RUNS = 20
"""Maximum number of runs in one plot."""


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
    _curves(left, series, metric)
    style.name_axes(left, "epoch", name)
    style.title(left, "validation solid, training thin")
    _intervals(right, series)
    style.name_axes(right, f"{rows} {name}", "")
    style.title(right, "95 % intervals")
    style.fix_layout(figure)
    return figure


def _curves(axes: Axes, series: Sequence[RunCurves], metric: str) -> None:
    style.set_style(axes)
    for index, run in enumerate(series):
        # Colors repeat, with another line style.
        line_style = ("-", "--", ":")[index // len(style.COLORS) % 3]
        for name, width, alpha in ((metric, 0.8, 0.7), (f"val_{metric}", 1.8, 1.0)):
            values = curves.finite(run.history.epochs.get(name, []))
            [line] = axes.plot(np.arange(1, values.size + 1), values, line_style)
            line.set(color=_color(index), linewidth=width, alpha=alpha)
    curves.set_epochs(axes, max((len(run.history) for run in series), default=0))


def _intervals(axes: Axes, series: Sequence[RunCurves]) -> None:
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
