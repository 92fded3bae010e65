"""Statistics over folds: mean curves, smoothed curves, standard deviation and interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from nnrun.spec.validation import Smooth
from nnrun.types import Fold, History

CONFIDENCE = 0.95
DDOF = 1
UNBOUNDED = (-math.inf, math.inf)


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

    The first `skip` epochs are left out.

    Example:
        >>> smoothed([9.0, 2.0, 4.0], Smooth(factor=0.5, skip=1))
        [2.0, 3.0]
    """
    used = list(values[rule.skip :])
    points = used[:1]
    for value in used[1:]:
        points.append(points[-1] * rule.factor + value * (1 - rule.factor))
    return points


def spread(
    values: Sequence[float | None], folds: Sequence[Fold], bounds: tuple[float, float] = UNBOUNDED
) -> dict[str, object]:
    """Mean, standard deviation and interval of a metric over folds.

    Folds share most of their training rows, so their values vary less than those of independent
    experiments would. The interval therefore widens the variance of the mean as Nadeau and Bengio
    do: s² (1/k + validation rows / training rows), with Student's t on k - 1 degrees of freedom.
    (C. Nadeau, Y. Bengio: Inference for the Generalization Error. Machine Learning 52, 2003.)

    Args:
        values: one per fold; None if a fold has none.
        folds: in the same order.
        bounds: the lowest and highest possible value, at which the interval ends.

    Returns:
        `mean`, `std` (divided by k - 1), `low` and `high` of the interval, None if fewer than two
        folds have a value; and the values themselves as `folds`.
    """
    pairs = [(value, fold) for value, fold in zip(values, folds, strict=True) if value is not None]
    ratios = [len(fold.validation) / len(fold.train) for _, fold in pairs]
    numbers = [value for value, _ in pairs]
    return {**_spread(numbers, ratios, bounds), "folds": list(values)}


def over_seeds(
    values: Sequence[float], bounds: tuple[float, float] = UNBOUNDED
) -> dict[str, object]:
    """As `spread`, for experiments with different seeds, which are independent."""
    return {**_spread(values, [0.0] * len(values), bounds), "seeds": list(values)}


def _spread(
    values: Sequence[float], ratios: Sequence[float], bounds: tuple[float, float]
) -> dict[str, float | None]:
    if len(values) < 2:
        mean = float(values[0]) if values else None
        return {"mean": mean, "std": None, "low": None, "high": None}
    # scipy's distributions take half a second to load; this function takes none.
    from scipy.special import stdtrit  # noqa: PLC0415

    average, std = float(np.mean(values)), float(np.std(values, ddof=DDOF))
    quantile = float(stdtrit(len(values) - 1, (1 + CONFIDENCE) / 2))
    half = quantile * std * math.sqrt(1 / len(values) + float(np.mean(ratios)))
    low, high = max(bounds[0], average - half), min(bounds[1], average + half)
    return {"mean": average, "std": std, "low": low, "high": high}


def spreads(
    metrics: Sequence[Mapping[str, float | None]],
    folds: Sequence[Fold],
    bounds: Mapping[str, tuple[float, float]],
) -> dict[str, dict[str, object]]:
    """`spread` of each metric; `metrics` has one mapping per fold, empty if a fold has none."""
    names = dict.fromkeys(name for values in metrics for name in values)
    return {
        name: spread([values.get(name) for values in metrics], folds, bounds.get(name, UNBOUNDED))
        for name in names
    }
