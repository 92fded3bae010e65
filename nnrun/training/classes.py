"""Predicted classes against true ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnrun.records import Array


def predicted(output: Array, *, threshold: float) -> Array:
    """The class of each row.

    Args:
        output: of shape `(rows, classes)`; or `(rows, 1)`, where more than the threshold is class 1.
        threshold: the border between two classes, as Keras draws it.

    Returns:
        Ints of shape `(rows,)`.
    """
    if output.shape[-1] == 1:
        return np.asarray(output[:, 0] > threshold, dtype=np.int64)
    return np.asarray(output.argmax(axis=-1))


def confidence(probabilities: Array) -> Array:
    """The probability of the predicted class, shape `(rows,)`; arguments as for `predicted`."""
    if probabilities.shape[-1] == 1:
        return np.asarray(np.maximum(probabilities[:, 0], 1 - probabilities[:, 0]))
    return np.asarray(probabilities.max(axis=-1))


def get_ready() -> None:
    """Loads scikit-learn, which takes a second, and whoever compares runs does not need it."""
    some = np.arange(2)
    confusion(some, some, ["0", "1"])
    report(some, some, ["0", "1"])


def confusion(target: Array, guess: Array, classes: Sequence[str]) -> Array:
    """Counts of shape `(classes, classes)`: rows are true, columns predicted."""
    from sklearn import metrics  # noqa: PLC0415

    return np.asarray(metrics.confusion_matrix(target, guess, labels=range(len(classes))))


def report(target: Array, guess: Array, classes: Sequence[str]) -> dict[str, Any]:
    """Precision, recall, F1 and number of rows per class, as scikit-learn reports them."""
    from sklearn import metrics  # noqa: PLC0415

    return dict(
        metrics.classification_report(
            target,
            guess,
            labels=range(len(classes)),
            target_names=list(classes),
            output_dict=True,
            zero_division=0.0,
        )
    )
