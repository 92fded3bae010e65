"""Which losses, output widths, metrics and labels fit together.

Keras does not check labels: a metric that compares class numbers with columns gives a number too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

from nnrun.errors import IncompatibleSpec
from nnrun.spec import catalogue
from nnrun.spec.component import Component
from nnrun.spec.experiment import Experiment
from nnrun.spec.training import Training

Labels = Literal["class numbers", "one column per class", "one column of 0 and 1", "values"]

_NUMBERS: tuple[Labels, ...] = ("class numbers",)
_COLUMNS: tuple[Labels, ...] = ("one column per class",)
_CLASSES: tuple[Labels, ...] = ("one column of 0 and 1", "one column per class")
_VALUES: tuple[Labels, ...] = ("values", *_CLASSES)

_METRICS: dict[tuple[Labels, ...], str] = {
    # Keras chooses the meaning of `accuracy` by the labels.
    (*_NUMBERS, *_CLASSES): "accuracy acc",
    # These test for equality, or use no labels.
    (): "Accuracy Mean Sum IoU MeanIoU",
    _NUMBERS: "SparseCategoricalAccuracy SparseCategoricalCrossentropy "
    "SparseTopKCategoricalAccuracy",
    _COLUMNS: "CategoricalAccuracy CategoricalCrossentropy CategoricalHinge OneHotIoU "
    "OneHotMeanIoU TopKCategoricalAccuracy",
    _VALUES: "ConcordanceCorrelation CosineSimilarity KLDivergence LogCoshError MeanAbsoluteError "
    "MeanAbsolutePercentageError MeanSquaredError MeanSquaredLogarithmicError PearsonCorrelation "
    "Poisson R2Score RootMeanSquaredError",
}
_ACCEPTED = {name: labels for labels, names in _METRICS.items() for name in names.split()}
# A name is a column of the history, a key of the metrics, and part of a file name.
_NAME = re.compile(r"(?!val_)[A-Za-z0-9_][A-Za-z0-9_.-]*")
_RESERVED = frozenset({"loss", "epoch", "learning_rate", "confusion", "gallery", "predicted"})
# Errors and distances; for all others larger is better.
_LOWER_IS_BETTER = re.compile(r"Error|Crossentropy|Hinge|Divergence|Poisson|^False")
# Losses that take class numbers, though their names do not show it.
_CLASS_NUMBERS = {"categoricalgeneralizedcrossentropy", "circle"}
# Losses of classes whose outputs are not probabilities.
_NO_PROBABILITIES = {"circle", "categoricalhinge"}
# Layers that leave the last dimension as it is.
_KEEP_WIDTH = {"Activation", "Dropout", "Softmax", "ReLU", "LeakyReLU", "BatchNormalization"}


class Labelled(Protocol):
    """A dataset, or its profile."""

    @property
    def name(self) -> str:
        """Name in the spec."""

    @property
    def classes(self) -> Sequence[object]:
        """One entry per class; empty for a regression."""

    @property
    def target(self) -> str:
        """Meaning of a label."""


def accepted_labels(metric: str) -> tuple[Labels, ...]:
    """The labels that a metric accepts."""
    # All metrics that are not listed count true and false outputs per column.
    return _ACCEPTED.get(catalogue.canonical_name("metrics", metric), _CLASSES)


def metric_problems(training: Training, labels: Labels) -> Iterator[IncompatibleSpec]:
    """Metrics that do not fit the labels, and invalid names of metrics."""
    for index, metric in enumerate(training.metrics):
        path, name = ("training", "metrics", index), metric.arguments.get("name")
        accepted = accepted_labels(metric.name)
        if labels not in accepted:
            needs = f"needs {' or '.join(accepted)}"
            needs = needs if accepted else "cannot judge a model's output"
            message = f"{metric.name} {needs}; with {training.loss.name} the labels are {labels}"
            yield IncompatibleSpec("NN125", path, message)
        elif name is not None and (name in _RESERVED or not _NAME.fullmatch(str(name))):
            message = (
                f"'{name}' is not a valid name of a metric; use letters, digits, '_', '-' and '.', "
                f"without val_ at the beginning, and none of {', '.join(sorted(_RESERVED))}"
            )
            yield IncompatibleSpec("NN114", (*path, metric.name, "name"), message)


def improves_upwards(name: str) -> bool:
    """Whether larger values of a metric or loss are better; `name` is canonical."""
    return not _LOWER_IS_BETTER.search(name)


def logged_names(metric: Component) -> list[str]:
    """Names under which Keras may report a metric, most likely first."""
    argument = catalogue.arguments("metrics", metric.name).get("name")
    # Keras's default names, such as `mean_io_u`.
    snake = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", metric.name)
    snake = re.sub(r"([a-z])([A-Z])", r"\1_\2", snake).lower()
    names = (metric.arguments.get("name"), metric.name, argument and argument.default, snake)
    return [str(name) for name in names if name]


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


def are_probabilities(training: Training) -> bool:
    """Whether the model's output is a probability, or a logit of one."""
    loss = training.loss.name
    classifies = loss_family(loss) in ("sparse", "categorical", "binary")
    return classifies and loss.replace("_", "").lower() not in _NO_PROBABILITIES


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


