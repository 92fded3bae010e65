"""Which losses, output widths, metrics and labels fit together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Protocol

from nnrun.errors import IncompatibleSpec
from nnrun.spec import catalogue
from nnrun.spec.component import Component
from nnrun.spec.experiment import Experiment
from nnrun.spec.training import Training

# Keras does not check labels: a metric that compares class numbers with columns gives a number too.

Labels = Literal["class numbers", "one column per class", "one column of 0 and 1", "values"]

_NUMBERS: tuple[Labels, ...] = ("class numbers",)
_COLUMNS: tuple[Labels, ...] = ("one column per class",)
_CLASSES: tuple[Labels, ...] = ("one column of 0 and 1", "one column per class")
_VALUES: tuple[Labels, ...] = ("values", *_CLASSES)
_ANY_CLASSES: tuple[Labels, ...] = (*_NUMBERS, *_CLASSES)

# Keras chooses the meaning of `accuracy` by the labels.
_WORDS = frozenset({"accuracy", "acc"})
# These test for equality, or use no labels.
_NEVER = frozenset({"Accuracy", "Mean", "Sum", "IoU", "MeanIoU"})
_TAKES: dict[tuple[Labels, ...], frozenset[str]] = {
    _NUMBERS: frozenset(
        {
            "SparseCategoricalAccuracy",
            "SparseCategoricalCrossentropy",
            "SparseTopKCategoricalAccuracy",
        }
    ),
    _COLUMNS: frozenset(
        {
            "CategoricalAccuracy",
            "CategoricalCrossentropy",
            "CategoricalHinge",
            "OneHotIoU",
            "OneHotMeanIoU",
            "TopKCategoricalAccuracy",
        }
    ),
    _VALUES: frozenset(
        "ConcordanceCorrelation CosineSimilarity KLDivergence LogCoshError MeanAbsoluteError "
        "MeanAbsolutePercentageError MeanSquaredError MeanSquaredLogarithmicError "
        "PearsonCorrelation Poisson R2Score RootMeanSquaredError".split()
    ),
}

# A name is a column of the history, a key of the metrics, and part of a file name.
_NAME = re.compile(r"(?!val_)[A-Za-z0-9_][A-Za-z0-9_.-]*")
_TAKEN = frozenset({"loss", "epoch", "learning_rate", "confusion", "gallery", "predicted"})


def metric_problems(training: Training, labels: Labels) -> Iterator[IncompatibleSpec]:
    """Metrics that do not fit the labels, and invalid names of metrics."""
    for index, metric in enumerate(training.metrics):
        path = ("training", "metrics", index)
        fitting = accepted_labels(metric.name)
        if labels not in fitting:
            needs = f"needs {' or '.join(fitting)}" if fitting else "cannot judge a model's output"
            message = f"{metric.name} {needs}; with {training.loss.name} the labels are {labels}"
            yield IncompatibleSpec("NN125", path, message)
        elif problem := _misnamed(metric, path):
            yield problem


def accepted_labels(name: str) -> tuple[Labels, ...]:
    """The labels that a metric accepts."""
    own_name = catalogue.canonical_name("metrics", name)
    if name in _WORDS:
        return _ANY_CLASSES
    if own_name in _NEVER:
        return ()
    # All other metrics count true and false outputs per column.
    return next((labels for labels, names in _TAKES.items() if own_name in names), _CLASSES)


def _misnamed(metric: Component, path: tuple[str | int, ...]) -> IncompatibleSpec | None:
    name = metric.arguments.get("name")
    if name is None or (name not in _TAKEN and _NAME.fullmatch(str(name))):
        return None
    message = (
        f"'{name}' is not a valid name of a metric; use letters, digits, '_', '-' and '.', "
        f"without val_ at the beginning, and none of {', '.join(sorted(_TAKEN))}"
    )
    return IncompatibleSpec("NN114", (*path, metric.name, "name"), message)


# Errors and distances; for all others larger is better.
_DOWNWARDS = re.compile(r"Error|Crossentropy|Hinge|Divergence|Poisson|^False")


def improves_upwards(name: str) -> bool:
    """Whether larger values of a metric or loss are better; `name` is canonical."""
    return not _DOWNWARDS.search(name)


def logged_names(metric: Component) -> list[str]:
    """Names under which Keras may report a metric, most likely first."""
    entry = catalogue.entry("metrics", metric.name)
    default = entry.accepted["name"].default if entry and "name" in entry.accepted else None
    # Keras's default names, such as `mean_io_u`.
    snake = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", metric.name)
    snake = re.sub(r"([a-z])([A-Z])", r"\1_\2", snake).lower()
    names = (metric.arguments.get("name"), metric.name, default, snake)
    return [str(name) for name in names if name]


_LOSS = ("training", "loss")
# Losses that take class numbers, though their names do not say so.
_CLASS_NUMBERS = {"categoricalgeneralizedcrossentropy", "circle"}
# Losses of classes whose outputs are not probabilities.
_NO_PROBABILITIES = {"circle", "categoricalhinge"}
# Layers that leave the last dimension as it is.
_KEEP_WIDTH = {"Activation", "Dropout", "Softmax", "ReLU", "LeakyReLU", "BatchNormalization"}


def loss_family(loss: str) -> str:
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
    """A dataset, or its profile."""

    @property
    def name(self) -> str:
        """Name in the spec."""

    @property
    def classes(self) -> Sequence[Any]:
        """One entry per class; empty for a regression."""

    @property
    def target(self) -> str:
        """Meaning of a label."""


def canonical_metric(metric: Component) -> str:
    """Keras's canonical name of a metric."""
    return catalogue.canonical_name("metrics", metric.name)


