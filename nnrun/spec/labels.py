"""Which losses, output widths, metrics and labels fit together.

Keras does not check labels: a metric that compares class numbers with columns gives a number too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

from nnrun.errors import IncompatibleSpec
from nnrun.spec import catalogue
from nnrun.spec.code import is_own
from nnrun.spec.component import Component
from nnrun.spec.experiment import Experiment
from nnrun.spec.training import Training
from nnrun.types import Target

Labels = Literal[
    "class numbers",
    "one column per class",
    "one column of 0 and 1",
    "a column of 0 and 1 per label",
    "values",
]

_NUMBERS: tuple[Labels, ...] = ("class numbers",)
_COLUMNS: tuple[Labels, ...] = ("one column per class",)
_SEVERAL: tuple[Labels, ...] = ("a column of 0 and 1 per label",)
_SINGLE: tuple[Labels, ...] = ("one column of 0 and 1", "one column per class")
_CLASSES: tuple[Labels, ...] = (*_SINGLE, *_SEVERAL)
_VALUES: tuple[Labels, ...] = ("values", *_CLASSES)

_METRICS: dict[tuple[Labels, ...], str] = {
    # Keras chooses the meaning of `accuracy` by the labels.
    (*_NUMBERS, *_SINGLE): "accuracy acc",
    # These test for equality, or use no labels.
    (): "Accuracy Mean Sum",
    _NUMBERS: "IoU MeanIoU SparseCategoricalAccuracy SparseCategoricalCrossentropy "
    "SparseTopKCategoricalAccuracy",
    _COLUMNS: "CategoricalAccuracy CategoricalCrossentropy CategoricalHinge OneHotIoU "
    "OneHotMeanIoU TopKCategoricalAccuracy",
    _VALUES: "ConcordanceCorrelation CosineSimilarity KLDivergence LogCoshError MeanAbsoluteError "
    "MeanAbsolutePercentageError MeanSquaredError MeanSquaredLogarithmicError PearsonCorrelation "
    "Poisson R2Score RootMeanSquaredError",
}
_ACCEPTED = {name: labels for labels, names in _METRICS.items() for name in names.split()}
_F_SCORES = frozenset(("F1Score", "FBetaScore"))
# These take rows of columns only.
_OF_ROWS = _F_SCORES | {"R2Score"}
# These count the outputs of all classes unless they have a `class_id`.
_WITH_CLASS_ID = frozenset(
    "Precision Recall PrecisionAtRecall RecallAtPrecision SensitivityAtSpecificity "
    "SpecificityAtSensitivity".split()
)
_COUNTS = frozenset("TruePositives TrueNegatives FalsePositives FalseNegatives".split())
# Keras computes these for each row, over its outputs; with the least number of outputs.
_OVER_OUTPUTS = {
    "PearsonCorrelation": 3,
    "ConcordanceCorrelation": 3,
    "CosineSimilarity": 2,
    "KLDivergence": 2,
}
# Thresholds of metrics where 0 and not 0.5 divides the outputs of one unit.
_SIGNED: dict[str, dict[str, object]] = {
    "BinaryAccuracy": {"threshold": 0.0},
    "BinaryIoU": {"threshold": 0.0},
    **{name: {"thresholds": 0.0} for name in ("Precision", "Recall", *_COUNTS)},
    "AUC": {"from_logits": True},
}
# These take outputs for probabilities of classes.
_OF_PROBABILITIES = (
    _COUNTS | _WITH_CLASS_ID | {"AUC", "BinaryAccuracy", "BinaryCrossentropy", "BinaryIoU"}
) | {"KLDivergence"}
_BOUNDS = {
    "R2Score": (-math.inf, 1.0),
    **dict.fromkeys(("Poisson", "KLDivergence"), (-math.inf, math.inf)),
    **dict.fromkeys(
        ("CosineSimilarity", "PearsonCorrelation", "ConcordanceCorrelation"), (-1.0, 1.0)
    ),
}
_SHARE = re.compile(r"(?i)accuracy|^acc$|^AUC$|^Precision|^Recall|Specificity|IoU$|^F1|^FBeta")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
# A name is a column of the history, a key of the metrics, and part of a file name.
_NAME = re.compile(r"(?!val_)[A-Za-z0-9_][A-Za-z0-9_.-]*")
_RESERVED = frozenset({"loss", "epoch", "learning_rate", "confusion", "gallery", "predicted"})
# Errors and distances; for all others larger is better.
_LOWER_IS_BETTER = re.compile(r"Error|Crossentropy|Hinge|Divergence|Poisson|^False")
_OWN_LOWER_IS_BETTER = re.compile(f"(?i){_LOWER_IS_BETTER.pattern}|loss|distance|deviation")
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
    def target(self) -> Target:
        """Meaning of a label."""


def are_numbers(classes: Sequence[object]) -> bool:
    """Whether the name of a class is a number, so that a number always means a name."""
    return any(isinstance(name, str) and _NUMBER.fullmatch(name.strip()) for name in classes)


def accepted_labels(metric: str) -> tuple[Labels, ...]:
    """The labels that a metric accepts; what the user's own metrics accept is not known."""
    if is_own(metric):
        return (*_NUMBERS, *_VALUES)
    # All metrics that are not listed count true and false outputs per column.
    return _ACCEPTED.get(catalogue.canonical_name("metrics", metric), _CLASSES)


