"""Which Keras metrics take which labels.

Keras does not check: a metric that compares class numbers with columns reports a number all the
same, and a person believes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from nnrun.errors import Misfit
from nnrun.spec import catalogue
from nnrun.spec.component import Component
from nnrun.spec.training import Training

Labels = Literal["class numbers", "one column per class", "one column of 0 and 1", "values"]

_NUMBERS: tuple[Labels, ...] = ("class numbers",)
_COLUMNS: tuple[Labels, ...] = ("one column per class",)
_CLASSES: tuple[Labels, ...] = ("one column of 0 and 1", "one column per class")
_VALUES: tuple[Labels, ...] = ("values", *_CLASSES)
_ANY_CLASSES: tuple[Labels, ...] = (*_NUMBERS, *_CLASSES)

# What `accuracy` means depends on the labels; Keras finds out by itself.
_WORDS = frozenset({"accuracy", "acc"})
# These compare for equality, or take no labels at all.
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

# A name is a column of the history, a key of the metrics and part of a plot's file name.
_NAME = re.compile(r"(?!val_)[A-Za-z0-9_][A-Za-z0-9_.-]*")
_TAKEN = frozenset({"loss", "epoch", "learning_rate", "confusion", "gallery", "predicted"})


def misfits(training: Training, labels: Labels) -> Iterator[Misfit]:
    """Metrics that would report nonsense, and names that something else has.

    Args:
        training: names the metrics and the loss.
        labels: what a metric gets to see.
    """
    for index, metric in enumerate(training.metrics):
        path = ("training", "metrics", index)
        fitting = taken(metric.name)
        if labels not in fitting:
            needs = f"needs {' or '.join(fitting)}" if fitting else "cannot judge a model's output"
            message = f"{metric.name} {needs}; with {training.loss.name} the labels are {labels}"
            yield Misfit("NN125", path, message)
        elif misfit := _misnamed(metric, path):
            yield misfit


def taken(name: str) -> tuple[Labels, ...]:
    """The labels that a metric takes.

    Args:
        name: Keras's own, or a word such as `mse`.
    """
    own_name = catalogue.meaning("metrics", name)
    if name in _WORDS:
        return _ANY_CLASSES
    if own_name in _NEVER:
        return ()
    # What is in no set counts true and false answers, column by column.
    return next((labels for labels, names in _TAKES.items() if own_name in names), _CLASSES)


def _misnamed(metric: Component, path: tuple[str | int, ...]) -> Misfit | None:
    name = metric.arguments.get("name")
    if name is None or (name not in _TAKEN and _NAME.fullmatch(str(name))):
        return None
    message = (
        f"a metric cannot be called '{name}'; letters, digits, '_', '-' and '.' make a name, "
        f"but not one that begins with val_, nor {', '.join(sorted(_TAKEN))}"
    )
    return Misfit("NN114", (*path, metric.name, "name"), message)


# Errors and distances; of anything else more is better.
_DOWNWARDS = re.compile(r"Error|Crossentropy|Hinge|Divergence|Poisson|^False")


def improves_upwards(name: str) -> bool:
    """Whether more of a metric, or of a loss, is better; `name` is Keras's own."""
    return not _DOWNWARDS.search(name)


def logged_as(metric: Component) -> list[str]:
    """The names under which Keras may report a metric, the likeliest first."""
    entry = catalogue.entry("metrics", metric.name)
    default = entry.accepted["name"].default if entry and "name" in entry.accepted else None
    # As Keras names what has no name, such as `mean_io_u`.
    snake = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", metric.name)
    snake = re.sub(r"([a-z])([A-Z])", r"\1_\2", snake).lower()
    names = (metric.arguments.get("name"), metric.name, default, snake)
    return [str(name) for name in names if name]
