"""Rows are trained on or held out, never both, and the seed alone says which."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from sklearn import model_selection as ms

from nnrun.data import datasets, splits
from nnrun.errors import IncompatibleSpec
from nnrun.spec.dataset import BostonHousing
from nnrun.spec.validation import KFold, Validation
from nnrun.types import Dataset, Fold, Sequences, Split

LABELS = np.repeat([0, 1, 2], [50, 30, 20])
RULES: list[dict[str, Any]] = [
    {"size": 30, "take": "first"},
    {"size": 0.3, "take": "last"},
    {"size": 30},
    {"size": 0.3, "stratify": True},
]


def fold(rule: dict[str, Any] | None, y: NDArray[Any] = LABELS, seed: int = 0) -> Fold:
    return splits.holdout(Validation.model_validate({"holdout": rule}), y, seed=seed)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_each_row_is_trained_on_or_held_out(rule: dict[str, Any]) -> None:
    """None is lost and none is in both, whether the size is rows or a fraction."""
    found = fold(rule)

    assert len(found.validation) == 30
    assert sorted([*found.train, *found.validation]) == list(range(100))


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_rows_keep_their_order(rule: dict[str, Any]) -> None:
    """The order of training is the schedule's business."""
    found = fold(rule)

    assert np.array_equal(found.train, np.sort(found.train))
    assert np.array_equal(found.validation, np.sort(found.validation))


def test_without_a_rule_every_row_is_trained_on() -> None:
    """Nothing is held out unasked."""
    found = fold(None)

    assert (found.train.tolist(), found.validation.tolist()) == (list(range(100)), [])


def test_first_holds_out_the_first_rows() -> None:
    """As the books do with `x_train[:10000]`."""
    assert fold({"size": 10, "take": "first"}).validation.tolist() == list(range(10))


def test_last_holds_out_the_last_rows() -> None:
    """As Keras's `validation_split` does."""
    assert fold({"size": 10, "take": "last"}).validation.tolist() == list(range(90, 100))


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_the_same_seed_holds_out_the_same_rows(rule: dict[str, Any]) -> None:
    """A run can be repeated."""
    assert np.array_equal(fold(rule, seed=5).validation, fold(rule, seed=5).validation)


@pytest.mark.parametrize("rule", RULES[2:], ids=str)
def test_another_seed_holds_out_other_rows(rule: dict[str, Any]) -> None:
    """Where rows are drawn at all."""
    assert not np.array_equal(fold(rule, seed=5).validation, fold(rule, seed=6).validation)


def test_stratify_keeps_the_proportions() -> None:
    """Of every class the same share is held out."""
    held_out = LABELS[fold({"size": 0.1, "stratify": True}).validation]

    assert np.bincount(held_out).tolist() == [5, 3, 2]


HOLDOUT = ("validation", "holdout")


@pytest.mark.parametrize(
    ("rule", "rows", "path", "message"),
    [
        ({"size": 10}, 10, "size", "must be less than the 10 training rows, got 10"),
        ({"size": 12}, 10, "size", "must be less than the 10 training rows, got 12"),
        ({"size": 0.99}, 10, "size", "must be less than the 10 training rows, got 10"),
        ({"size": 0.01}, 10, "size", "0.01 of 10 training rows holds out none"),
    ],
)
def test_a_size_that_leaves_nothing_is_refused(
    rule: dict[str, Any], rows: int, path: str, message: str
) -> None:
    """Neither training on nothing nor validating on nothing says anything."""
    with pytest.raises(IncompatibleSpec) as caught:
        fold(rule, np.zeros(rows))

    assert caught.value.args == ("NN120", (*HOLDOUT, path), message)


def test_what_cannot_be_stratified_is_refused() -> None:
    """A class of one row cannot be on both sides."""
    with pytest.raises(IncompatibleSpec) as caught:
        fold({"size": 0.5, "stratify": True}, np.array([0, 0, 0, 1]))

    assert caught.value.code == "NN120"
    assert caught.value.path == (*HOLDOUT, "stratify")
    assert "\n" not in caught.value.message


ROWS = 60
GROUPS = np.repeat(np.arange(12.0), 5)
X = np.stack([np.arange(float(ROWS)), GROUPS], axis=1)
CLASSES = np.repeat([0, 1, 2], 20)
DATASET = Dataset("toy", Split(X, CLASSES), Split(X[:1], CLASSES[:1]), features=("x", "person"))
DRAWN = {"random_state": 7}
SPLITTERS: dict[str, tuple[dict[str, Any], Any]] = {
    "blocks": ({"folds": 4}, ms.KFold(4)),
    "shuffle": ({"folds": 4, "shuffle": True}, ms.KFold(4, shuffle=True, **DRAWN)),
    "stratify": ({"folds": 4, "stratify": True}, ms.StratifiedKFold(4)),
    "stratify and shuffle": (
        {"folds": 4, "stratify": True, "shuffle": True},
        ms.StratifiedKFold(4, shuffle=True, **DRAWN),
    ),
    "repeats": (
        {"folds": 4, "shuffle": True, "repeats": 3},
        ms.RepeatedKFold(n_splits=4, n_repeats=3, **DRAWN),
    ),
    "stratify and repeats": (
        {"folds": 4, "stratify": True, "shuffle": True, "repeats": 2},
        ms.RepeatedStratifiedKFold(n_splits=4, n_repeats=2, **DRAWN),
    ),
    "groups": ({"folds": 4, "groups": "person"}, ms.GroupKFold(4)),
    "groups and stratify": (
        {"folds": 4, "groups": "person", "stratify": True},
        ms.StratifiedGroupKFold(4),
    ),
    "time series": ({"folds": 4, "time_series": True}, ms.TimeSeriesSplit(4)),
    "leave one out": ({"leave_one_out": True}, ms.LeaveOneOut()),
}
each_rule = pytest.mark.parametrize("name", SPLITTERS)


