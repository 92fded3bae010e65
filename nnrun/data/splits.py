"""Which rows train and which validate. Trains nothing."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from nnrun.check.subject import HOLDOUT, KFOLD, check_folds, check_stratified, held_out
from nnrun.data import columns
from nnrun.errors import DataError, IncompatibleSpec
from nnrun.spec.dataset import Embedded, UserData
from nnrun.spec.text import quote
from nnrun.spec.validation import KFold, Validation
from nnrun.types import Array, Column, Dataset, Fold, Split


def holdout(validation: Validation, y: Array, *, seed: int) -> Fold:
    """One fold: the rows held out validate, the others train.

    Args:
        validation: the spec's.
        y: labels of all training rows.
        seed: for `take: random`.

    Raises:
        IncompatibleSpec: nothing would be left to train on, or nothing to validate on.
    """
    everything = np.arange(len(y))
    rule = validation.holdout
    if rule is None:
        return Fold(everything, everything[:0])
    held = held_out(rule, len(y))
    if rule.take == "first":
        return Fold(everything[held:], everything[:held])
    if rule.take == "last":
        return Fold(everything[:-held], everything[-held:])
    if rule.stratify:
        return _stratified(y, held, seed)
    shuffled = np.random.default_rng(seed).permutation(len(y))
    return Fold(np.sort(shuffled[held:]), np.sort(shuffled[:held]))


def _stratified(y: Array, held: int, seed: int) -> Fold:
    # scikit-learn takes a second to load, and few rules need it.
    from sklearn.model_selection import train_test_split  # noqa: PLC0415

    path = (*HOLDOUT, "stratify")
    check_stratified(classes=y.dtype.kind != "f", kfold=False)
    try:
        train, validation = train_test_split(
            np.arange(len(y)), test_size=held, random_state=seed, stratify=y
        )
    except ValueError as error:
        message = f"the rows cannot be held out in proportion to the classes: {error}"
        raise IncompatibleSpec("NN120", path, message) from error
    return Fold(np.sort(train), np.sort(validation))


def folds(rule: KFold, dataset: Dataset, *, seed: int) -> tuple[Fold, ...]:
    """The folds of a cross-validation, as scikit-learn's splitters make them, counted from 1.

    Args:
        rule: the spec's.
        dataset: its training rows are divided.
        seed: of what is drawn.

    Raises:
        IncompatibleSpec: the rows cannot be divided so.
    """
    y = dataset.train.y
    check_folds(rule, len(y))
    if rule.stratify:
        check_stratified(classes=y.dtype.kind != "f", kfold=True)
    groups = None if rule.groups is None else _column(rule.groups, dataset)
    # One state for all repeats, as scikit-learn's repeated splitters have it.
    state = np.random.RandomState(seed) if rule.shuffle else None
    try:
        divided = [
            (train, validation)
            for _ in range(rule.repeats)
            for train, validation in _divided(_splitter(rule, state), y, groups)
        ]
    except ValueError as error:
        message = f"the {len(y)} training rows cannot be divided so: {error}"
        raise IncompatibleSpec("NN126", (*KFOLD, "folds"), message) from error
    return tuple(
        Fold(train, validation, number)
        for number, (train, validation) in enumerate(divided, start=1)
    )


def _divided(splitter: Any, y: Array, groups: Array | None) -> Iterator[tuple[Array, Array]]:
    with warnings.catch_warnings():
        # Of a class with fewer rows than folds, which is told as a notice.
        warnings.simplefilter("ignore")
        yield from splitter.split(np.empty((len(y), 0)), y, groups)


def _splitter(rule: KFold, state: Any) -> Any:
    from sklearn import model_selection  # noqa: PLC0415

    if rule.leave_one_out:
        return model_selection.LeaveOneOut()
    if rule.time_series:
        return model_selection.TimeSeriesSplit(rule.folds)
    splitters = {
        (False, False): model_selection.KFold,
        (False, True): model_selection.StratifiedKFold,
        (True, False): model_selection.GroupKFold,
        (True, True): model_selection.StratifiedGroupKFold,
    }
    splitter = splitters[rule.groups is not None, rule.stratify]
    return splitter(rule.folds, shuffle=rule.shuffle, random_state=state)


def _column(name: str, dataset: Dataset) -> Array:
    """The values of a column, by which rows belong together; shape `(rows,)`."""
    x = dataset.train.x
    known = dataset.columns or tuple(Column(each) for each in dataset.features)
    if not isinstance(x, np.ndarray) or name not in [each.name for each in known]:
        there = ", ".join(each.name for each in known) or "none"
        message = f"{dataset.name} has no column '{name}'; there is {there}"
        raise IncompatibleSpec("NN126", (*KFOLD, "groups"), message)
    return columns.together(known, name, x)


def digest(folds: Iterable[Fold]) -> str:
    """SHA-256 over all row numbers: equal where the same rows train and validate."""
    total = hashlib.sha256()
    for fold in folds:
        for rows in (fold.train, fold.validation):
            total.update(f"{len(rows)} ".encode())
            total.update(np.ascontiguousarray(rows, dtype=np.int64).data)
    return total.hexdigest()


def draw(
    x: Array, y: Array, spec: Embedded | UserData, *, classes: Sequence[str]
) -> tuple[Split, Split]:
    """Draws the test rows at random, in proportion to the classes where there are any.

    Args:
        x: shape `(rows, ...)`.
        y: shape `(rows,)`.
        spec: the share of the rows to draw, and the seed.
        classes: their names, by the numbers in `y`; none where it holds values.

    Raises:
        DataError: a split would be too small to hold every class.
    """
    from sklearn.model_selection import train_test_split  # noqa: PLC0415 - takes a second

    numbers, members = np.unique(y, return_counts=True)
    if classes and members.min() < 2:
        # Neither side could do without its only row.
        name = classes[int(numbers[members.argmin()])]
        raise DataError(
            f"{spec.name}: class {quote(name)} has a single row, and is needed to train and to "
            "test on; leave it out, or give the rows to test on as `test`"
        )
    try:
        x_train, x_test, y_train, y_test = train_test_split(
            x,
            y,
            test_size=spec.test_split,
            random_state=spec.seed,
            stratify=y if classes else None,
        )
    except ValueError as error:
        raise DataError(f"{spec.name}: test_split: {spec.test_split}: {error}") from error
    return Split(x_train, y_train), Split(x_test, y_test)
