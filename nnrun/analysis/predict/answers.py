"""What a model puts out, in the words of its run: a class and how likely it is, or a value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnrun.analysis.predict.inputs import Raw
from nnrun.analysis.predict.trained import TrainedRun
from nnrun.data.labels import confidence, predicted_classes
from nnrun.spec.labels import are_probabilities, threshold
from nnrun.types import Array


@dataclass(frozen=True)
class Answer:
    """What is said of one row.

    Args:
        name: by what the row is called.
        text: what it says, where it is a text.
        label: the true class or value, where it is known.
        prediction: the predicted one.
        probability: of the predicted class, where the model puts out probabilities.
        probabilities: of each class by its name, likewise.
    """

    name: str
    text: str | None
    label: str | float | None
    prediction: str | float | None
    probability: float | None
    probabilities: dict[str, float | None] | None

    def as_json(self) -> dict[str, Any]:
        """What is known, by its name."""
        return {key: value for key, value in vars(self).items() if value is not None}


def answers(subject: TrainedRun, raw: Raw, output: Array) -> list[Answer]:
    """An answer per row.

    Args:
        subject: the run.
        raw: the rows.
        output: probabilities or values, of shape `(rows, units)`.
    """
    rows = len(raw)
    texts: Sequence[str | None] = raw.texts or [None] * rows
    predicted: Sequence[Any] = [_number(value) for value in output[:, 0].tolist()]
    labels: Sequence[Any] = [None] * rows if raw.y is None else raw.y.tolist()
    sure: Sequence[Any] = [None] * rows
    shares: Sequence[Any] = [None] * rows
    if names := subject.classes:
        training = subject.spec.training
        guess = predicted_classes(output, threshold=threshold(training.loss.name))
        predicted = [names[index] for index in guess]
        labels = [None if label is None else names[label] for label in labels]
        if are_probabilities(training):
            sure = [_number(value) for value in confidence(output).tolist()]
            shares = [_by_class(row, names) for row in _columns(output).tolist()]
    rest = zip(raw.names, texts, labels, predicted, sure, shares, strict=True)
    return [Answer(*each) for each in rest]


def _columns(output: Array) -> Array:
    """A column per class, also where one unit stands for two."""
    return np.hstack([1 - output, output]) if output.shape[-1] == 1 else output


def _by_class(row: list[float], names: Sequence[str]) -> dict[str, float | None]:
    return {name: _number(value) for name, value in zip(names, row, strict=True)}


def _number(value: float) -> float | None:
    """A number, or None where the model has lost itself."""
    return value if math.isfinite(value) else None