def metric_problems(training: Training, labels: Labels, units: int) -> Iterator[IncompatibleSpec]:
    """Metrics that do not fit the labels or the output's width, and invalid names of metrics."""
    for index, metric in enumerate(training.metrics):
        path, name = ("training", "metrics", index), metric.arguments.get("name")
        accepted = accepted_labels(metric.name)
        if labels not in accepted:
            needs = f"needs {' or '.join(accepted)}"
            needs = needs if accepted else "cannot judge a model's output"
            message = f"{metric.name} {needs}; with {training.loss.name} the labels are {labels}"
            if labels in _SEVERAL and metric.name in ("accuracy", "acc"):
                message = f"{metric.name} compares one class per row; write binary_accuracy"
            yield IncompatibleSpec("NN125", path, message)
        elif objection := _objection(metric, training, labels, units):
            yield IncompatibleSpec("NN125", path, f"{metric.name} {objection}")
        elif name is not None and (name in _RESERVED or not _NAME.fullmatch(str(name))):
            message = (
                f"'{name}' is not a valid name of a metric; use letters, digits, '_', '-' and '.', "
                f"without val_ at the beginning, and none of {', '.join(sorted(_RESERVED))}"
            )
            yield IncompatibleSpec("NN114", (*path, metric.name, "name"), message)


def _objection(metric: Component, training: Training, labels: Labels, units: int) -> str:
    """Why Keras would compute something else than the name of a metric says; else empty."""
    name, given = catalogue.canonical_name("metrics", metric.name), metric.arguments
    least, k, class_id = _OVER_OUTPUTS.get(name, 1), given.get("k", 5), given.get("class_id")
    chosen = given.get("threshold", given.get("thresholds"))
    is_f, is_counted = name in _F_SCORES, name in _COUNTS | {"AUC", "BinaryIoU"}
    several = labels in _SEVERAL
    has_signs = is_signed(training, units, several=several)
    takes_threshold = name in _SIGNED and name != "AUC"
    of_all = "counts the outputs of both classes; use one unit with sigmoid and binary_crossentropy"
    objections = {
        f"is computed over the outputs of one row, and needs {least} or more; here R2Score fits": (
            units < least
        ),
        "depends on how the rows are divided into batches; leave axis out": (
            given.get("axis", -1) not in (-1, 1)
        ),
        "divides by the labels, which are 0 for all classes but one": (
            name == "MeanAbsolutePercentageError" and labels != "values"
        ),
        f"counts every row as right: k is {k}, and there are {units} classes": (
            "TopK" in name and isinstance(k, int) and k >= units
        ),
        f"counts every output: top_k must be less than their number, {units}": (
            isinstance(given.get("top_k"), int) and given["top_k"] >= units
        ),
        "has no class_id to choose: one unit is of the positive class; leave class_id out": (
            class_id is not None and units == 1 and not several
        ),
        f"must have a class_id from 0 to {units - 1}": (
            isinstance(class_id, int) and not 0 <= class_id < units
        ),
        "would be a mean over thresholds; write it once for each of them, with a name": (
            takes_threshold and isinstance(chosen, list) and len(chosen) > 1
        ),
        "has no classes to average: one unit is of the positive class; leave average out": (
            is_f and units == 1 and given.get("average") is not None and not several
        ),
        "is a mean over both classes; write average: macro if that is meant, or use one unit with "
        "sigmoid and binary_crossentropy": (
            is_f and units == 2 and given.get("average") is None and not several
        ),
        "needs probabilities; end the model with sigmoid, without from_logits": (
            has_signs
            and (
                (is_f and (units == 1 or several or chosen is not None))
                or name in _WITH_CLASS_ID - _SIGNED.keys()
                or (takes_threshold and chosen)
            )
        ),
        "needs probabilities, and the loss takes scores; end the model with softmax, without "
        "from_logits": (
            units > 1
            and not has_signs
            and _are_scores(training)
            and name in _OF_PROBABILITIES
            and not {"from_logits", "threshold", "thresholds", "top_k"} & given.keys()
        ),
        of_all + (", or write multi_label: true" if name == "AUC" else ""): (
            units == 2 and is_counted and not given.get("multi_label") and not several
        ),
        f"must have num_classes: {units}": given.get("num_classes", units) != units,
        "takes class numbers as outputs, which this model has not": (
            given.get("from_sorted_ids") or given.get("sparse_y_pred")
        ),
    }
    return next((text for text, applies in objections.items() if applies), "")


