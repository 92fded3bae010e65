"""Tests whether differences are significant, and computes their intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from nnrun.analysis.compare.entries import Entry
from nnrun.analysis.compare.facts import Facts
from nnrun.data.labels import predicted_classes, predicted_labels
from nnrun.errors import RunError
from nnrun.experiment.crossval.averages import CONFIDENCE
from nnrun.runs import layout
from nnrun.spec import labels
from nnrun.types import Array, Interval

LEVEL = 0.05
# A test over rows ignores the variance between trainings. If that is as large as the variance
# between rows, a difference must be √2 times as large: 2.77 standard errors instead of 1.96, or p
# of 0.0056.
LEVEL_OF_ROWS = 0.005
# Enough for two digits of an interval; 25,000 rows take less than a second.
RESAMPLES = 1999


@dataclass(frozen=True)
class Estimate:
    """An estimated difference.

    Args:
        effect: first minus second, in the unit of the metric.
        low, high: the 95 % interval of the effect.
    """

    effect: float
    low: float
    high: float
    p: float
    test: str
    level: float = LEVEL


def of_rows(first: Array, second: Array) -> Estimate | None:
    """The difference of two models on the same rows.

    The interval is the percentile interval of a paired bootstrap over rows (B. Efron, R. Tibshirani:
    An Introduction to the Bootstrap, 1993, chapter 13). The test is McNemar's where a row is right
    or wrong, else Student's paired t-test over rows.

    Args:
        first, second: the score of each row, floats of shape `(rows,)`; their means are compared.

    Returns:
        None if all rows differ by the same, or a score is not a number, so that no test applies.
    """
    if np.array_equal(first, second):
        return Estimate(0.0, 0.0, 0.0, 1.0, "no row differs", LEVEL_OF_ROWS)
    differences, rows = first - second, len(first)
    if rows < 2 or not np.isfinite(differences).all():
        return None
    effect = float(np.mean(differences))
    error = float(np.std(differences, ddof=1)) / math.sqrt(rows)
    estimate = _by_t(effect, error, rows - 1, "paired t-test over rows")
    if set(np.unique([first, second])) <= {0.0, 1.0}:
        p = mcnemar(first > 0, second > 0)
        estimate = Estimate(effect, effect, effect, p, "McNemar")
    low, high = of_mean(differences)
    return estimate and replace(estimate, low=low, high=high, level=LEVEL_OF_ROWS)


def of_mean(values: Array) -> tuple[float, float]:
    """The percentile interval of a mean, by a bootstrap over rows; `values` is `(rows,)`.

    The result of `scipy.stats.bootstrap`, whose module takes half a second to load.
    """
    rng, rows = np.random.default_rng(0), len(values)
    # Limits the memory.
    batch = max(1, 10_000_000 // rows)
    means = [
        values[rng.integers(0, rows, (min(batch, RESAMPLES - done), rows))].mean(axis=-1)
        for done in range(0, RESAMPLES, batch)
    ]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.percentile(np.concatenate(means), [100 * tail, 100 * (1 - tail)])
    return float(low), float(high)


def mcnemar(first: Array, second: Array) -> float:
    """McNemar's exact test: of the rows that only one has right, each should have half.

    (Q. McNemar: Note on the sampling error of the difference between correlated proportions or
    percentages. Psychometrika 12, 1947.)

    Args:
        first, second: whether each row is right, booleans of shape `(rows,)`.

    Returns:
        The two-sided p-value.

    Example:
        >>> mcnemar(np.array([True] * 6), np.array([False] * 6))
        0.03125
    """
    only_first, only_second = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    if only_first + only_second == 0:
        return 1.0
    rarer = min(only_first, only_second)
    return min(1.0, 2 * float(special.bdtr(rarer, only_first + only_second, 0.5)))


def of_folds(first: Sequence[float], second: Sequence[float], *, ratio: float) -> Estimate | None:
    """The difference over the same folds: the corrected resampled t-test.

    Folds share training rows, so that their differences vary too little for an ordinary t-test;
    the variance of the mean is taken as s² (1/k + validation rows / training rows). (C. Nadeau,
    Y. Bengio: Inference for the Generalization Error. Machine Learning 52, 2003.)

    Args:
        first, second: the metric of each fold, in the same order; at least two.
        ratio: validation rows to training rows of a fold.

    Returns:
        None if all folds differ by the same, so that no test applies.
    """
    differences = np.subtract(first, second)
    folds = len(differences)
    error = float(np.std(differences, ddof=1)) * math.sqrt(1 / folds + ratio)
    effect = float(np.mean(differences))
    return _by_t(effect, error, folds - 1, "corrected resampled t-test")


def of_seeds(first: Sequence[float], second: Sequence[float]) -> Estimate | None:
    """The difference of two experiments, at least one of which has several seeds.

    If both have, it is Welch's t-test over the seeds. (B. L. Welch: The generalization
    of 'Student's' problem when several different population variances are involved. Biometrika 34,
    1947.) A single value is compared with the distribution of the others. (J. R. Crawford, D. C. Howell:
    Comparing an Individual's Test Score Against Norms Derived from Small Samples. The Clinical
    Neuropsychologist 12, 1998.)

    Args:
        first, second: the metric of each seed; one of them may have a single one.

    Returns:
        None if the seeds make no difference, so that no test applies.
    """
    effect = float(np.mean(first) - np.mean(second))
    if min(len(first), len(second)) == 1:
        several = max(first, second, key=len)
        error = float(np.std(several, ddof=1)) * math.sqrt(1 + 1 / len(several))
        return _by_t(effect, error, len(several) - 1, "t-test of one seed against several")
    variances = [float(np.var(values, ddof=1)) / len(values) for values in (first, second)]
    parts = [
        variance**2 / (len(values) - 1)
        for variance, values in zip(variances, (first, second), strict=True)
    ]
    freedom = sum(variances) ** 2 / sum(parts) if sum(parts) else 1
    return _by_t(effect, math.sqrt(sum(variances)), freedom, "Welch's t-test over seeds")


def _by_t(effect: float, error: float, freedom: float, test: str) -> Estimate | None:
    if _is_zero(error, effect):
        return None if effect else Estimate(0.0, 0.0, 0.0, 1.0, test)
    half = float(special.stdtrit(freedom, (1 + CONFIDENCE) / 2)) * error
    p = 2 * float(special.stdtr(freedom, -abs(effect) / error))
    return Estimate(effect, effect - half, effect + half, p, test)


def _is_zero(error: float, effect: float) -> bool:
    """Whether a standard error is zero except for rounding."""
    return error <= 1e-12 * abs(effect)


def holm(values: Sequence[float], family: int) -> list[float]:
    """p-values adjusted for several comparisons.

    (S. Holm: A simple sequentially rejective multiple test procedure. Scandinavian Journal of
    Statistics 6, 1979.)

    Args:
        values: of the comparisons that were tested.
        family: the number of possible comparisons; those not tested count as not significant.

    Example:
        >>> holm([0.01, 0.04, 0.03], family=3)
        [0.03, 0.06, 0.06]
    """
    adjusted, highest = [0.0] * len(values), 0.0
    for rank, place in enumerate(np.argsort(values, kind="stable")):
        highest = max(highest, min(1.0, (family - rank) * values[place]))
        adjusted[place] = highest
    return adjusted


RIGHT = "share of right answers"
# Keras clips probabilities to this.
EPSILON = 1e-7


@dataclass(frozen=True)
class Scores:
    """A score for each predicted row, so that two models can be compared row by row.

    Args:
        name: of the score; that of the metric if it is the metric.
        upwards: whether more is better.
        rows: row numbers, shape `(rows,)`.
        target: true classes or values, shape `(rows,)`.
        values: floats of shape `(rows,)`.
        exact: whether their mean is the reported metric.
    """

    name: str
    upwards: bool
    rows: Array
    target: Array
    values: Array
    exact: bool


def of_run(facts: Facts, metric: str) -> Scores | None:
    """The score of each row for a metric; None if the run has no predictions.

    A metric without a value per row, such as AUC, is replaced by the share of right answers, or for
    regression by the absolute error. The score is compared with the reported metric, because a loss
    may include penalties, and an accuracy may use another threshold.
    """
    if not facts.run.holds(layout.PREDICTIONS):
        return None
    arrays = facts.run.read_arrays(layout.PREDICTIONS)
    if not {"row", "target", "output"} <= arrays.keys() or not _are_predictions(arrays):
        raise RunError(f"{facts.run.path / layout.PREDICTIONS}: holds no predictions")
    kept = np.ones(len(arrays["row"]), bool)
    if facts.judged not in ("test", "validation"):
        kept = arrays.get("test_set", np.array("")) == facts.test_set
        if kept.shape != arrays["row"].shape:
            raise RunError(f"{facts.run.path / layout.PREDICTIONS}: has no test sets")
    rows, target, output = (arrays[key][kept] for key in ("row", "target", "output"))
    name, values = _scored(facts, metric, target, output)
    reported = facts.values(facts.judged).get(metric)
    exact = reported is not None and math.isclose(np.mean(values), reported, rel_tol=1e-3)
    return Scores(metric if exact else name, name == RIGHT, rows, target, values, exact)


def _are_predictions(arrays: Mapping[str, Array]) -> bool:
    """Whether the arrays have the same length, and each class, label or value has a column."""
    rows, target, output = arrays["row"], arrays["target"], arrays["output"]
    count = len(rows) if rows.ndim == 1 else 0
    if not count or output.ndim < 2 or target.shape[:1] != (count,) or len(output) != count:
        return False
    kinds = (rows.dtype.kind, target.dtype.kind, output.dtype.kind)
    if kinds[0] not in "iu" or kinds[1] not in "iuf" or kinds[2] != "f" or not output.shape[1]:
        return False
    if kinds[1] == "f" or (target.ndim > 1 and target.size == output.size):
        return target.size == output.size
    if target.shape != output.shape[:-1]:
        return False
    classes = max(2, output.shape[1])
    return bool((target >= 0).all() and (target < classes).all())


def _scored(facts: Facts, metric: str, target: Array, output: Array) -> tuple[str, Array]:
    keras_name = facts.reported.get(metric, "")
    if target.dtype.kind == "f":
        error = (target - output.reshape(target.shape)).reshape(len(target), -1)
        if "Squared" in keras_name:
            return "squared error", (error**2).mean(axis=1)
        return "absolute error", np.abs(error).mean(axis=1)
    if target.shape == output.shape:
        return _scored_labels(facts, keras_name, target, output)
    if "Crossentropy" in keras_name:
        probability = np.where(target == 1, output[..., 0], 1 - output[..., 0])
        if output.shape[-1] > 1:
            chosen = target[..., None].astype(np.int64)
            probability = np.take_along_axis(output, chosen, axis=-1)[..., 0]
        losses = -np.log(np.clip(probability, EPSILON, 1 - EPSILON))
        return "cross-entropy", losses.reshape(len(target), -1).mean(axis=1)
    guess = predicted_classes(output, threshold=labels.threshold(facts.loss))
    return RIGHT, (guess == target).reshape(len(target), -1).mean(axis=1, dtype=float)


def _scored_labels(
    facts: Facts, keras_name: str, target: Array, output: Array
) -> tuple[str, Array]:
    """The mean over the labels of each row."""
    if "Crossentropy" in keras_name:
        probability = np.where(target == 1, output, 1 - output)
        losses = -np.log(np.clip(probability, EPSILON, 1 - EPSILON))
        return "cross-entropy", losses.mean(axis=1)
    right = predicted_labels(output, threshold=labels.threshold(facts.loss)) == target
    return RIGHT, right.mean(axis=1)


def interval(entry: Entry, metric: str) -> Interval | None:
    """The interval over seeds, over folds, or over the test rows of one model by a bootstrap.

    Returns:
        None if the entry does not have the metric.
    """
    spread = entry.spread(entry.first.judged, metric)
    mean = spread["mean"]
    if mean is None:
        return None
    if "low" in spread:
        return Interval(mean, spread["low"], spread["high"])
    scores = of_run(entry.first, metric)
    # Rows that are all alike, such as right ones, do not show how much others would vary.
    if scores is None or not scores.exact or len(np.unique(scores.values)) < 2:
        return Interval(mean, None, None)
    low, high = of_mean(scores.values)
    return Interval(mean, low, high)