def labels(dataset: Labelled, training: Training, units: int) -> Labels:
    """The labels of the loss and the metrics."""
    if not dataset.classes:
        return "values"
    if loss_family(training.loss.name) == "sparse":
        return "class numbers"
    return "one column per class" if units > 1 else "one column of 0 and 1"


def are_probabilities(training: Training) -> bool:
    """Whether the model's output is a probability, or a logit of one."""
    loss = training.loss.name
    known = loss_family(loss) in ("sparse", "categorical", "binary")
    return known and loss.replace("_", "").lower() not in _NO_PROBABILITIES


def threshold(loss: str) -> float:
    """The output above which a single unit predicts class 1."""
    return 0.0 if loss_family(loss) == "hinge" else 0.5


def output_units(model: Sequence[Component]) -> int | None:
    """Width of the model's output, if the spec alone shows it."""
    for layer in reversed(model):
        if "units" in layer.arguments:
            units = layer.arguments["units"]
            return units if isinstance(units, int) else None
        if layer.name not in _KEEP_WIDTH:
            return None
    return None


def label_problems(dataset: Labelled, spec: Experiment, units: int) -> Iterator[IncompatibleSpec]:
    """Why the loss, the output's width or a metric does not fit the labels.

    Args:
        units: width of the model's output.
    """
    loss, last = spec.training.loss, len(spec.model) - 1
    allowed = _widths(loss_family(loss.name), len(dataset.classes))
    if not allowed:
        message = (
            f"{loss.name} needs classes, but {dataset.name} has a number per row "
            f"({dataset.target}); use a loss such as mse"
        )
        yield IncompatibleSpec("NN122", _LOSS, message)
        return
    if units not in allowed:
        yield _wrong_units(spec, units, allowed, dataset)
    if loss.arguments.get("from_logits") and _activation(spec.model[-1]) in ("softmax", "sigmoid"):
        message = (
            f"{loss.name} takes logits, but the model outputs probabilities: "
            "remove either from_logits or the last activation"
        )
        yield IncompatibleSpec("NN122", _LOSS, message)
    if units == 1 and units in allowed and _activation(spec.model[-1]) == "softmax":
        message = "softmax over one unit always outputs 1; use sigmoid"
        yield IncompatibleSpec("NN121", ("model", last), message)
    # Metrics are checked as if the width were right.
    width = units if units in allowed else allowed[-1]
    yield from metric_problems(spec.training, labels(dataset, spec.training, width))


def check(dataset: Labelled, spec: Experiment, units: int) -> None:
    """Checks that the loss, the output width and the metrics fit the labels.

    Raises:
        IncompatibleSpec: the first problem, with its place.
    """
    for problem in label_problems(dataset, spec, units):
        raise problem


def check_output(dataset: Labelled, spec: Experiment, shape: tuple[int | None, ...]) -> int:
    """Checks that the model's output is one row per sample, and fits the labels.

    Args:
        shape: of one row of the model's output, without the batch.

    Returns:
        The width.

    Raises:
        IncompatibleSpec: the first problem, with its place.
    """
    for problem in output_problems(dataset, spec, shape):
        raise problem
    return int(shape[0] or 0)


def output_problems(
    dataset: Labelled, spec: Experiment, shape: tuple[int | None, ...]
) -> Iterator[IncompatibleSpec]:
    """Why the model's output does not fit the labels, given its shape per row."""
    if len(shape) != 1 or shape[0] is None:
        message = (
            f"the output has shape {shape} per row, but a label is one number; "
            "a Flatten or pooling layer may be missing"
        )
        yield IncompatibleSpec("NN121", ("model", len(spec.model) - 1), message)
    else:
        yield from label_problems(dataset, spec, shape[0])


def _widths(kind: str, classes: int) -> tuple[int, ...]:
    """Valid output widths: 1 for a value or for class 1, otherwise one per class."""
    if not classes:
        return (1,) if kind == "other" else ()
    if kind in ("sparse", "categorical"):
        return (classes,)
    return (1, 2) if classes == 2 else (classes,)


def _activation(last: Component) -> Any:
    return "softmax" if last.name == "Softmax" else last.arguments.get("activation")


def last_with_units(model: Sequence[Component]) -> int:
    """The last layer with a width, which can be changed."""
    wide = [index for index, layer in enumerate(model) if "units" in layer.arguments]
    return wide[-1] if wide else len(model) - 1


def _wrong_units(
    spec: Experiment, units: int, allowed: tuple[int, ...], dataset: Labelled
) -> IncompatibleSpec:
    classes = len(dataset.classes)
    has = f"{classes} classes" if classes else "1 value"
    wanted = " or ".join(map(str, allowed))
    message = f"the model has {units} outputs, but {dataset.name} has {has}: units must be {wanted}"
    if classes == 2 and units == 1:
        message += ", or the loss binary_crossentropy"
    return IncompatibleSpec("NN121", ("model", last_with_units(spec.model)), message)
