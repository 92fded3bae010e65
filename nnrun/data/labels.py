"""Encodes labels for a loss, weights rows, and compares predicted with true classes."""

from __future__ import annotations

import math
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
        y: class numbers or values, shape `(rows,)`; or several values or labels, `(rows, ...)`.
        classes: their number; 0 for regression.
        units: width of the model's output.

    Returns:
        int32 of shape `(rows,)` for a sparse loss; bytes of shape `(rows, classes)`, one-hot,
        where the model has a unit per class; else float32 of shape `(rows, 1)`. Several values and
        labels keep their shape, as float32 and bytes.
    """
    is_byte = y.dtype == np.uint8
    if y.ndim > 1 and not classes:
        return y if is_byte else y.astype(np.float32)
    if loss_family(training.loss.name) == "sparse":
        return y if is_byte else y.astype(np.int32)
    if classes and units > 1:
        _check_memory(y.size, classes)
        # Bytes here, floats on the device: 60,000 one-hot rows are 0.6 MB.
        return np.asarray(y[..., None] == np.arange(classes), dtype=np.uint8)
    return (y if is_byte else y.astype(np.float32))[..., None]


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
    number has no class, -1. Rows may have positions, such as pixels: `(rows, ..., classes)`.
    """
    one_unit = output.shape[-1] == 1
    classes = output[..., 0] > threshold if one_unit else output.argmax(axis=-1)
    return np.where(np.isnan(output).any(axis=-1), -1, classes)


def predicted_labels(output: Array, *, threshold: float) -> Array:
    """Which labels each row has, 0 and 1 of the shape of the output; none where it is NaN."""
    return np.asarray(output > threshold, np.uint8)


def join_labels(names: Sequence[str], row: Array) -> str:
    """The labels of a row in one line, `-` if it has none.

    Example:
        >>> join_labels(["music", "news", "sport"], np.array([1, 0, 1]))
        'music, sport'
    """
    return ", ".join(name for name, has in zip(names, row.tolist(), strict=True) if has) or "-"


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


def label_confusion(target: Array, guess: Array) -> Array:
    """Counts of shape `(labels, 2, 2)`: per label, rows are true, columns predicted.

    Args:
        target, guess: 0 and 1 of shape `(rows, labels)`.
    """
    from sklearn import metrics  # noqa: PLC0415

    if target.shape[-1] == 1:
        return confusion_matrix(target[:, 0], guess[:, 0], ("0", "1"))[None]
    return np.asarray(metrics.multilabel_confusion_matrix(target, guess))


def value_report(
    target: Array, output: Array, names: Sequence[str]
) -> dict[str, dict[str, float | None]]:
    """Mean absolute error, RMSE and R² of each value; None where an output is not finite.

    Args:
        target, output: floats of shape `(rows, values)`.
        names: of the values.
    """
    report: dict[str, dict[str, float | None]] = {}
    for column, name in enumerate(names):
        true = target[:, column].astype(float)
        error = output[:, column] - true
        spread = float(np.mean(np.square(true - true.mean())))
        squared = float(np.mean(np.square(error)))
        found = {
            "mae": float(np.mean(np.abs(error))),
            "rmse": math.sqrt(squared),
            "r2": 1 - squared / spread if spread else math.nan,
        }
        report[name] = {key: x if math.isfinite(x) else None for key, x in found.items()}
    return report


def position_report(counts: Array, classes: Sequence[str]) -> dict[str, float | dict[str, float]]:
    """Precision, recall, F1, IoU and number of positions per class, from a confusion matrix.

    Args:
        counts: shape `(classes, classes)`; rows are true, columns predicted.
        classes: their names.
    """
    report: dict[str, float | dict[str, float]] = {}
    for at, name in enumerate(classes):
        right, true, guessed = counts[at, at], counts[at].sum(), counts[:, at].sum()
        report[name] = {
            "precision": float(right / max(guessed, 1)),
            "recall": float(right / max(true, 1)),
            "f1-score": float(2 * right / max(true + guessed, 1)),
            "iou": float(right / max(true + guessed - right, 1)),
            "support": float(true),
        }
    report["accuracy"] = float(np.trace(counts) / max(counts.sum(), 1))
    return report


def position_confusion(target: Array, guess: Array, classes: int) -> Array:
    """As `confusion_matrix`, fast enough for all pixels of many masks; a guess of -1 is left out."""
    places = target[guess >= 0].astype(np.int64) * classes + guess[guess >= 0]
    return np.bincount(places, minlength=classes**2).reshape(classes, classes)


def squared_errors(target: Array, output: Array) -> Array:
    """The mean squared error of each row, over all its values; float32 of shape `(rows,)`."""
    error = output.reshape(len(target), -1) - target.reshape(len(target), -1)
    return np.asarray(np.mean(np.square(error, dtype=np.float64), axis=1), np.float32)


def classification_report(
    target: Array, guess: Array, classes: Sequence[str]
) -> dict[str, str | float | dict[str, float]]:
    """Precision, recall, F1 and number of rows per class, as scikit-learn reports them.

    Of two classes, the positive one is named as `positive class`.

    Args:
        target, guess: class numbers of shape `(rows,)`; or 0 and 1 of shape `(rows, labels)`.
        classes: the names of the classes or labels.
    """
    from sklearn import metrics  # noqa: PLC0415

    names, numbers = list(classes), range(len(classes))
    if target.ndim > 1 and len(names) == 1:
        # scikit-learn takes a single column for classes.
        report = classification_report(target[:, 0], guess[:, 0], ["0", *names])
        return {name: report[name] for name in names}
    options = {"output_dict": True, "zero_division": 0.0}
    report = metrics.classification_report(
        target, guess, labels=numbers, target_names=names, **options
    )
    is_binary = len(names) == 2 and target.ndim == 1
    return {**report, **({"positive class": names[1]} if is_binary else {})}
