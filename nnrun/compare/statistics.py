"""Whether a difference is more than chance. Pure functions; scipy computes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from nnrun.records import Array

CONFIDENCE = 0.95
ALPHA = 1 - CONFIDENCE
# Enough for the second digit of an interval; 25,000 rows take less than a second.
RESAMPLES = 1999


@dataclass(frozen=True)
class Estimate:
    """A difference between two, with what is known of it.

    Args:
        effect: first minus second, in the metric's unit.
        low, high: ends of the 95 % interval of the effect.
        p: how likely an effect so large would be if there were none.
        test: what computed `p`.
    """

    effect: float
    low: float
    high: float
    p: float
    test: str

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of no difference."""
        return self.low > 0 or self.high < 0


def of_rows(first: Array, second: Array) -> Estimate:
    """The difference of two models on the same rows.

    The interval is the percentile interval of a paired bootstrap over rows (B. Efron, R. Tibshirani:
    An Introduction to the Bootstrap, 1993, chapter 13). The test is McNemar's where a row is right
    or wrong, else a permutation test that swaps the two models row by row.

    Args:
        first, second: the score of each row, floats of shape `(rows,)`; their means are compared.
    """
    effect = float(np.mean(first) - np.mean(second))
    if np.array_equal(first, second):
        return Estimate(0.0, 0.0, 0.0, 1.0, "no row differs")
    low, high = of_mean(first - second)
    if set(np.unique([first, second])) <= {0.0, 1.0}:
        return Estimate(effect, low, high, mcnemar(first > 0, second > 0), "McNemar")
    return Estimate(effect, low, high, _swapping(first, second), "paired permutation")


def of_mean(values: Array) -> tuple[float, float]:
    """The percentile interval of a mean, by a bootstrap over rows; `values` is `(rows,)`."""
    found = stats.bootstrap(
        (values,),
        np.mean,
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        method="percentile",
        # So many numbers at once, whatever the number of rows.
        batch=max(1, 10_000_000 // len(values)),
        rng=np.random.default_rng(0),
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def _swapping(first: Array, second: Array) -> float:
    def difference(one: Array, other: Array, axis: int) -> Array:
        return np.asarray(np.mean(one - other, axis=axis))

    found = stats.permutation_test(
        (first, second),
        difference,
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=max(1, 10_000_000 // len(first)),
        rng=np.random.default_rng(0),
    )
    return float(found.pvalue)


def mcnemar(first: Array, second: Array) -> float:
    """McNemar's test, exact: of the rows that one alone has right, each has about half.

    (Q. McNemar: Note on the sampling error of the difference between correlated proportions or
    percentages. Psychometrika 12, 1947.)

    Args:
        first, second: whether each row is right, booleans of shape `(rows,)`.

    Returns:
        p, of both sides.

    Example:
        >>> mcnemar(np.array([True] * 6), np.array([False] * 6))
        0.03125
    """
    only_first, only_second = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    if only_first + only_second == 0:
        return 1.0
    return float(stats.binomtest(only_first, only_first + only_second).pvalue)


def of_folds(first: Sequence[float], second: Sequence[float], *, ratio: float) -> Estimate:
    """The difference over the same folds: the corrected resampled t-test.

    Folds share training rows, so that their differences vary too little for an ordinary t-test;
    the variance of the mean is taken as s² (1/k + validation rows / training rows). (C. Nadeau,
    Y. Bengio: Inference for the Generalization Error. Machine Learning 52, 2003.)

    Args:
        first, second: the metric of each fold, in the same order; at least two.
        ratio: validation rows to training rows of a fold.
    """
    differences = np.subtract(first, second)
    folds = len(differences)
    error = float(np.std(differences, ddof=1)) * math.sqrt(1 / folds + ratio)
    effect, test = float(np.mean(differences)), "corrected resampled t-test"
    if error == 0:
        return _certain(effect, test)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, folds - 1)) * error
    p = float(2 * stats.t.sf(abs(effect) / error, folds - 1))
    return Estimate(effect, effect - half, effect + half, p, test)


def of_seeds(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """The difference of two experiments repeated with several seeds: Welch's t-test.

    (B. L. Welch: The generalization of 'Student's' problem when several different population
    variances are involved. Biometrika 34, 1947.)

    Args:
        first, second: the metric of each seed; at least two each.
    """
    effect = float(np.mean(first) - np.mean(second))
    test = "Welch's t-test over seeds"
    if np.ptp(first) == 0 and np.ptp(second) == 0:
        return _certain(effect, test)
    found = stats.ttest_ind(first, second, equal_var=False)
    ends = found.confidence_interval(CONFIDENCE)
    return Estimate(effect, float(ends.low), float(ends.high), float(found.pvalue), test)


def _certain(effect: float, test: str) -> Estimate:
    """Where nothing varies, a difference is one or is none."""
    return Estimate(effect, effect, effect, 0.0 if effect else 1.0, test)


def holm(values: Sequence[float]) -> list[float]:
    """p-values of several comparisons, adjusted so that one false alarm among all is rare.

    (S. Holm: A simple sequentially rejective multiple test procedure. Scandinavian Journal of
    Statistics 6, 1979.)

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    adjusted, highest = [0.0] * len(values), 0.0
    for rank, place in enumerate(np.argsort(values, kind="stable")):
        highest = max(highest, min(1.0, (len(values) - rank) * values[place]))
        adjusted[place] = highest
    return adjusted
