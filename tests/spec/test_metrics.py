"""Metrics must fit the labels, and have names that fit a file and a column."""

from __future__ import annotations

import math
from typing import Any

import pytest

from nnrun.spec import catalogue
from nnrun.spec.component import Component
from nnrun.spec.labels import (
    Labels,
    accepted_labels,
    adapted,
    all_bounds,
    bounds,
    metric_problems,
)
from nnrun.spec.training import Training

MSE = Component(name="mse")
MANY_LOGITS = {"CategoricalCrossentropy": {"from_logits": True}}
LOGITS = Component(name="BinaryCrossentropy", arguments={"from_logits": True})


def training(metric: str, loss: Component = MSE, **arguments: Any) -> Training:
    metrics = (Component(name=metric, arguments=arguments),)
    return Training(optimizer=Component(name="sgd"), loss=loss, metrics=metrics, epochs=1)


def problems(labels: Labels, metric: str, **arguments: Any) -> list[str]:
    units = 10 if labels in ("class numbers", "one column per class") else 1
    found = metric_problems(training(metric, **arguments), labels, units)
    return [problem.message for problem in found]


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
        ("mae", "class numbers", "needs values or one column of 0 and 1 or one column per class or a column of 0 and 1 per label"),
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

    assert refused == {"Accuracy", "Mean", "mean", "Sum", "sum"}


@pytest.mark.parametrize("name", ["../../evil", "a/b", "val_x", "loss", "epoch", "confusion", ""])
def test_an_invalid_name_of_a_metric_is_refused(name: str) -> None:
    """A name becomes a column, a key and a file."""
    [message] = problems("values", "mae", name=name)

    assert message.startswith(f"'{name}' is not a valid name of a metric")


def test_a_metric_can_have_a_name() -> None:
    assert not problems("values", "mae", name="price_error")


@pytest.mark.parametrize(
    ("units", "metric", "arguments", "message"),
    [
        (1, "PearsonCorrelation", {}, "over the outputs of one row, and needs 3 or more"),
        (2, "ConcordanceCorrelation", {}, "over the outputs of one row, and needs 3 or more"),
        (1, "cosine_similarity", {}, "over the outputs of one row, and needs 2 or more"),
        (1, "KLDivergence", {}, "over the outputs of one row, and needs 2 or more"),
        (3, "PearsonCorrelation", {"axis": 0}, "depends on how the rows are divided"),
        (1, "mape", {}, "divides by the labels"),
        (3, "TopKCategoricalAccuracy", {}, "right: k is 5, and there are 3 classes"),
        (3, "Precision", {"top_k": 3}, "top_k must be less than their number, 3"),
        (1, "Recall", {"class_id": 0}, "leave class_id out"),
        (3, "Recall", {"class_id": 3}, "class_id from 0 to 2"),
        (1, "Precision", {"thresholds": [0.3, 0.5]}, "write it once for each of them"),
        (1, "F1Score", {"average": "macro"}, "leave average out"),
        (2, "F1Score", {}, "write average: macro if that is meant"),
        (2, "FBetaScore", {"beta": 2.0}, "write average: macro if that is meant"),
        (2, "AUC", {}, "counts the outputs of both classes; use one unit"),
        (2, "TruePositives", {}, "counts the outputs of both classes; use one unit"),
        (2, "BinaryIoU", {}, "counts the outputs of both classes; use one unit"),
        (3, "OneHotMeanIoU", {"num_classes": 4}, "must have num_classes: 3"),
        (3, "OneHotMeanIoU", {"num_classes": 3, "sparse_y_pred": True}, "class numbers as outputs"),
    ],
)
def test_a_metric_that_would_mean_something_else_is_refused(
    units: int, metric: str, arguments: dict[str, Any], message: str
) -> None:
    kind: Labels = "one column per class" if units > 1 else "one column of 0 and 1"
    [problem] = metric_problems(training(metric, **arguments), kind, units)

    assert (problem.code, problem.path) == ("NN125", ("training", "metrics", 0))
    assert problem.message.startswith(metric)
    assert message in problem.message


