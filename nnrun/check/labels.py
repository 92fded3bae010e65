"""Which losses, widths of the output and labels go together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from nnrun import metrics
from nnrun.errors import Misfit
from nnrun.metrics import Labels
from nnrun.spec import catalogue
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


class Labelled(Protocol):
    """Something with labels: a data set, read or not."""

    @property
    def name(self) -> str:
        """As the spec has it."""

    @property
    def classes(self) -> Sequence[Any]:
        """One entry per class; empty for a regression."""

    @property
    def target(self) -> str:
        """What a label says."""


def meaning(metric: Component) -> str:
    """Keras's own name for a metric."""
    return catalogue.meaning("metrics", metric.name)


def labels(dataset: Labelled, training: Training, units: int) -> Labels:
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


def misfits(dataset: Labelled, spec: Experiment, units: int) -> Iterator[Misfit]:
    """What does not fit the labels: the loss, the output's width, a metric.

    Args:
        units: width of the model's output.
    """
    loss, last = spec.training.loss, len(spec.model) - 1
    allowed = _widths(family(loss.name), len(dataset.classes))
    if not allowed:
        yield Misfit("NN122", _LOSS, _wants_classes(loss.name, dataset))
        return
    if units not in allowed:
        yield _wrong_units(spec, units, allowed, dataset)
    if loss.arguments.get("from_logits") and _is_squashed(spec.model[-1]):
        message = (
            f"{loss.name} takes logits, but the model ends in probabilities: "
            "leave out either from_logits or the last activation"
        )
        yield Misfit("NN122", _LOSS, message)
    if units == 1 and units in allowed and _is_softmax(spec.model[-1]):
        message = "softmax over one unit always puts out 1; use sigmoid"
        yield Misfit("NN121", ("model", last), message)
    # Metrics are judged by the labels that there are once the width is right.
    width = units if units in allowed else allowed[-1]
    yield from metrics.misfits(spec.training, labels(dataset, spec.training, width))


def check(dataset: Labelled, spec: Experiment, units: int) -> None:
    """Refuses a loss, an output width or a metric that does not fit the labels.

    Raises:
        Misfit: the first, with the place and what would fit.
    """
    for misfit in misfits(dataset, spec, units):
        raise misfit


def check_output(dataset: Labelled, spec: Experiment, shape: tuple[int | None, ...]) -> int:
    """Refuses a model whose output is not one row of numbers per sample, or of the wrong width.

    Args:
        shape: of one row of the model's output, without the batch.

    Returns:
        The width.

    Raises:
        Misfit: with the place and what would fit.
    """
    for misfit in output_misfits(dataset, spec, shape):
        raise misfit
    return int(shape[0] or 0)


def output_misfits(
    dataset: Labelled, spec: Experiment, shape: tuple[int | None, ...]
) -> Iterator[Misfit]:
    """What does not fit the labels, given the shape of one row of the model's output."""
    if len(shape) != 1 or shape[0] is None:
        message = (
            f"the model puts out rows of shape {shape}, but a label is one number; "
            "a Flatten or a pooling layer may be missing"
        )
        yield Misfit("NN121", ("model", len(spec.model) - 1), message)
    else:
        yield from misfits(dataset, spec, shape[0])


def _widths(kind: str, classes: int) -> tuple[int, ...]:
    """Widths of the output that fit: 1 means one value or class 1, more one column per class."""
    if not classes:
        return (1,) if kind == "other" else ()
    if kind in ("sparse", "categorical"):
        return (classes,)
    return (1, 2) if classes == 2 else (classes,)


def _is_softmax(last: Component) -> bool:
    return last.name == "Softmax" or last.arguments.get("activation") == "softmax"


def _is_squashed(last: Component) -> bool:
    return last.name == "Softmax" or last.arguments.get("activation") in _SQUASHED


def _wants_classes(loss: str, dataset: Labelled) -> str:
    return (
        f"{loss} needs classes, but {dataset.name} has a number per row ({dataset.target}); "
        "use a loss such as mse"
    )


def last_with_units(model: Sequence[Component]) -> int:
    """The layer that a person must change: the last that has a width."""
    wide = [index for index, layer in enumerate(model) if "units" in layer.arguments]
    return wide[-1] if wide else len(model) - 1


def _wrong_units(
    spec: Experiment, units: int, allowed: tuple[int, ...], dataset: Labelled
) -> Misfit:
    classes = len(dataset.classes)
    has = f"{classes} classes" if classes else "1 value"
    wanted = " or ".join(map(str, allowed))
    message = f"the model puts out {units}, but {dataset.name} has {has}: units must be {wanted}"
    if classes == 2 and units == 1:
        message += ", or the loss binary_crossentropy"
    return Misfit("NN121", ("model", last_with_units(spec.model)), message)
