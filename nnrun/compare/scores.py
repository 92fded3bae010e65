"""A score for each predicted row, so that two models can be compared row by row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnrun import targets
from nnrun.compare.facts import Facts
from nnrun.records import Array
from nnrun.runs import layout
from nnrun.training import classes

# Keras's, below which it takes no logarithm.
EPSILON = 1e-7


@dataclass(frozen=True)
class Scores:
    """What a run's predictions are worth, row by row.

    Args:
        name: of the score, in words.
        metric: that its mean is; empty where the score only stands in for the metric.
        upwards: whether more of it is better.
        rows: numbers of the rows, shape `(rows,)`.
        target: true classes or values, shape `(rows,)`.
        values: floats of shape `(rows,)`.
    """

    name: str
    metric: str
    rows: Array
    target: Array
    values: Array


def of_run(facts: Facts, metric: str) -> Scores | None:
    """The score that belongs to a metric; None where the run kept no predictions.

    Of a metric that no row has by itself, such as AUC, the share of right answers stands in, and
    for values the absolute error.

    Args:
        metric: as the history calls it.

    Raises:
        RunError: the predictions cannot be read.
    """
    if not facts.run.holds(layout.PREDICTIONS):
        return None
    found = facts.run.read_arrays(layout.PREDICTIONS)
    target, output = found["target"], found["output"]
    own_name = facts.reported[metric]
    if target.dtype.kind == "f":
        name, values = _error(own_name, target, output[:, 0])
        exact = own_name.replace("Absolute", "").replace("Squared", "") == "MeanError"
    elif metric == "loss" and "Crossentropy" in own_name:
        probability = np.clip(_of_target(target, output), EPSILON, 1 - EPSILON)
        name, values, exact = "loss", -np.log(probability), True
    else:
        guess = classes.predicted(output, threshold=targets.threshold(facts.loss))
        name, values = "accuracy", (guess == target).astype(float)
        exact = own_name.lower().endswith(("accuracy", "acc")) and "TopK" not in own_name
    return Scores(name, metric if exact else "", found["row"], target, values)


def _error(own_name: str, target: Array, output: Array) -> tuple[str, Array]:
    if "Squared" in own_name:
        return "mean squared error", (target - output) ** 2
    return "mean absolute error", np.abs(target - output)


def _of_target(target: Array, output: Array) -> Array:
    """The probability of the true class, shape `(rows,)`."""
    if output.shape[1] == 1:
        return np.where(target == 1, output[:, 0], 1 - output[:, 0])
    return np.asarray(output[np.arange(len(target)), target])