def outputs_logits(training: Training) -> bool:
    """Whether the loss itself turns the model's output into probabilities."""
    return training.loss.arguments.get("from_logits") is True


def _are_scores(training: Training) -> bool:
    """Whether the outputs of classes are logits, or other scores that are no probabilities."""
    loss = training.loss.name.replace("_", "").lower()
    return outputs_logits(training) or loss in _NO_PROBABILITIES


def is_signed(training: Training, units: int, *, several: bool) -> bool:
    """Whether the output of each unit is positive for class 1 and negative for class 0."""
    is_logit = outputs_logits(training) or threshold(training.loss.name) == 0
    by_unit = loss_family(training.loss.name) in ("binary", "hinge")
    return (units == 1 or several or by_unit) and is_logit


def adapted(
    metric: Component, training: Training, units: int, *, several: bool = False
) -> Component:
    """A metric with the arguments that it needs to judge the output of a model.

    Keras compares logits with 0.5, counts every output of one unit as positive for an F-score, or
    the largest one of several, and pools two units, where precision and recall are of class 1.

    Args:
        metric: as in the spec.
        training: with the loss.
        units: width of the output.
        several: whether each unit is of a label of its own.
    """
    alias, arguments = metric.name, dict[str, object]()
    is_accuracy = alias in ("accuracy", "acc")
    of_unit = is_accuracy and (units == 1 or several)
    name = "BinaryAccuracy" if of_unit else catalogue.canonical_name("metrics", alias)
    has_signs = is_signed(training, units, several=several)
    if has_signs:
        arguments |= _SIGNED.get(name, {})
    by_unit = name == "BinaryCrossentropy" and units > 1 and not has_signs
    is_entropy = name.endswith("Crossentropy") and not by_unit
    if is_entropy and training.loss.arguments.get("from_logits"):
        arguments["from_logits"] = True
    if name in _F_SCORES and (units == 1 or several):
        arguments["threshold"] = 0.5
    if name in ("IoU", "MeanIoU"):
        arguments["sparse_y_pred"] = False
    if name in _WITH_CLASS_ID and units == 2 and not several:
        arguments["class_id"] = 1
    if not arguments:
        return metric
    # The history shows a metric under the name in the spec.
    reported = {} if alias == name else {"name": alias}
    return Component(name=name, arguments={**arguments, **reported, **metric.arguments})


def positive_class(training: Training, classes: Sequence[str]) -> dict[str, str]:
    """As `positive`, the class that is counted so; empty if no metric depends on it."""
    of_one = _F_SCORES | _WITH_CLASS_ID | _COUNTS
    for metric in training.metrics:
        name = catalogue.canonical_name("metrics", metric.name)
        if len(classes) == 2 and (name in of_one or metric.arguments.get("curve") == "PR"):
            return {"positive": classes[1]}
    return {}


