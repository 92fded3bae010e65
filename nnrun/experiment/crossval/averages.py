"""Statistics over folds: mean curves, smoothed curves, standard deviation and interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnrun.spec.validation import Smooth
from nnrun.types import Fold, History

CONFIDENCE = 0.95
DDOF = 1


def mean_curve(histories: Sequence[History]) -> History:
    """The mean over folds, per metric and epoch, for the epochs that every fold has.

    With later epochs the curve would jump where a fold stopped early.
    """
    epochs = min(map(len, histories), default=0)
    names = histories[0].epochs if histories else {}
    return History(
        {
            name: np.mean([h.epochs[name][:epochs] for h in histories], axis=0).tolist()
            for name in names
            if all(name in h.epochs for h in histories)
        }
    )


def smoothed(values: Sequence[float], rule: Smooth) -> list[float]:
    """An exponential moving average: s₁ = p₁, sᵢ = factor · sᵢ₋₁ + (1 - factor) · pᵢ.

    Args:
        values: one per epoch.
        rule: the first `skip` epochs are left out.

    Returns:
        One value per epoch from epoch `skip + 1` on.

    Example:
        >>> smoothed([9.0, 2.0, 4.0], Smooth(factor=0.5, skip=1))
        [2.0, 3.0]
    """
    used = list(values[rule.skip :])
    points = used[:1]
    for value in used[1:]:
        points.append(points[-1] * rule.factor + value * (1 - rule.factor))
    return points


def spread(values: Sequence[float | None], folds: Sequence[Fold]) -> dict[str, Any]:
    """Mean, standard deviation and interval of a metric over folds.

    Folds share most of their training rows, so their values vary less than those of independent
    experiments would. The interval therefore widens the variance of the mean as Nadeau and Bengio
    do: s² (1/k + validation rows / training rows), with Student's t on k - 1 degrees of freedom.
    (C. Nadeau, Y. Bengio: Inference for the Generalization Error. Machine Learning 52, 2003.)

    Args:
        values: one per fold; None if a fold has none.
        folds: in the same order.

    Returns:
        `mean`, `std` (divided by k - 1), `low` and `high` of the interval, None if fewer than two
        folds have a value; and the values themselves as `folds`.
    """
    there = [(value, fold) for value, fold in zip(values, folds, strict=True) if value is not None]
    ratios = [len(fold.validation) / len(fold.train) for _, fold in there]
    return {**_spread([value for value, _ in there], ratios), "folds": list(values)}


def over_seeds(values: Sequence[float]) -> dict[str, Any]:
    """As `spread`, for experiments with different seeds, which are independent."""
    return {**_spread(values, [0.0] * len(values)), "seeds": list(values)}


def _spread(values: Sequence[float], ratios: Sequence[float]) -> dict[str, float | None]:
    mean = float(np.mean(values)) if values else None
    if mean is None or len(values) < 2:
        return {"mean": mean, "std": None, "low": None, "high": None}
    std = float(np.std(values, ddof=DDOF))
    half = _t(len(values) - 1) * std * math.sqrt(1 / len(values) + float(np.mean(ratios)))
    return {"mean": mean, "std": std, "low": mean - half, "high": mean + half}


def _t(freedom: int) -> float:
    """The quantile of Student's t for the interval."""
    # scipy's distributions take half a second to load; this function takes none.
    from scipy.special import stdtrit  # noqa: PLC0415

    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))


def spreads(
    metrics: Sequence[Mapping[str, float | None] | None], folds: Sequence[Fold]
) -> dict[str, dict[str, Any]]:
    """`spread` of each metric.

    Args:
        metrics: one mapping per fold; None if a fold has none.
        folds: in the same order.
    """
    names = dict.fromkeys(name for each in metrics if each for name in each)
    return {
        name: spread([each.get(name) if each else None for each in metrics], folds)
        for name in names
    }
