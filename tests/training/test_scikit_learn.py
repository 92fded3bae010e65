"""Metrics, as nnrun evaluates them, equal those of scikit-learn on the same rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from nnrun.data import preprocessing
from nnrun.data.labels import encode
from nnrun.models import components
from nnrun.models.build import build
from nnrun.spec import labels
from nnrun.spec.component import Component
from nnrun.spec.training import Training
from nnrun.training.compile import compile_model
from nnrun.training.evaluate import Evaluator
from nnrun.training.rows import Rows, resident
from nnrun.types import Array, Target

ROWS = 1500  # more than are evaluated at once
RNG = np.random.default_rng(0)
CLASSES, WEIGHTS = RNG.integers(0, 4, ROWS), RNG.random(ROWS).astype(np.float32)
TWO = (CLASSES > 2).astype(int)
SCORES = RNG.normal(size=(ROWS, 4)) + 1.5 * np.eye(4)[CLASSES]
MANY = (np.exp(SCORES) / np.exp(SCORES).sum(axis=1, keepdims=True)).astype(np.float32)
LOGIT = (RNG.normal(size=ROWS) + 2 * TWO - 1.5).astype(np.float32)
ONE = 1 / (1 + np.exp(-LOGIT))
VALUES = RNG.gamma(2, size=ROWS)
GUESSES = np.abs(VALUES + RNG.normal(size=ROWS)).astype(np.float32)
COLUMNS = np.eye(4)[CLASSES]

TAGS = (RNG.random((ROWS, 3)) < [0.2, 0.4, 0.7]).astype(np.uint8)
TAG_LOGITS = (RNG.normal(size=TAGS.shape) + 2.0 * TAGS - 1).astype(np.float32)
TAG_SCORES = 1 / (1 + np.exp(-TAG_LOGITS))

BINARY_LOGITS = {"BinaryCrossentropy": {"from_logits": True}}
MANY_LOGITS = {"CategoricalCrossentropy": {"from_logits": True}}
# Loss, number of classes, labels and outputs of each kind of model.
MODELS: dict[str, tuple[Any, int, Array, Array]] = {
    "one unit": ("binary_crossentropy", 2, TWO, ONE[:, None]),
    "one logit": (BINARY_LOGITS, 2, TWO, LOGIT[:, None]),
    "one of hinge": ("hinge", 2, TWO, np.tanh(LOGIT)[:, None]),
    "two units": ("categorical_crossentropy", 2, TWO, np.stack([1 - ONE, ONE], axis=1)),
    "two logits": (BINARY_LOGITS, 2, TWO, np.stack([-LOGIT, LOGIT], axis=1)),
    "columns": ("categorical_crossentropy", 4, CLASSES, MANY),
    "logits": (MANY_LOGITS, 4, CLASSES, SCORES.astype(np.float32)),
    "numbers": ("sparse_categorical_crossentropy", 4, CLASSES, MANY),
    "values": ("mse", 0, VALUES, GUESSES[:, None]),
    "labels": ("binary_crossentropy", 0, TAGS, TAG_SCORES),
    "label logits": (BINARY_LOGITS, 0, TAGS, TAG_LOGITS),
}

Score = Callable[..., float]


def of_classes(score: Score, **options: Any) -> Score:
    """A score of the predicted classes, of one unit or several."""

    def scored(y: Array, output: Array, weights: Array | None) -> float:
        guess = output[:, 0] > 0.5 if output.shape[1] == 1 else output.argmax(axis=1)
        return float(score(y, guess.astype(int), sample_weight=weights, **options))

    return scored


def of_positive(score: Score, **options: Any) -> Score:
    """A score of the output for class 1."""
    return lambda y, output, weights: score(y, output[:, -1], sample_weight=weights, **options)


def count(true: int, guess: int) -> Score:
    def counted(y: Array, output: Array, weights: Array | None) -> float:
        table = sk.confusion_matrix(y, output[:, 0] > 0.5, sample_weight=weights)
        return float(table[true, guess])

    return counted


def of_columns(score: Score, **options: Any) -> Score:
    """A score over one column per class."""
    return lambda _, output, weights: score(COLUMNS, output, sample_weight=weights, **options)


def of_labels(score: Score, **options: Any) -> Score:
    """A score of the labels above 0.5."""
    return lambda y, output, _: score(y, (output > 0.5).astype(int), **options)


def of_scores(score: Score, **options: Any) -> Score:
    """A score of the outputs of all labels."""
    return lambda y, output, _: score(y, output, **options)


def precision_of(column: int) -> Score:
    return lambda y, output, weights: sk.precision_score(
        y == column, output[:, column] > 0.5, sample_weight=weights
    )


def root(score: Score) -> Score:
    return lambda *given: float(np.sqrt(score(*given)))


def mean(each: Callable[[Array, Array], Array]) -> Score:
    return lambda y, output, weights: float(np.average(each(y, output), weights=weights))


def sensitivity_at_half(y: Array, output: Array, weights: Array | None) -> float:
    false, true, _ = sk.roc_curve(y, output[:, -1], sample_weight=weights)
    return float(true[1 - false >= 0.5].max())


def area_under_precision(y: Array, output: Array, weights: Array | None) -> float:
    precision, recall, _ = sk.precision_recall_curve(y, output[:, -1], sample_weight=weights)
    return float(sk.auc(recall, precision))


accuracy, log_loss = of_classes(sk.accuracy_score), of_positive(sk.log_loss)
precision, recall = of_classes(sk.precision_score), of_classes(sk.recall_score)
squared, absolute = of_positive(sk.mean_squared_error), of_positive(sk.mean_absolute_error)
ranks = of_positive(sk.roc_auc_score)
many_log_loss = mean(lambda y, p: -np.log(p[np.arange(ROWS), y]))
top_2 = of_columns(lambda y, p, **more: sk.top_k_accuracy_score(y.argmax(axis=1), p, k=2, **more))
signed_loss = mean(lambda y, p: np.maximum(0, 1 - (2 * y - 1) * p[:, 0]))
both_classes = of_classes(sk.jaccard_score, average="macro")
F2 = of_classes(sk.fbeta_score, beta=2)
FINE = {"num_thresholds": 5000}
AT_HALF = ("SensitivityAtSpecificity", {"specificity": 0.5, **FINE})

CASES: list[tuple[str, str, dict[str, Any], Score]] = [
    ("one unit", "accuracy", {}, accuracy),
    ("one unit", "BinaryAccuracy", {}, accuracy),
    ("one unit", "Precision", {}, precision),
    ("one unit", "Recall", {}, recall),
    ("one unit", "F1Score", {}, of_classes(sk.f1_score)),
    ("one unit", "f1_score", {}, of_classes(sk.f1_score)),
    ("one unit", "FBetaScore", {"beta": 2.0}, F2),
    ("one unit", "AUC", FINE, ranks),
    ("one unit", "AUC", {"curve": "PR", **FINE}, area_under_precision),
    ("one unit", *AT_HALF, sensitivity_at_half),
    ("one unit", "TruePositives", {}, count(1, 1)),
    ("one unit", "FalsePositives", {}, count(0, 1)),
    ("one unit", "TrueNegatives", {}, count(0, 0)),
    ("one unit", "FalseNegatives", {}, count(1, 0)),
    ("one unit", "BinaryIoU", {}, both_classes),
    ("one unit", "BinaryCrossentropy", {}, log_loss),
    ("one unit", "MeanSquaredError", {}, squared),
    ("one unit", "MeanAbsoluteError", {}, absolute),
    ("one unit", "R2Score", {}, of_positive(sk.r2_score)),
    ("one logit", "accuracy", {}, accuracy),
    ("one logit", "Precision", {}, precision),
    ("one logit", "Recall", {}, recall),
    ("one logit", "AUC", FINE, ranks),
    ("one logit", "FalsePositives", {}, count(0, 1)),
    ("one logit", "BinaryIoU", {}, both_classes),
    ("one logit", "BinaryCrossentropy", {}, log_loss),
    ("one of hinge", "accuracy", {}, accuracy),
    ("one of hinge", "Precision", {}, precision),
    ("one of hinge", "Hinge", {}, signed_loss),
    ("one of hinge", "SquaredHinge", {}, mean(lambda y, p: np.maximum(0, 1 - (2 * y - 1) * p[:, 0]) ** 2)),
    ("two units", "accuracy", {}, accuracy),
    ("two units", "CategoricalAccuracy", {}, accuracy),
    ("two units", "Precision", {}, precision),
    ("two units", "Recall", {}, recall),
    ("two units", "Recall", {"class_id": 0}, of_classes(sk.recall_score, pos_label=0)),
    ("two units", "F1Score", {"average": "macro"}, of_classes(sk.f1_score, average="macro")),
    ("two units", "AUC", {"multi_label": True, **FINE}, ranks),
    ("two units", *AT_HALF, sensitivity_at_half),
    ("two units", "CategoricalCrossentropy", {}, log_loss),
    ("two units", "BinaryCrossentropy", {}, log_loss),
    ("two units", "OneHotMeanIoU", {"num_classes": 2}, both_classes),
    ("two logits", "accuracy", {}, accuracy),
    ("two logits", "BinaryAccuracy", {}, accuracy),
    ("two logits", "Precision", {}, precision),
    ("two logits", "Recall", {}, recall),
    ("two logits", "F1Score", {"average": "macro"}, of_classes(sk.f1_score, average="macro")),
    ("two logits", "AUC", {"multi_label": True, **FINE}, ranks),
    ("two logits", "BinaryCrossentropy", {}, log_loss),
    ("columns", "accuracy", {}, accuracy),
    ("columns", "TopKCategoricalAccuracy", {"k": 2}, top_2),
    ("columns", "F1Score", {}, of_classes(sk.f1_score, average="macro")),
    ("columns", "F1Score", {"average": "weighted"}, of_classes(sk.f1_score, average="weighted")),
    ("columns", "FBetaScore", {"average": "micro"}, of_classes(sk.fbeta_score, beta=1, average="micro")),
    ("columns", "Precision", {}, of_columns(lambda y, p, **more: sk.precision_score(y, p > 0.5, average="micro", **more))),
    ("columns", "Precision", {"class_id": 2}, precision_of(2)),
    ("columns", "AUC", FINE, of_columns(sk.roc_auc_score, average="micro")),
    ("columns", "AUC", {"multi_label": True, **FINE}, of_columns(sk.roc_auc_score, average="macro")),
    ("columns", "OneHotMeanIoU", {"num_classes": 4}, both_classes),
    ("columns", "CategoricalCrossentropy", {}, many_log_loss),
    ("columns", "KLDivergence", {}, many_log_loss),
    ("columns", "CosineSimilarity", {}, mean(lambda y, p: sk.pairwise.paired_cosine_distances(COLUMNS, p) * -1 + 1)),
    ("columns", "PearsonCorrelation", {}, mean(lambda y, p: [np.corrcoef(*pair)[0, 1] for pair in zip(COLUMNS, p, strict=True)])),
    ("columns", "RootMeanSquaredError", {}, root(of_columns(sk.mean_squared_error))),
    ("logits", "accuracy", {}, accuracy),
    ("logits", "CategoricalCrossentropy", {}, many_log_loss),
    ("numbers", "accuracy", {}, accuracy),
    ("numbers", "SparseCategoricalAccuracy", {}, accuracy),
    ("numbers", "SparseTopKCategoricalAccuracy", {"k": 2}, top_2),
    ("numbers", "SparseCategoricalCrossentropy", {}, many_log_loss),
    ("values", "MeanAbsoluteError", {}, absolute),
    ("values", "MeanSquaredError", {}, squared),
    ("values", "RootMeanSquaredError", {}, root(squared)),
    ("values", "MeanAbsolutePercentageError", {}, lambda *a: 100 * of_positive(sk.mean_absolute_percentage_error)(*a)),
    ("values", "MeanSquaredLogarithmicError", {}, of_positive(sk.mean_squared_log_error)),
    ("values", "R2Score", {}, of_positive(sk.r2_score)),
    ("values", "LogCoshError", {}, mean(lambda y, p: np.log(np.cosh(y - p[:, 0])))),
]  # fmt: skip
CASES += [
    (model, name, given, score)
    for model in ("labels", "label logits")
    for name, given, score in (
        ("BinaryAccuracy", {}, of_labels(lambda y, p: np.mean(y == p))),
        ("Precision", {}, of_labels(sk.precision_score, average="micro")),
        ("Recall", {}, of_labels(sk.recall_score, average="micro")),
        ("Recall", {"class_id": 2}, of_labels(lambda y, p: sk.recall_score(y[:, 2], p[:, 2]))),
        ("AUC", FINE, of_scores(sk.roc_auc_score, average="micro")),
        ("AUC", {"multi_label": True, **FINE}, of_scores(sk.roc_auc_score, average="macro")),
        ("BinaryCrossentropy", {}, of_scores(lambda y, p: sk.log_loss(y.ravel(), p.ravel()))),
    )
]
CASES += [
    ("labels", "F1Score", {}, of_labels(sk.f1_score, average="macro")),
    ("labels", "F1Score", {"average": "micro"}, of_labels(sk.f1_score, average="micro")),
    ("labels", "FBetaScore", {"beta": 2.0}, of_labels(sk.fbeta_score, beta=2, average="macro")),
]
# What scikit-learn is given: probabilities.
PROBABILITIES = {
    "label logits": TAG_SCORES,
    "one logit": ONE[:, None],
    "two logits": np.stack([1 - ONE, ONE], axis=1),
    "logits": MANY,
    "one of hinge": None,
}
NAMES = [f"{model}: {name} {given or ''}" for model, name, given, _ in CASES]


def training(model: str) -> Training:
    """With all metrics of a model."""
    metrics = [
        {name: {**given, "name": f"m{number}"}}
        for number, (place, name, given, _) in enumerate(CASES)
        if place == model and name != "accuracy"
    ]
    is_class = model not in ("values", "labels", "label logits")
    chosen = [*metrics, *(["accuracy"] if is_class else [])]
    content = {"optimizer": "sgd", "loss": MODELS[model][0], "metrics": chosen, "epochs": 1}
    return Training.model_validate(content)


def target_of(model: str) -> Target:
    return Target("tags", "labels", ("a", "b", "c"), (3,)) if "label" in model else Target()


def evaluator(model: str, given: Training) -> tuple[Evaluator, Rows]:
    """Of a model that returns its input."""
    _, classes, y, output = MODELS[model]
    units = output.shape[1]
    identity = build([Component(name="Activation", arguments={"activation": "linear"})], (units,))
    compile_model(identity, given, target_of(model))
    preparation = preprocessing.fit((), output, rows=np.arange(ROWS))
    encoded = encode(y, given, classes=classes, units=units)
    return Evaluator(identity, preparation), resident(preparation.store(output), encoded)


@cache
def evaluated(model: str) -> dict[str, float]:
    """All metrics of a model, as nnrun evaluates them."""
    evaluates, rows = evaluator(model, training(model))
    return evaluates.metrics(rows, np.arange(ROWS))


def expected(number: int, weights: Array | None) -> float:
    model, *_, score = CASES[number]
    _, _, y, output = MODELS[model]
    if "Hinge" not in CASES[number][1] and model == "one of hinge":
        output = output / 2 + 0.5
    elif model.endswith(("logit", "logits")):
        output = PROBABILITIES[model]
    return float(score(y, output.astype(np.float64), weights))


@pytest.mark.parametrize("number", range(len(CASES)), ids=NAMES)
def test_a_metric_equals_scikit_learns(number: int) -> None:
    model, name, *_ = CASES[number]
    value = evaluated(model)[name if name == "accuracy" else f"m{number}"]

    assert value == pytest.approx(expected(number, None), rel=2e-3, abs=1e-6)


# Keras chooses the meaning of `accuracy` by the labels, and rounds the weights of IoU.
WEIGHTED = [
    number
    for number, (_, name, *_) in enumerate(CASES)
    if name not in ("accuracy", "f1_score") and not name.endswith("IoU")
    if MODELS[CASES[number][0]][2] is not TAGS
]


@pytest.mark.parametrize("number", WEIGHTED, ids=[NAMES[number] for number in WEIGHTED])
def test_a_weighted_metric_equals_scikit_learns(number: int) -> None:
    model, name, given, _ = CASES[number]
    _, classes, y, output = MODELS[model]
    spec, units = training(model), output.shape[1]
    wanted = labels.adapted(Component(name=name, arguments=given), spec, units)
    metric = components.instantiate("metrics", wanted)
    encoded = encode(y, spec, classes=classes, units=units)
    for part in (slice(0, 700), slice(700, None)):
        metric.update_state(encoded[part].astype(np.float32), output[part], WEIGHTS[part])

    value = float(np.mean(metric.result()))
    assert value == pytest.approx(expected(number, WEIGHTS), rel=2e-3, abs=1e-6)


EACH = "a column of 0 and 1 per label"
OTHERS = {"values": "values", "labels": EACH, "label logits": EACH}


def test_no_metric_of_these_cases_is_refused() -> None:
    for model, (_, _, _, output) in MODELS.items():
        kind: labels.Labels = {**OTHERS, "numbers": "class numbers"}.get(  # type: ignore[assignment]
            model, "one column per class" if output.shape[1] > 1 else "one column of 0 and 1"
        )
        assert [*labels.metric_problems(training(model), kind, output.shape[1])] == []


@pytest.mark.parametrize("name", ["Precision", "Recall", "AUC", "TruePositives", "F1Score"])
def test_metrics_forget_the_rows_of_the_evaluation_before(name: str) -> None:
    """Keras does not reset a metric that it has not built, such as the only one of a model."""
    content = {"optimizer": "sgd", "loss": "binary_crossentropy", "metrics": [name], "epochs": 1}
    evaluates, rows = evaluator("one unit", Training.model_validate(content))
    some = np.arange(200)
    alone = evaluates.metrics(rows, some)
    evaluates.metrics(rows, np.arange(ROWS))

    assert evaluates.metrics(rows, some) == alone