def bounds(name: str) -> tuple[float, float]:
    """The lowest and highest possible value of a metric or loss; `name` is canonical."""
    if is_own(name):
        return -math.inf, math.inf
    if _SHARE.search(name):
        return 0.0, 1.0
    is_known = _LOWER_IS_BETTER.search(name) or name in _COUNTS
    return _BOUNDS.get(name, (0.0 if is_known else -math.inf, math.inf))


def all_bounds(training: Training) -> dict[str, tuple[float, float]]:
    """`bounds` by the names under which Keras may report the loss and the metrics."""
    found = {"loss": bounds(catalogue.canonical_name("losses", training.loss.name))}
    for metric in training.metrics:
        limits = bounds(catalogue.canonical_name("metrics", metric.name))
        # Keras numbers equal names.
        for ending in ("", *(f"_{number}" for number in range(1, len(training.metrics)))):
            found |= {f"{name}{ending}": limits for name in logged_names(metric)}
    return found


def improves_upwards(name: str) -> bool:
    """Whether larger values of a metric or loss are better; `name` is canonical."""
    if is_own(name):
        return not _OWN_LOWER_IS_BETTER.search(name)
    return not _LOWER_IS_BETTER.search(name)


def logged_names(metric: Component) -> list[str]:
    """Names under which Keras may report a metric, most likely first."""
    argument = catalogue.arguments("metrics", metric.name).get("name")
    # Keras's default names, such as `mean_io_u`.
    name = metric.name.rpartition(".")[2]
    snake = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    snake = re.sub(r"([a-z])([A-Z])", r"\1_\2", snake).lower()
    names = (metric.arguments.get("name"), name, argument and argument.default, snake)
    return [str(name) for name in names if name]


def loss_family(loss: str) -> str:
    """`sparse`, `categorical`, `binary`, `hinge` or `other`, by the name of a loss."""
    name = loss.rpartition(".")[2].replace("_", "").lower()
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
    return classifies and loss.rpartition(".")[2].replace("_", "").lower() not in _NO_PROBABILITIES


def threshold(loss: str) -> float:
    """The output above which a single unit predicts class 1."""
    return 0.0 if loss_family(loss) == "hinge" else 0.5


def output_units(model: Sequence[Component]) -> int | None:
    """Width of the model's output, if the spec alone shows it."""
    for layer in reversed(model):
        if is_own(layer.name):
            return None
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
    training, target = spec.training, dataset.target
    loss, classes = training.loss, target.class_count
    family = loss_family(loss.name)
    if message := _wrong_loss(dataset, spec):
        yield IncompatibleSpec("NN122", ("training", "loss"), message)
        return
    if target.kind == "inputs" and not target.shape:
        return  # the shape of prepared rows is known later
    # One output for a value or for class 1, otherwise one per class, label or value.
    allowed: tuple[int, ...] = (classes or (target.shape or (1,))[-1],)
    if target.kind in ("value", "inputs") and len(target.shape) > 1:
        allowed = (target.shape[-1], 1)
    if classes == 2 and family not in ("sparse", "categorical"):
        allowed = (1, 2)
    if units not in allowed:
        yield _wrong_units(dataset, spec, units, allowed)
    yield from _activation_problems(spec, target, one=units == 1 and units in allowed)
    # Metrics are checked as if the width were right.
    width = units if units in allowed else allowed[-1]
    yield from metric_problems(training, _encoding(target, family, width), width)
    if len(target.shape) > (target.kind != "class"):
        yield from _position_problems(training)


def _encoding(target: Target, family: str, width: int) -> Labels:
    """The form in which a loss gets the labels, for an output of some width."""
    if target.kind == "labels":
        return "a column of 0 and 1 per label"
    if not target.class_count:
        return "values"
    if family == "sparse":
        return "class numbers"
    return "one column per class" if width > 1 else "one column of 0 and 1"


def _activation_problems(
    spec: Experiment, target: Target, *, one: bool
) -> Iterator[IncompatibleSpec]:
    """A last activation that does not fit the loss or the labels; `one` unit is allowed and given."""
    last, loss = spec.model[-1], spec.training.loss
    activation = "softmax" if last.name == "Softmax" else last.arguments.get("activation")
    if loss.arguments.get("from_logits") and activation in ("softmax", "sigmoid"):
        message = (
            f"{loss.name} takes logits, but the model outputs probabilities: "
            "remove either from_logits or the last activation"
        )
        yield IncompatibleSpec("NN122", ("training", "loss"), message)
    if activation == "softmax" and (target.kind == "labels" or one):
        message = "softmax over one unit always outputs 1; use sigmoid"
        if target.kind == "labels":
            message = "softmax chooses one label, and a row may have several; use sigmoid"
        yield IncompatibleSpec("NN121", ("model", len(spec.model) - 1), message)


