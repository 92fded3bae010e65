"""Metrics must fit the labels, and have names that fit a file and a column."""

from __future__ import annotations

from typing import Any

import pytest

from nnrun.spec import catalogue
from nnrun.spec.component import Component
from nnrun.spec.labels import Labels, accepted_labels, metric_problems
from nnrun.spec.training import Training


def problems(labels: Labels, metric: str, **arguments: Any) -> list[str]:
    metrics = (Component(name=metric, arguments=arguments),)
    training = Training(
        optimizer=Component(name="sgd"), loss=Component(name="mse"), metrics=metrics, epochs=1
    )
    units = 10 if labels in ("class numbers", "one column per class") else 1
    return [problem.message for problem in metric_problems(training, labels, units)]


@pytest.mark.parametrize(
    ("metric", "labels"),
    [
        ("accuracy", "class numbers"),
        ("accuracy", "one column per class"),
        ("accuracy", "one column of 0 and 1"),
        ("sparse_categorical_accuracy", "class numbers"),
        ("TopKCategoricalAccuracy", "one column per class"),
        ("AUC", "one column of 0 and 1"),
        ("Precision", "one column per class"),
        ("mae", "values"),
        ("mse", "one column of 0 and 1"),
    ],
)
def test_a_metric_that_fits_the_labels_passes(metric: str, labels: Labels) -> None:
    assert not problems(labels, metric)


@pytest.mark.parametrize(
    ("metric", "labels", "message"),
    [
        ("categorical_accuracy", "class numbers", "needs one column per class"),
        ("accuracy", "values", "needs class numbers or one column of 0 and 1 or one column per class"),
        ("mae", "class numbers", "needs values or one column of 0 and 1 or one column per class"),
        ("Accuracy", "one column of 0 and 1", "cannot judge a model's output"),
    ],
)  # fmt: skip
def test_a_metric_that_does_not_fit_the_labels_is_refused(
    metric: str, labels: Labels, message: str
) -> None:
    """Keras broadcasts labels and outputs, and reports a meaningless number."""
    assert problems(labels, metric) == [f"{metric} {message}; with mse the labels are {labels}"]


def test_every_other_metric_of_keras_accepts_labels() -> None:
    refused = {name for name in catalogue.names("metrics") if not accepted_labels(name)}

    assert refused == {"Accuracy", "Mean", "mean", "Sum", "sum", "IoU", "MeanIoU"}


@pytest.mark.parametrize("name", ["../../evil", "a/b", "val_x", "loss", "epoch", "confusion", ""])
def test_an_invalid_name_of_a_metric_is_refused(name: str) -> None:
    """A name becomes a column, a key and a file."""
    [message] = problems("values", "mae", name=name)

    assert message.startswith(f"'{name}' is not a valid name of a metric")


def test_a_metric_can_have_a_name() -> None:
    assert not problems("values", "mae", name="price_error")