@pytest.mark.parametrize(
    ("metric", "arguments"),
    [("F1Score", {}), ("PrecisionAtRecall", {"recall": 0.5}), ("Recall", {"thresholds": 0.7})],
)
def test_a_metric_of_probabilities_refuses_a_logit(metric: str, arguments: dict[str, Any]) -> None:
    [problem] = metric_problems(training(metric, LOGITS, **arguments), "one column of 0 and 1", 1)

    assert "needs probabilities; end the model with sigmoid" in problem.message


@pytest.mark.parametrize(
    ("metric", "arguments", "is_refused"),
    [
        ("Precision", {}, True),
        ("Recall", {"class_id": 1}, True),
        ("AUC", {"multi_label": True}, True),
        ("TruePositives", {}, True),
        ("BinaryCrossentropy", {}, True),
        ("PrecisionAtRecall", {"recall": 0.5}, True),
        ("KLDivergence", {}, True),
        ("Precision", {"top_k": 1}, False),
        ("Precision", {"thresholds": 0.0}, False),
        ("AUC", {"from_logits": True, "multi_label": True}, False),
        ("F1Score", {}, False),
        ("CategoricalAccuracy", {}, False),
        ("TopKCategoricalAccuracy", {"k": 2}, False),
        ("CategoricalCrossentropy", {}, False),
    ],
)
@pytest.mark.parametrize("loss", [MANY_LOGITS, "categorical_hinge"])
def test_a_metric_of_probabilities_refuses_scores_of_several_classes(
    metric: str, arguments: dict[str, Any], is_refused: bool, loss: Any
) -> None:
    """Which class has the largest score is known, and no probability."""
    problems = [*metric_problems(training(metric, loss, **arguments), "one column per class", 4)]

    assert [problem.message.partition(";")[0] for problem in problems] == [
        f"{metric} needs probabilities, and the loss takes scores"
    ] * is_refused


@pytest.mark.parametrize(
    ("units", "metric", "given", "arguments"),
    [
        (1, "F1Score", {}, {"threshold": 0.5}),
        (1, "F1Score", {"threshold": 0.3}, {"threshold": 0.3}),
        (3, "F1Score", {}, {}),
        (2, "Precision", {}, {"class_id": 1}),
        (2, "Recall", {"class_id": 0}, {"class_id": 0}),
        (3, "Precision", {}, {}),
    ],
)
def test_a_metric_gets_the_arguments_that_its_name_asks_for(
    units: int, metric: str, given: dict[str, Any], arguments: dict[str, Any]
) -> None:
    wanted = adapted(Component(name=metric, arguments=given), training(metric), units)

    assert wanted.arguments == arguments


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("accuracy", 0, 1),
        ("SparseTopKCategoricalAccuracy", 0, 1),
        ("F1Score", 0, 1),
        ("AUC", 0, 1),
        ("OneHotMeanIoU", 0, 1),
        ("R2Score", -math.inf, 1),
        ("CosineSimilarity", -1, 1),
        ("BinaryCrossentropy", 0, math.inf),
        ("MeanSquaredError", 0, math.inf),
        ("FalseNegatives", 0, math.inf),
        ("Poisson", -math.inf, math.inf),
        ("", -math.inf, math.inf),
    ],
)
def test_bounds_of_metrics(name: str, low: float, high: float) -> None:
    assert bounds(name) == (low, high)


def test_bounds_go_by_the_names_of_the_history() -> None:
    metrics = ("Precision", {"Precision": {"class_id": 0}}, {"F1Score": {"name": "f1"}}, "mae")
    content = {"optimizer": "sgd", "loss": "mse", "metrics": metrics, "epochs": 1}
    limits = all_bounds(Training.model_validate(content))

    assert {limits[name] for name in ("precision", "precision_1", "f1")} == {(0, 1)}
    assert {limits[name] for name in ("loss", "mae")} == {(0, math.inf)}