def _position_problems(training: Training) -> Iterator[IncompatibleSpec]:
    """Metrics that do not take labels of each position of a row."""
    for index, metric in enumerate(training.metrics):
        if catalogue.canonical_name("metrics", metric.name) in _OF_ROWS:
            message = f"{metric.name} needs one label per row, and here each position has one"
            yield IncompatibleSpec("NN125", ("training", "metrics", index), message)


def _wrong_loss(dataset: Labelled, spec: Experiment) -> str:
    """Why the loss cannot take the labels; empty if it can."""
    loss, target = spec.training.loss.name, dataset.target
    family = loss_family(loss)
    if target.kind == "labels" and family in ("sparse", "categorical"):
        return (
            f"{loss} needs one class per row, but a row of {dataset.name} has any number of "
            f"{len(target.names)} labels ({target.name}); use binary_crossentropy"
        )
    if target.kind == "inputs":
        takes_values = family in ("binary", "other")
        return (
            "" if takes_values else f"{loss} needs classes, and the labels are the inputs; use mse"
        )
    if target.kind != "value" or family == "other":
        return ""
    # `task` is an argument of user data.
    may_have_classes = getattr(spec.dataset, "task", "regression") is None and not target.shape
    hint = "write task: classification in dataset, or " if may_have_classes else ""
    held = f"{math.prod(target.shape)} numbers" if target.shape else "a number"
    return (
        f"{loss} needs classes, but {dataset.name} has {held} per row ({target.name}); {hint}use "
        "a loss such as mse"
    )


def _wrong_units(
    dataset: Labelled, spec: Experiment, units: int, allowed: tuple[int, ...]
) -> IncompatibleSpec:
    target = dataset.target
    classes = target.class_count
    count = target.shape[-1] if target.shape else 1
    expected = f"{classes} classes" if classes else "1 value" if count == 1 else f"{count} values"
    if target.kind == "labels":
        expected = f"{count} label{'s' if count > 1 else ''}"
    expected += f": units must be {' or '.join(map(str, allowed))}"
    message = f"the model has {units} outputs, but {dataset.name} has {expected}"
    if classes == 2 and units == 1:
        message += ", or the loss binary_crossentropy"
    return IncompatibleSpec("NN121", ("model", last_with_units(spec.model)), message)


def output_problems(
    dataset: Labelled, spec: Experiment, shape: tuple[int | None, ...]
) -> Iterator[IncompatibleSpec]:
    """Why the model's output does not fit the labels, given its shape per row."""
    target = dataset.target
    positions = target.shape if target.kind == "class" else target.shape[:-1]
    is_flat = (
        target.kind in ("value", "inputs") and len(target.shape) > 1 and shape == (*target.shape, 1)
    )
    width = shape[-1] if shape else None
    is_known = width is not None and len(shape) == len(positions) + 1 and shape[:-1] == positions
    if width is None or not (is_known or is_flat):
        label = "a label is one number; a Flatten or pooling layer may be missing"
        if positions:
            units = "units" if target.kind == "class" else str(target.shape[-1])
            label = f"a label has shape {target.shape}; it must be {_shape((*positions, units))}"
        message = f"the output has shape {shape} per row, but {label}"
        yield IncompatibleSpec("NN121", ("model", len(spec.model) - 1), message)
    else:
        yield from label_problems(dataset, spec, width)


def _shape(sizes: Sequence[object]) -> str:
    return f"({', '.join(map(str, sizes))})"


def check(dataset: Labelled, spec: Experiment, units: int) -> None:
    """Raises the first of `label_problems`, an `IncompatibleSpec`."""
    for problem in label_problems(dataset, spec, units):
        raise problem


def check_output(dataset: Labelled, spec: Experiment, shape: tuple[int | None, ...]) -> int:
    """The width of the model's output; raises the first of `output_problems`."""
    for problem in output_problems(dataset, spec, shape):
        raise problem
    return int(shape[-1] or 0)
