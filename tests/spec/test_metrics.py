"""Metrics that the labels fit, and names that a metric may have."""

from __future__ import annotations

from typing import Any

import pytest

from nnrun.spec import catalogue
from nnrun.spec.component import Component
from nnrun.spec.labels import Labels, accepted_labels, metric_problems
from nnrun.spec.training import Training


def training(metric: str, **arguments: Any) -> Training:
    return Training(
        optimizer=Component(name="sgd"),
        loss=Component(name="mse"),
        metrics=(Component(name=metric, arguments=arguments),),
        epochs=1,
    )


def told(training: Training, labels: Labels) -> list[str]:
    return [problem.message for problem in metric_problems(training, labels)]


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
def test_a_metric_that_fits_passes(metric: str, labels: Labels) -> None:
    """Words and Keras's own names alike."""
    assert not told(training(metric), labels)


@pytest.mark.parametrize(
    ("metric", "labels", "message"),
    [
        (
            "categorical_accuracy",
            "class numbers",
            "categorical_accuracy needs one column per class; with mse the labels are class numbers",
        ),
        (
            "accuracy",
            "values",
            "accuracy needs class numbers or one column of 0 and 1 or one column per class; "
            "with mse the labels are values",
        ),
        (
            "mae",
            "class numbers",
            "mae needs values or one column of 0 and 1 or one column per class; "
            "with mse the labels are class numbers",
        ),
        (
            "Accuracy",
            "one column of 0 and 1",
            "Accuracy cannot judge a model's output; with mse the labels are one column of 0 and 1",
        ),
    ],
)
def test_a_metric_that_would_report_nonsense_is_refused(
    metric: str, labels: Labels, message: str
) -> None:
    """Keras broadcasts one against the other and reports a number."""
    assert told(training(metric), labels) == [message]


def test_every_metric_of_keras_has_its_labels() -> None:
    """Only those that judge no model take none."""
    useless = {name for name in catalogue.names("metrics") if not accepted_labels(name)}

    assert useless == {"Accuracy", "Mean", "mean", "Sum", "sum", "IoU", "MeanIoU"}


@pytest.mark.parametrize("name", ["../../evil", "a/b", "val_x", "loss", "epoch", "confusion", ""])
def test_a_name_that_is_no_name_is_refused(name: str) -> None:
    """It becomes a column, a key and a file; each of these would break one of them."""
    [message] = told(training("mae", name=name), "values")

    assert message.startswith(f"'{name}' is not a valid name of a metric")


def test_a_name_of_ones_own_is_kept() -> None:
    """Two of one kind must be told apart."""
    assert not told(training("mae", name="price_error"), "values")