def folds(rule: dict[str, Any], dataset: Dataset = DATASET, seed: int = 7) -> tuple[Fold, ...]:
    return splits.folds(KFold.model_validate(rule), dataset, seed=seed)


@each_rule
def test_the_folds_are_those_of_scikit_learn(name: str) -> None:
    """Whoever knows its splitters knows ours, to the row."""
    rule, splitter = SPLITTERS[name]
    expected = list(splitter.split(X, CLASSES, GROUPS if "groups" in rule else None))
    found = folds(rule)

    assert [fold.train.tolist() for fold in found] == [train.tolist() for train, _ in expected]
    assert [fold.validation.tolist() for fold in found] == [held.tolist() for _, held in expected]
    assert [fold.number for fold in found] == list(range(1, len(expected) + 1))


@each_rule
def test_no_row_validates_what_it_trains(name: str) -> None:
    for fold in folds(SPLITTERS[name][0]):
        assert not set(fold.train) & set(fold.validation)


@pytest.mark.parametrize("name", sorted(set(SPLITTERS) - {"time series"}))
def test_every_row_validates_once_per_repeat(name: str) -> None:
    """Else a prediction out of fold would be missing, or come twice."""
    rule = SPLITTERS[name][0]
    held_out = [row for fold in folds(rule) for row in fold.validation]

    assert sorted(held_out) == sorted([*range(ROWS)] * rule.get("repeats", 1))


def test_without_shuffle_the_folds_are_the_blocks_of_the_tutorial() -> None:
    """404 rows in 4 folds: 101 each, one after the other."""
    boston = datasets.load(BostonHousing(name="boston_housing"))
    found = folds({"folds": 4}, boston)

    assert [fold.validation.tolist() for fold in found] == [
        list(range(start, start + 101)) for start in (0, 101, 202, 303)
    ]


def test_rows_of_one_group_stay_together() -> None:
    """A person's pictures are not trained on and judged by."""
    for fold in folds({"folds": 4, "groups": "person"}):
        assert not set(GROUPS[fold.train]) & set(GROUPS[fold.validation])


def test_stratify_keeps_the_proportions_in_every_fold() -> None:
    for fold in folds({"folds": 4, "stratify": True}):
        assert np.bincount(CLASSES[fold.validation]).tolist() == [5, 5, 5]


def test_five_folds_are_made_where_none_are_counted() -> None:
    """As scikit-learn does."""
    assert len(folds({})) == 5


@pytest.mark.parametrize(
    "name", sorted(name for name in SPLITTERS if SPLITTERS[name][0].get("shuffle"))
)
def test_another_seed_draws_other_folds(name: str) -> None:
    rule = SPLITTERS[name][0]

    assert splits.digest(folds(rule, seed=1)) != splits.digest(folds(rule, seed=2))
    assert splits.digest(folds(rule, seed=1)) == splits.digest(folds(rule, seed=1))


VALUES = replace(DATASET, train=Split(X, X[:, 0]))
TEXTS = replace(DATASET, features=(), train=Split(Sequences(np.arange(60), np.arange(61)), CLASSES))


@pytest.mark.parametrize(
    ("rule", "dataset", "key", "message"),
    [
        (
            {"folds": 61},
            DATASET,
            "folds",
            "must be at most the 60 training rows, got 61",
        ),
        (
            {"folds": 5, "stratify": True},
            VALUES,
            "stratify",
            "stratify needs classes, but the labels are values",
        ),
        (
            {"folds": 5, "groups": "persn"},
            DATASET,
            "groups",
            "toy has no column 'persn'; there is x, person",
        ),
        (
            {"folds": 5, "groups": "person"},
            TEXTS,
            "groups",
            "toy has no column 'person'; there is none",
        ),
    ],
    ids=["too many", "values", "unknown column", "texts"],
)
def test_rows_that_cannot_be_divided_so_are_refused(
    rule: dict[str, Any], dataset: Dataset, key: str, message: str
) -> None:
    """With the place in the spec that asks for it."""
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
def test_keys_that_contradict_each_other_are_refused(rule: dict[str, Any], message: str) -> None:
    """Whatever is written has its effect, or is not accepted."""
    with pytest.raises(ValidationError, match=message):
        KFold.model_validate(rule)