def last_with_units(model: Sequence[Component]) -> int:
    """The last layer with a width, which can be changed."""
    wide = [index for index, layer in enumerate(model) if "units" in layer.arguments]
    return wide[-1] if wide else len(model) - 1


def label_problems(dataset: Labelled, spec: Experiment, units: int) -> Iterator[IncompatibleSpec]:
    """Why the loss, the output's width (`units`) or a metric does not fit the labels."""
    training, last = spec.training, spec.model[-1]
    loss, classes = training.loss, len(dataset.classes)
    family = loss_family(loss.name)
    if not classes and family != "other":
        message = (
            f"{loss.name} needs classes, but {dataset.name} has a number per row "
            f"({dataset.target}); use a loss such as mse"
        )
        yield IncompatibleSpec("NN122", ("training", "loss"), message)
        return
    # One output for a value or for class 1, otherwise one per class.
    allowed: tuple[int, ...] = (classes or 1,)
    if classes == 2 and family not in ("sparse", "categorical"):
        allowed = (1, 2)
    if units not in allowed:
        yield _wrong_units(dataset, spec, units, allowed)
    activation = "softmax" if last.name == "Softmax" else last.arguments.get("activation")
    if loss.arguments.get("from_logits") and activation in ("softmax", "sigmoid"):
        message = (
            f"{loss.name} takes logits, but the model outputs probabilities: "
            "remove either from_logits or the last activation"
        )
        yield IncompatibleSpec("NN122", ("training", "loss"), message)
    if units == 1 and units in allowed and activation == "softmax":
        message = "softmax over one unit always outputs 1; use sigmoid"
        yield IncompatibleSpec("NN121", ("model", len(spec.model) - 1), message)
    # Metrics are checked as if the width were right.
    width = units if units in allowed else allowed[-1]
    if not classes:
        labels: Labels = "values"
    elif family == "sparse":
        labels = "class numbers"
    else:
        labels = "one column per class" if width > 1 else "one column of 0 and 1"
    yield from metric_problems(training, labels)


def _wrong_units(
    dataset: Labelled, spec: Experiment, units: int, allowed: tuple[int, ...]
) -> IncompatibleSpec:
    classes = len(dataset.classes)
    expected = f"{classes} classes" if classes else "1 value"
    expected += f": units must be {' or '.join(map(str, allowed))}"
    message = f"the model has {units} outputs, but {dataset.name} has {expected}"
    if classes == 2 and units == 1:
        message += ", or the loss binary_crossentropy"
    return IncompatibleSpec("NN121", ("model", last_with_units(spec.model)), message)


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


def check(dataset: Labelled, spec: Experiment, units: int) -> None:
    """Raises the first of `label_problems`, an `IncompatibleSpec`."""
    for problem in label_problems(dataset, spec, units):
        raise problem


def check_output(dataset: Labelled, spec: Experiment, shape: tuple[int | None, ...]) -> int:
    """The width of the model's output; raises the first of `output_problems`."""
    for problem in output_problems(dataset, spec, shape):
        raise problem
    return int(shape[0] or 0)
