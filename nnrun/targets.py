"""Labels as the loss needs them: nobody writes `to_categorical`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnrun.errors import Misfit
from nnrun.records import Array, Dataset
from nnrun.spec.component import Component
from nnrun.spec.experiment import Experiment
from nnrun.spec.training import Training

_LOSS = ("training", "loss")
# Losses that take class numbers, though their names do not say so.
_CLASS_NUMBERS = {"categoricalgeneralizedcrossentropy", "circle"}
# Layers that leave the last dimension as it is.
_KEEP_WIDTH = {"Activation", "Dropout", "Softmax", "ReLU", "LeakyReLU", "BatchNormalization"}


def family(loss: str) -> str:
    """`sparse`, `categorical`, `binary` or `other`, by the name of a Keras loss."""
    name = loss.replace("_", "").lower()
    if name.startswith("sparse") or name in _CLASS_NUMBERS:
        return "sparse"
    if name.startswith("categorical"):
        return "categorical"
    return "binary" if name.startswith(("binary", "bce")) or "hinge" in name else "other"


def output_units(model: Sequence[Component]) -> int | None:
    """Width of the model's output as far as the spec alone tells; else None."""
    for layer in reversed(model):
        if "units" in layer.arguments:
            units = layer.arguments["units"]
            return units if isinstance(units, int) else None
        if layer.name not in _KEEP_WIDTH:
            return None
    return None


def check(dataset: Dataset, spec: Experiment, units: int) -> None:
    """Refuses a loss or an output width that the labels do not fit.

    Raises:
        Misfit: with the place and what would fit.
    """
    loss, classes = spec.training.loss.name, len(dataset.classes)
    kind, place = family(loss), ("model", _last_with_units(spec.model))
    if not classes:
        if kind != "other":
            raise Misfit("NN122", _LOSS, _wants_classes(loss, dataset))
        if units != 1:
            raise _wrong_units(place, units, "1 value", "1", dataset)
    elif kind == "sparse" and units < classes:
        raise _wrong_units(place, units, f"{classes} classes", f"at least {classes}", dataset)
    elif kind == "categorical" and units != classes:
        raise _wrong_units(place, units, f"{classes} classes", str(classes), dataset)
    elif kind in ("binary", "other") and units not in _one_column(kind, classes):
        allowed = " or ".join(map(str, _one_column(kind, classes)))
        raise _wrong_units(place, units, f"{classes} classes", allowed, dataset)


def check_output(dataset: Dataset, spec: Experiment, shape: tuple[int | None, ...]) -> int:
    """Refuses a model whose output is not one row of numbers per sample, or of the wrong width.

    Args:
        shape: of the model's output, with the batch.

    Returns:
        The width.

    Raises:
        Misfit: with the place and what would fit.
    """
    if len(shape) != 2 or shape[1] is None:
        raise Misfit(
            "NN121",
            ("model", len(spec.model) - 1),
            f"the model puts out rows of shape {shape[1:]}, but a label is one number; "
            "a Flatten or a pooling layer may be missing",
        )
    check(dataset, spec, shape[1])
    return shape[1]


def _one_column(kind: str, classes: int) -> tuple[int, ...]:
    """Widths that fit: 1 means the class number itself, more means one column per class."""
    if kind == "binary":
        return (1, 2) if classes == 2 else (classes,)
    return (1, classes)


def _wants_classes(loss: str, dataset: Dataset) -> str:
    return (
        f"{loss} needs classes, but {dataset.name} has a number per row ({dataset.target}); "
        "use a loss such as mse"
    )


def _last_with_units(model: Sequence[Component]) -> int:
    """The layer that a person must change: the last that has a width."""
    wide = [index for index, layer in enumerate(model) if "units" in layer.arguments]
    return wide[-1] if wide else len(model) - 1


def _wrong_units(
    place: tuple[str | int, ...], units: int, has: str, wanted: str, dataset: Dataset
) -> Misfit:
    message = f"the model puts out {units}, but {dataset.name} has {has}: units must be {wanted}"
    return Misfit("NN121", place, message)


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
