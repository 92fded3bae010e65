"""Runs beside each other: their curves in one picture, and how sure the metric of each is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nnrun.plots import curves, style
from nnrun.types import History

COMPARED = 20
"""So many runs can be told apart in one picture."""


class Ends(Protocol):
    """A metric with the ends of its interval, None where there is none."""

    @property
    def mean(self) -> float:
        """The metric."""

    @property
    def low(self) -> float | None:
        """Lower end."""

    @property
    def high(self) -> float | None:
        """Upper end."""


@dataclass(frozen=True)
class Compared:
    """One run, or one experiment with several seeds.

    Args:
        label: what it is called.
        history: its curves.
        interval: of the metric by which it is judged; None where it has none.
    """

    label: str
    history: History
    interval: Ends | None


def comparison(series: Sequence[Compared], metric: str, *, rows: str) -> Figure:
    """Draws the curves of a metric, validation solid and training thin, and its intervals.

    Args:
        series: from the top, at most `COMPARED`.
        metric: Keras's name, such as `accuracy`.
        rows: of the intervals, such as `test`.
    """
    height = max(4.2, 1.4 + 0.32 * len(series))
    figure = style.blank(10.5, height)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    name = style.spaced(metric)
    _curves(left, series, metric)
    style.name_axes(left, "epoch", name)
    style.title(left, "validation solid, training thin")
    _dots(right, series)
    style.name_axes(right, f"{rows} {name}", "")
    style.title(right, "95 % intervals")
    style.settle(figure)
    return figure


def _curves(axes: Axes, series: Sequence[Compared], metric: str) -> None:
    style.dress(axes)
    for place, each in enumerate(series):
        for name, width, alpha in ((metric, 0.8, 0.7), (f"val_{metric}", 1.8, 1.0)):
            values = curves.finite(each.history.epochs.get(name, []))
            axes.plot(
                np.arange(1, values.size + 1),
                values,
                color=_colour(place),
                linestyle=_dashes(place),
                linewidth=width,
                alpha=alpha,
            )
    curves.count_epochs(axes, max((len(each.history) for each in series), default=0))


def _dots(axes: Axes, series: Sequence[Compared]) -> None:
    style.dress(axes)
    for place, each in enumerate(series):
        if each.interval is None:
            continue
        low, high = each.interval.low, each.interval.high
        if low is not None and high is not None:
            axes.plot([low, high], [place, place], color=_colour(place), linewidth=2)
        axes.plot(each.interval.mean, place, "o", color=_colour(place), markersize=7)
    labels = [style.shortened(each.label) for each in series]
    axes.set_yticks(range(len(series)), labels, parse_math=False)
    axes.set_ylim(len(series) - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=list(style.ROUND)))


def _colour(place: int) -> str:
    return style.SEVERAL[place % len(style.SEVERAL)]


def _dashes(place: int) -> str:
    """Colours come again after a while, and then with another line."""
    return ("-", "--", ":")[place // len(style.SEVERAL) % 3]
