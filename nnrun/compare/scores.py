"""A score for each predicted row, so that two models can be compared row by row."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nnrun import layout
from nnrun.check import labels
from nnrun.compare.facts import Facts
from nnrun.errors import RunError
from nnrun.records import Array
from nnrun.training import classes

RIGHT = "share of right answers"
# Keras's, below which it takes no logarithm.
EPSILON = 1e-7


@dataclass(frozen=True)
class Scores:
    """What a run's predictions are worth, row by row.

    Args:
        name: of the score, in words; that of the metric where it is the metric.
        upwards: whether more of it is better.
        rows: numbers of the rows, shape `(rows,)`.
        target: true classes or values, shape `(rows,)`.
        values: floats of shape `(rows,)`.
        exact: whether their mean is the metric that the run has reported.
    """

    name: str
    upwards: bool
    rows: Array
    target: Array
    values: Array
    exact: bool


def of_run(facts: Facts, metric: str) -> Scores | None:
    """The score that belongs to a metric; None where the run kept no predictions.

    Of a metric that no row has by itself, such as AUC, the share of right answers stands in, and
    for values the absolute error. Whether the score is the metric is told by the number that the
    run has reported: a loss may hold penalties, an accuracy have another border.

    Args:
        metric: as the history calls it.

    Raises:
        RunError: the predictions cannot be read, or are none.
    """
    if not facts.run.holds(layout.PREDICTIONS):
        return None
    found = facts.run.read_arrays(layout.PREDICTIONS)
    if not {"row", "target", "output"} <= found.keys():
        raise RunError(f"{facts.run.path / layout.PREDICTIONS}: holds no predictions")
    target, output = found["target"], found["output"]
    if not _are_predictions(found["row"], target, output):
        raise RunError(f"{facts.run.path / layout.PREDICTIONS}: holds no predictions")
    name, values = _scored(facts, metric, target, output)
    reported = facts.values(facts.judged).get(metric)
    exact = reported is not None and math.isclose(np.mean(values), reported, rel_tol=1e-3)
    return Scores(metric if exact else name, name == RIGHT, found["row"], target, values, exact)


def _are_predictions(rows: Array, target: Array, output: Array) -> bool:
    """Whether the arrays are of one length, and each class has a column."""
    count = len(rows) if rows.ndim == 1 else 0
    if not count or target.shape != (count,) or output.ndim != 2 or len(output) != count:
        return False
    kinds = (rows.dtype.kind, target.dtype.kind, output.dtype.kind)
    if kinds[0] not in "iu" or kinds[1] not in "iuf" or kinds[2] != "f" or not output.shape[1]:
        return False
    classes = max(2, output.shape[1])
    return kinds[1] == "f" or bool((target >= 0).all() and (target < classes).all())


def _scored(facts: Facts, metric: str, target: Array, output: Array) -> tuple[str, Array]:
    own_name = facts.reported.get(metric, "")
    if target.dtype.kind == "f":
        if "Squared" in own_name:
            return "squared error", (target - output[:, 0]) ** 2
        return "absolute error", np.abs(target - output[:, 0])
    if "Crossentropy" in own_name:
        probability = np.clip(_of_target(target, output), EPSILON, 1 - EPSILON)
        return "cross-entropy", -np.log(probability)
    guess = classes.predicted(output, threshold=labels.threshold(facts.loss))
    return RIGHT, (guess == target).astype(float)


def _of_target(target: Array, output: Array) -> Array:
    """The probability of the true class, shape `(rows,)`."""
    if output.shape[1] == 1:
        return np.where(target == 1, output[:, 0], 1 - output[:, 0])
    return np.asarray(output[np.arange(len(target)), target])
