"""Rows are trained on or held out, never both, and the seed alone says which."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nnrun import crossval
from nnrun.errors import Misfit
from nnrun.records import Fold
from nnrun.spec.validation import Validation

LABELS = np.repeat([0, 1, 2], [50, 30, 20])
RULES: list[dict[str, Any]] = [
    {"size": 30, "take": "first"},
    {"size": 0.3, "take": "last"},
    {"size": 30},
    {"size": 0.3, "stratify": True},
]


def fold(rule: dict[str, Any] | None, y: NDArray[Any] = LABELS, seed: int = 0) -> Fold:
    return crossval.holdout(Validation.model_validate({"holdout": rule}), y, seed=seed)


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
    with pytest.raises(Misfit) as caught:
        fold(rule, np.zeros(rows))

    assert caught.value.args == ("NN120", (*HOLDOUT, path), message)


def test_what_cannot_be_stratified_is_refused() -> None:
    """A class of one row cannot be on both sides."""
    with pytest.raises(Misfit) as caught:
        fold({"size": 0.5, "stratify": True}, np.array([0, 0, 0, 1]))

    assert caught.value.code == "NN120"
    assert caught.value.path == (*HOLDOUT, "stratify")
    assert "\n" not in caught.value.message
