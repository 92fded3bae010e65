"""How sure the metric of each entry is by itself."""

from __future__ import annotations

from dataclasses import dataclass

from nnrun.compare import scores, statistics
from nnrun.compare.entries import Entry


@dataclass(frozen=True)
class Interval:
    """A metric with the ends of its 95 % interval; None where there is none."""

    mean: float
    low: float | None
    high: float | None


def interval(entry: Entry, metric: str) -> Interval | None:
    """Over seeds, over folds, or over the test rows of one model by a bootstrap.

    Returns:
        None where the entry has no such metric.

    Raises:
        RunError: predictions cannot be read.
    """
    spread = entry.spread(entry.first.judged, metric)
    mean = spread["mean"]
    if mean is None:
        return None
    if "low" in spread:
        return Interval(mean, spread["low"], spread["high"])
    found = scores.of_run(entry.first, metric)
    if found is None or not found.exact:
        return Interval(mean, None, None)
    low, high = statistics.of_mean(found.values)
    return Interval(mean, low, high)
