"""A row trains or validates, never both, and the seed alone decides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn import model_selection as ms

from nnrun.data import datasets, splits
from nnrun.errors import IncompatibleSpec
from nnrun.spec.dataset import BostonHousing
from nnrun.spec.validation import KFold, Validation
from nnrun.types import Array, Dataset, Fold, Sequences, Split

LABELS = np.repeat([0, 1, 2], [50, 30, 20])
RULES: list[dict[str, Any]] = [
    {"size": 30, "take": "first"},
    {"size": 0.3, "take": "last"},
    {"size": 30},
    {"size": 0.3, "stratify": True},
]


def holdout(rule: dict[str, Any] | None, y: Array = LABELS, seed: int = 0) -> Fold:
    rows = Split(np.empty((len(y), 0)), y)
    return splits.holdout(Validation.model_validate({"holdout": rule}), rows, seed=seed)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_each_row_trains_or_validates_in_order(rule: dict[str, Any]) -> None:
    fold = holdout(rule)

    assert len(fold.validation) == 30
    assert sorted([*fold.train, *fold.validation]) == list(range(100))
    assert np.array_equal(fold.train, np.sort(fold.train))
    assert np.array_equal(fold.validation, np.sort(fold.validation))


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_the_seed_decides_which_rows_are_drawn(rule: dict[str, Any]) -> None:
    first, again, other = (holdout(rule, seed=seed).validation for seed in (5, 5, 6))

    assert np.array_equal(first, again)
    assert np.array_equal(first, other) == ("take" in rule)


def test_without_a_rule_every_row_trains() -> None:
    fold = holdout(None)

    assert (fold.train.tolist(), fold.validation.tolist()) == (list(range(100)), [])


@pytest.mark.parametrize(("take", "start"), [("first", 0), ("last", 90)])
def test_the_first_or_last_rows_validate(take: str, start: int) -> None:
    """As with `x_train[:10000]`, or as with Keras's `validation_split`."""
    fold = holdout({"size": 10, "take": take})

    assert fold.validation.tolist() == list(range(start, start + 10))


def test_stratify_keeps_the_proportions_of_classes() -> None:
    rows = holdout({"size": 0.1, "stratify": True}).validation

    assert np.bincount(LABELS[rows]).tolist() == [5, 3, 2]
    for fold in folds({"folds": 4, "stratify": True}):
        assert np.bincount(CLASSES[fold.validation]).tolist() == [5, 5, 5]


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (10, "must be less than the 10 training rows, got 10"),
        (12, "must be less than the 10 training rows, got 12"),
        (0.99, "must be less than the 10 training rows, got 10"),
        (0.01, "0.01 of 10 training rows holds out none"),
    ],
)
def test_a_size_that_leaves_no_rows_is_refused(size: float, message: str) -> None:
    with pytest.raises(IncompatibleSpec) as caught:
        holdout({"size": size}, np.zeros(10))

    assert caught.value.args == ("NN120", ("validation", "holdout", "size"), message)


def test_a_class_of_one_row_cannot_be_stratified() -> None:
    with pytest.raises(IncompatibleSpec) as caught:
        holdout({"size": 0.5, "stratify": True}, np.array([0, 0, 0, 1]))

    assert caught.value.code == "NN120"
    assert caught.value.path == ("validation", "holdout", "stratify")
    assert "\n" not in caught.value.message


