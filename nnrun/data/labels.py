"""Encodes labels for a loss, weights rows, and compares predicted with true classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnrun.check.training import number
from nnrun.errors import DataError
from nnrun.spec.files import check_memory
from nnrun.spec.labels import loss_family
from nnrun.spec.training import ClassWeight, Training
from nnrun.types import Array


def encode(y: Array, training: Training, *, classes: int, units: int) -> Array:
    """Labels for the loss.

    Args:
        y: class numbers or values, shape `(rows,)`.
        classes: their number; 0 for regression.
        units: width of the model's output.

    Returns:
        int32 of shape `(rows,)` for a sparse loss; bytes of shape `(rows, classes)`, one-hot,
        where the model has a unit per class; else float32 of shape `(rows, 1)`.
    """
    if loss_family(training.loss.name) == "sparse":
        return y.astype(np.int32)
    if classes and units > 1:
        _check_memory(len(y), classes)
        # Bytes here, floats on the device: 60,000 one-hot rows are 0.6 MB.
        return np.asarray(y[:, None] == np.arange(classes), dtype=np.uint8)
    return y.astype(np.float32)[:, None]


def _check_memory(rows: int, classes: int) -> None:
    try:
        check_memory(rows * classes)
    except ValueError as error:
        loss = "take the loss sparse_categorical_crossentropy"
        raise DataError(f"{rows:,} labels of {classes:,} classes: {error}; {loss}") from error


def sample_weights(y: Array, weight: ClassWeight, *, classes: Sequence[str], train: Array) -> Array:
    """The weight of each row.

    `balanced` gives class `c` the weight `rows / (classes * rows of c)`, counted over the
    training rows, as scikit-learn's `compute_class_weight` does (King and Zeng, Logistic
    regression in rare events data, 2001). The weights of these rows have the mean 1.

    Args:
        y: class numbers, ints of shape `(rows,)`.
        train: the numbers of the training rows.

    Example:
        >>> y = np.array([0, 0, 0, 1])
        >>> sample_weights(y, "balanced", classes=("no", "yes"), train=np.arange(4)).round(2).tolist()
        [0.67, 0.67, 0.67, 2.0]
    """
    if weight == "balanced":
        counts = np.bincount(y[train], minlength=len(classes))
        present = np.count_nonzero(counts)
        weights = len(train) / (present * np.maximum(counts, 1))
    else:
        weights = np.ones(len(classes))
        for name, value in weight.items():
            weights[number(name, classes)] = value
    return np.asarray(weights, np.float32)[y]


def predicted_classes(output: Array, *, threshold: float) -> Array:
    """The class of each row for outputs of shape `(rows, classes)`.

    Outputs of shape `(rows, 1)` are class 1 above the threshold. A row with an output that is not a
    number has no class, -1.
    """
    one_unit = output.shape[-1] == 1
    classes = output[:, 0] > threshold if one_unit else output.argmax(axis=-1)
    return np.where(np.isnan(output).any(axis=-1), -1, classes)


def confidence(probabilities: Array) -> Array:
    """The probability of the predicted class, shape `(rows,)`, from probabilities of all classes."""
    if probabilities.shape[-1] == 1:
        return np.asarray(np.maximum(probabilities[:, 0], 1 - probabilities[:, 0]))
    return np.asarray(probabilities.max(axis=-1))


def load_scikit_learn() -> None:
    """Imports scikit-learn ahead of its first use, because that takes a second."""
    rows = np.arange(2)
    confusion_matrix(rows, rows, ["0", "1"])
    classification_report(rows, rows, ["0", "1"])


def confusion_matrix(target: Array, guess: Array, classes: Sequence[str]) -> Array:
    """Counts of shape `(classes, classes)`: rows are true, columns predicted."""
    from sklearn import metrics  # noqa: PLC0415

    return np.asarray(metrics.confusion_matrix(target, guess, labels=range(len(classes))))


def classification_report(
    target: Array, guess: Array, classes: Sequence[str]
) -> dict[str, str | float | dict[str, float]]:
    """Precision, recall, F1 and number of rows per class, as scikit-learn reports them.

    Of two classes, the positive one is named as `positive class`.
    """
    from sklearn import metrics  # noqa: PLC0415

    names, numbers = list(classes), range(len(classes))
    options = {"output_dict": True, "zero_division": 0.0}
    report = metrics.classification_report(
        target, guess, labels=numbers, target_names=names, **options
    )
    return {**report, **({"positive class": names[1]} if len(names) == 2 else {})}
