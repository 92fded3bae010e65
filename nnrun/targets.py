"""Labels as the loss needs them: nobody writes `to_categorical`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnrun import metrics
from nnrun.errors import Misfit
from nnrun.metrics import Labels
from nnrun.records import Array, Dataset
from nnrun.spec.component import Component
from nnrun.spec.experiment import Experiment
from nnrun.spec.training import Training

_LOSS = ("training", "loss")
# Losses that take class numbers, though their names do not say so.
_CLASS_NUMBERS = {"categoricalgeneralizedcrossentropy", "circle"}
# Losses of classes whose model puts out something else than probabilities.
_NO_PROBABILITIES = {"circle", "categoricalhinge"}
# Layers that leave the last dimension as it is.
_KEEP_WIDTH = {"Activation", "Dropout", "Softmax", "ReLU", "LeakyReLU", "BatchNormalization"}
_SQUASHED = {"softmax", "sigmoid"}


def family(loss: str) -> str:
    """`sparse`, `categorical`, `binary`, `hinge` or `other`, by the name of a Keras loss."""
    name = loss.replace("_", "").lower()
    if name.startswith("sparse") or name in _CLASS_NUMBERS:
        return "sparse"
    if name.startswith("categorical"):
        return "categorical"
    if "hinge" in name:
        return "hinge"
    return "binary" if name.startswith(("binary", "bce")) else "other"


def labels(dataset: Dataset, training: Training, units: int) -> Labels:
    """What the loss and the metrics get to see as labels."""
    if not dataset.classes:
        return "values"
    if family(training.loss.name) == "sparse":
        return "class numbers"
    return "one column per class" if units > 1 else "one column of 0 and 1"


def are_probabilities(training: Training) -> bool:
    """Whether the model's output, after what the loss does to logits, is a probability."""
    loss = training.loss.name
    known = family(loss) in ("sparse", "categorical", "binary")
    return known and loss.replace("_", "").lower() not in _NO_PROBABILITIES


def threshold(loss: str) -> float:
    """Above it one output unit says class 1; hinge losses put the border at 0."""
    return 0.0 if family(loss) == "hinge" else 0.5


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
    """Refuses a loss, an output width or a metric that does not fit the labels.

    Raises:
        Misfit: with the place and what would fit.
    """
    loss, classes = spec.training.loss.name, len(dataset.classes)
    allowed = _widths(family(loss), classes)
    if not allowed:
        raise Misfit("NN122", _LOSS, _wants_classes(loss, dataset))
    if units not in allowed:
        has = f"{classes} classes" if classes else "1 value"
        wanted = " or ".join(map(str, allowed))
        raise _wrong_units(("model", _last_with_units(spec.model)), units, has, wanted, dataset)
    if spec.training.loss.arguments.get("from_logits") and _is_squashed(spec.model[-1]):
        message = (
            f"{loss} takes logits, but the model ends in probabilities: "
            "leave out either from_logits or the last activation"
        )
        raise Misfit("NN122", _LOSS, message)
    if units == 1 and _is_softmax(spec.model[-1]):
        message = "softmax over one unit always puts out 1; use sigmoid"
        raise Misfit("NN121", ("model", len(spec.model) - 1), message)
    metrics.check(spec.training, labels(dataset, spec.training, units))


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


def _widths(kind: str, classes: int) -> tuple[int, ...]:
    """Widths of the output that fit: 1 means one value or class 1, more one column per class."""
    if not classes:
        return (1,) if kind == "other" else ()
    if kind in ("sparse", "categorical"):
        return (classes,)
    return (1, 2) if classes == 2 else (classes,)


def notices(spec: Experiment) -> list[str]:
    """What a person should know of loss and output together; nothing is changed."""
    training, last = spec.training, spec.model[-1]
    plain = last.name == "Dense" and last.arguments.get("activation") in (None, "linear")
    if not plain or not are_probabilities(training) or training.loss.arguments.get("from_logits"):
        return []
    notice = (
        f"{training.loss.name} expects probabilities, but the model ends without softmax or "
        "sigmoid: training will stall; add the activation, or from_logits: true to the loss"
    )
    return [notice]


def _is_softmax(last: Component) -> bool:
    return last.name == "Softmax" or last.arguments.get("activation") == "softmax"


def _is_squashed(last: Component) -> bool:
    return last.name == "Softmax" or last.arguments.get("activation") in _SQUASHED


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