ROWS = 60
GROUPS = np.repeat(np.arange(12.0), 5)
X = np.stack([np.arange(float(ROWS)), GROUPS], axis=1)
CLASSES = np.repeat([0, 1, 2], 20)
DATASET = Dataset("toy", Split(X, CLASSES), Split(X[:1], CLASSES[:1]), features=("x", "person"))
VALUES = replace(DATASET, train=Split(X, X[:, 0]))
TEXTS = replace(DATASET, features=(), train=Split(Sequences(np.arange(60), np.arange(61)), CLASSES))
SEED = {"random_state": 7}
SPLITTERS: dict[str, tuple[dict[str, Any], Any]] = {
    "blocks": ({"folds": 4}, ms.KFold(4)),
    "default": ({}, ms.KFold(5)),
    "shuffle": ({"folds": 4, "shuffle": True}, ms.KFold(4, shuffle=True, **SEED)),
    "stratify": ({"folds": 4, "stratify": True}, ms.StratifiedKFold(4)),
    "stratify and shuffle": (
        {"folds": 4, "stratify": True, "shuffle": True},
        ms.StratifiedKFold(4, shuffle=True, **SEED),
    ),
    "repeats": (
        {"folds": 4, "shuffle": True, "repeats": 3},
        ms.RepeatedKFold(n_splits=4, n_repeats=3, **SEED),
    ),
    "stratify and repeats": (
        {"folds": 4, "stratify": True, "shuffle": True, "repeats": 2},
        ms.RepeatedStratifiedKFold(n_splits=4, n_repeats=2, **SEED),
    ),
    "groups": ({"folds": 4, "groups": "person"}, ms.GroupKFold(4)),
    "groups and stratify": (
        {"folds": 4, "groups": "person", "stratify": True},
        ms.StratifiedGroupKFold(4),
    ),
    "time series": ({"folds": 4, "time_series": True}, ms.TimeSeriesSplit(4)),
    "leave one out": ({"leave_one_out": True}, ms.LeaveOneOut()),
}


def folds(rule: dict[str, Any], dataset: Dataset = DATASET, seed: int = 7) -> tuple[Fold, ...]:
    return splits.folds(KFold.model_validate(rule), dataset, seed=seed)


@pytest.mark.parametrize("name", SPLITTERS)
def test_the_folds_are_those_of_scikit_learn(name: str) -> None:
    """Every row validates once per repeat, and groups stay together."""
    rule, splitter = SPLITTERS[name]
    expected = list(splitter.split(X, CLASSES, GROUPS if "groups" in rule else None))
    result = folds(rule)
    validation = sorted(row for fold in result for row in fold.validation)

    assert [fold.train.tolist() for fold in result] == [train.tolist() for train, _ in expected]
    assert [fold.validation.tolist() for fold in result] == [held.tolist() for _, held in expected]
    assert [fold.number for fold in result] == list(range(1, len(expected) + 1))
    if "time_series" not in rule:
        assert validation == sorted([*range(ROWS)] * rule.get("repeats", 1))
    for fold in result:
        assert not set(fold.train) & set(fold.validation)
        assert "groups" not in rule or not {*GROUPS[fold.train]} & {*GROUPS[fold.validation]}
    if rule.get("shuffle"):
        assert splits.digest(result) == splits.digest(folds(rule))
        assert splits.digest(result) != splits.digest(folds(rule, seed=2))


def test_without_shuffle_the_folds_are_the_blocks_of_the_keras_tutorial() -> None:
    """404 rows in 4 folds of 101."""
    boston = datasets.load(BostonHousing(name="boston_housing"))

    assert [fold.validation.tolist() for fold in folds({"folds": 4}, boston)] == [
        list(range(start, start + 101)) for start in (0, 101, 202, 303)
    ]


@pytest.mark.parametrize(
    ("rule", "dataset", "key", "message"),
    [
        ({"folds": 61}, DATASET, "folds", "must be at most the 60 training rows, got 61"),
        (
            {"folds": 5, "stratify": True},
            VALUES,
            "stratify",
            "stratify needs one class per row; leave it out",
        ),
        ({"groups": "persn"}, DATASET, "groups", "toy has no column 'persn'; there is x, person"),
        ({"groups": "person"}, TEXTS, "groups", "toy has no column 'person'; there is none"),
    ],
    ids=["too many", "values", "unknown column", "texts"],
)
def test_a_rule_that_does_not_suit_the_rows_is_refused(
    rule: dict[str, Any], dataset: Dataset, key: str, message: str
) -> None:
    with pytest.raises(IncompatibleSpec) as caught:
        folds(rule, dataset)

    assert caught.value.args == ("NN126", ("validation", "kfold", key), message)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"leave_one_out": True, "folds": 3}, "folds cannot be used with leave_one_out"),
        ({"leave_one_out": True, "shuffle": True}, "shuffle cannot be used with leave_one_out"),
        ({"time_series": True, "shuffle": True}, "shuffle cannot be used with time_series"),
        ({"time_series": True, "groups": "a"}, "groups cannot be used with time_series"),
        ({"repeats": 2}, "repeats needs shuffle: true, otherwise all repeats are equal"),
        ({"folds": 1}, "greater than or equal to 2"),
    ],
    ids=str,
)
def test_contradicting_keys_are_refused(rule: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        KFold.model_validate(rule)
