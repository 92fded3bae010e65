"""Labels as the loss needs them, and what each counts: nobody writes `to_categorical`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnrun.check import class_weights
from nnrun.check.labels import family
from nnrun.records import Array
from nnrun.spec.training import ClassWeight, Training


def encode(y: Array, training: Training, *, classes: int, units: int) -> Array:
    """Labels for the loss.

    Args:
        y: class numbers or values, shape `(rows,)`.
        training: names the loss.
        classes: how many there are; 0 for a regression.
        units: width of the model's output.

    Returns:
        int32 of shape `(rows,)` for a sparse loss; bytes of shape `(rows, classes)`, one-hot,
        where the model has a unit per class; else float32 of shape `(rows, 1)`.
    """
    if family(training.loss.name) == "sparse":
        return y.astype(np.int32)
    if classes and units > 1:
        # Bytes here, floats on the device: 60,000 one-hot rows are 0.6 MB.
        return np.asarray(y[:, None] == np.arange(classes), dtype=np.uint8)
    return y.astype(np.float32)[:, None]


def weights(y: Array, weight: ClassWeight, *, classes: Sequence[str], train: Array) -> Array:
    """How much each row counts.

    `balanced` gives class `c` the weight `rows / (classes * rows of c)`, counted over the rows that
    train, as scikit-learn's `compute_class_weight` does (King and Zeng, Logistic regression in rare
    events data, 2001). The weights of these rows have the mean 1.

    Args:
        y: class numbers, ints of shape `(rows,)`.
        weight: as in the spec, and free of misfits.
        classes: their names.
        train: numbers of the rows that train.

    Returns:
        float32 of shape `(rows,)`.

    Example:
        >>> y = np.array([0, 0, 0, 1])
        >>> weights(y, "balanced", classes=("no", "yes"), train=np.arange(4)).round(2).tolist()
        [0.67, 0.67, 0.67, 2.0]
    """
    if weight == "balanced":
        counts = np.bincount(y[train], minlength=len(classes))
        present = np.count_nonzero(counts)
        # A class without rows has none to weigh.
        each = len(train) / (present * np.maximum(counts, 1))
    else:
        each = np.ones(len(classes))
        for name, value in weight.items():
            each[class_weights.number(name, classes)] = value
    return np.asarray(each, np.float32)[y]
