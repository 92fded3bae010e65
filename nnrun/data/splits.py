"""Divides rows into training, validation and test rows."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from nnrun.check.context import HOLDOUT, KFOLD, check_folds, check_stratified, held_out
from nnrun.errors import DataError, IncompatibleSpec
from nnrun.spec.dataset import Embedded, UserData
from nnrun.spec.text import quote
from nnrun.spec.validation import KFold, Validation
from nnrun.types import Array, Dataset, Fold, Input, Inputs, NamedInputs, Sequences, Split, Windows

if TYPE_CHECKING:
    from sklearn.model_selection import BaseCrossValidator


def holdout(validation: Validation, train: Split, *, seed: int) -> Fold:
    """One fold: the rows held out validate, the others train.

    Rows that the data themselves name for validation need no rule. Groups stay together.

    Raises:
        IncompatibleSpec: no rows would be left to train or to validate on.
    """
    y = train.y
    everything = np.arange(len(y))
    rule = validation.holdout
    if train.held_out is not None and train.held_out.any():
        if rule is not None:
            message = "`dataset` names the validation rows; remove holdout"
            raise IncompatibleSpec("NN120", HOLDOUT, message)
        return Fold(everything[~train.held_out], everything[train.held_out])
    if rule is None:
        return Fold(everything, everything[:0])
    held = held_out(rule, len(y))
    if rule.take == "first":
        return Fold(everything[held + rule.gap :], everything[:held])
    if rule.take == "last":
        return Fold(everything[: len(y) - held - rule.gap], everything[-held:])
    if train.groups is not None:
        return Fold(*_draw_groups(train.groups, held / len(y), seed))
    if rule.stratify:
        # scikit-learn takes a second to load, and few rules need it.
        from sklearn.model_selection import train_test_split  # noqa: PLC0415

        check_stratified(classes=_are_classes(y), kfold=False)
        try:
            trained, held_rows = train_test_split(
                everything, test_size=held, random_state=seed, stratify=y
            )
        except ValueError as error:
            message = f"the rows cannot be held out in proportion to the classes: {error}"
            raise IncompatibleSpec("NN120", (*HOLDOUT, "stratify"), message) from error
        return Fold(np.sort(trained), np.sort(held_rows))
    shuffled = np.random.default_rng(seed).permutation(len(y))
    return Fold(np.sort(shuffled[held:]), np.sort(shuffled[:held]))


def _are_classes(y: Array) -> bool:
    """Whether each row has one class."""
    return y.dtype.kind != "f" and y.ndim == 1


def folds(rule: KFold, dataset: Dataset, *, seed: int) -> tuple[Fold, ...]:
    """The folds of the training rows, as from scikit-learn's splitters, counted from 1.

    Raises:
        IncompatibleSpec: the rule does not suit the rows.
    """
    y = dataset.train.y
    check_folds(rule, len(y))
    if rule.stratify:
        check_stratified(classes=_are_classes(y), kfold=True)
    groups = dataset.train.groups if rule.groups is None else _groups(rule.groups, dataset)
    # One state for all repeats, as in scikit-learn's repeated splitters.
    state = np.random.RandomState(seed) if rule.shuffle else None
    x = np.empty((len(y), 0))
    try:
        # A class with fewer rows than folds is a notice of its own.
        with warnings.catch_warnings(action="ignore"):
            divided = [
                rows
                for _ in range(rule.repeats)
                for rows in _splitter(rule, state, grouped=groups is not None).split(x, y, groups)
            ]
    except ValueError as error:
        message = f"the {len(y)} training rows cannot be divided so: {error}"
        raise IncompatibleSpec("NN126", (*KFOLD, "folds"), message) from error
    return tuple(
        Fold(train, validation, number)
        for number, (train, validation) in enumerate(divided, start=1)
    )


def _splitter(
    rule: KFold, state: np.random.RandomState | None, *, grouped: bool
) -> BaseCrossValidator:
    from sklearn import model_selection  # noqa: PLC0415

    if rule.leave_one_out:
        return model_selection.LeaveOneOut()
    if rule.time_series:
        return model_selection.TimeSeriesSplit(rule.folds, gap=rule.gap)
    splitters = {
        (False, False): model_selection.KFold,
        (False, True): model_selection.StratifiedKFold,
        (True, False): model_selection.GroupKFold,
        (True, True): model_selection.StratifiedGroupKFold,
    }
    splitter = splitters[grouped, rule.stratify]
    return splitter(rule.folds, shuffle=rule.shuffle, random_state=state)


def _groups(name: str, dataset: Dataset) -> Array:
    """The group of each row; shape `(rows,)`."""
    if dataset.train.groups is not None:
        return dataset.train.groups
    x, names = dataset.train.x, list(dataset.features)
    if not isinstance(x, np.ndarray) or name not in names:
        message = f"{dataset.name} has no column '{name}'; there is {', '.join(names) or 'none'}"
        raise IncompatibleSpec("NN126", (*KFOLD, "groups"), message)
    return np.asarray(x[:, names.index(name)])


def with_validation(train: Split, held: Split, *, first: int) -> Split:
    """Training rows together with rows of another file, which validate.

    Args:
        train: rows of the training file.
        held: rows of the other file.
        first: the number of the first row of its file; row numbers continue those of the training file.
    """
    numbers = [
        train.row_numbers(np.arange(len(train))),
        first + held.row_numbers(np.arange(len(held))),
    ]
    more = {
        name: np.concatenate([one, other])
        for name in ("groups", "weights", "naive")
        if (one := getattr(train, name)) is not None and (other := getattr(held, name)) is not None
    }
    before = np.zeros(len(train), bool) if train.held_out is None else train.held_out
    held_out = np.concatenate([before, np.ones(len(held), bool)])
    x, y = concatenate([train.x, held.x]), np.concatenate([train.y, held.y])
    return Split(x, y, np.concatenate(numbers), held_out=held_out, **more)


def of_tests(tests: Mapping[str, Split]) -> Split:
    """The rows of several test sets by their names, one after another; or the only one."""
    splits = list(tests.values())
    if list(tests) == [""]:
        return splits[0]
    names = np.repeat([*tests], [*map(len, splits)])
    numbers = np.concatenate([split.row_numbers(np.arange(len(split))) for split in splits])
    x, y = concatenate([split.x for split in splits]), np.concatenate([s.y for s in splits])
    naive = [split.naive for split in splits if split.naive is not None]
    return Split(x, y, numbers, tests=names, naive=np.concatenate(naive) if naive else None)


def concatenate(parts: Sequence[Inputs]) -> Inputs:
    """Rows of several files, one after another; not for streamed ones."""
    named = [part.parts for part in parts if isinstance(part, NamedInputs)]
    if named:
        joined = {name: concatenate([rows[name] for rows in named]) for name in named[0]}
        return NamedInputs(cast("dict[str, Input]", joined))
    windows = [part for part in parts if isinstance(part, Windows)]
    if windows:
        begins = np.cumsum([0, *(len(part.table) for part in windows)])
        starts = [part.starts + begin for part, begin in zip(windows, begins, strict=False)]
        table = np.concatenate([part.table for part in windows])
        return Windows(table, np.concatenate(starts), windows[0].offsets)
    arrays = [part for part in parts if isinstance(part, np.ndarray)]
    if arrays:
        return np.concatenate(arrays)
    texts = [part for part in parts if isinstance(part, Sequences)]
    lengths = np.concatenate([np.zeros(1, np.int64), *(text.lengths() for text in texts)])
    return Sequences(np.concatenate([text.values for text in texts]), np.cumsum(lengths))


def digest(folds: Iterable[Fold]) -> str:
    """SHA-256 over all row numbers: equal where the same rows train and validate."""
    total = hashlib.sha256()
    for fold in folds:
        for rows in (fold.train, fold.validation):
            total.update(f"{len(rows)} ".encode())
            total.update(np.ascontiguousarray(rows, dtype=np.int64).data)
    return total.hexdigest()


def draw(
    y: Array,
    spec: Embedded | UserData,
    validation: Validation | None = None,
    *,
    classes: Sequence[str],
    groups: Array | None = None,
) -> tuple[Array, Array]:
    """Selects test rows: stratified at random, whole groups, or the last rows.

    The last rows test if the data or a rule of the validation depend on the order of the rows;
    otherwise the model would be tested on rows before those that it was trained on.

    Args:
        y: labels of all rows, of shape `(rows,)`.
        spec: the fraction of test rows, and the seed.
        validation: the rules for the remaining rows.
        classes: their names, by the numbers in `y`; empty for a regression.
        groups: of all rows.

    Returns:
        Numbers of the training rows and of the test rows, shuffled.

    Raises:
        DataError: a split would be too small to hold every class.
    """
    from sklearn import model_selection  # noqa: PLC0415 - takes a second

    rows, test_size, seed = np.arange(len(y)), spec.test_split, spec.seed
    try:
        if spec.is_ordered or (validation is not None and validation.is_ordered):
            train, test = model_selection.train_test_split(rows, test_size=test_size, shuffle=False)
        elif groups is not None:
            train, test = _draw_groups(groups, test_size, seed)
        else:
            _check_members(y, spec, classes)
            train, test = model_selection.train_test_split(
                rows, test_size=test_size, random_state=seed, stratify=y if classes else None
            )
    except ValueError as error:
        raise DataError(f"{spec.name}: test_split: {test_size}: {error}") from error
    return train, test


def _draw_groups(groups: Array, share: float, seed: int) -> tuple[Array, Array]:
    """Numbers of the rows outside and inside of a share of the groups."""
    from sklearn.model_selection import GroupShuffleSplit  # noqa: PLC0415 - takes a second

    splitter = GroupShuffleSplit(1, test_size=share, random_state=seed)
    [(outside, inside)] = splitter.split(groups, groups=groups)
    return outside, inside


def _check_members(y: Array, spec: Embedded | UserData, classes: Sequence[str]) -> None:
    numbers, members = np.unique(y, return_counts=True)
    if classes and members.min() < 2:
        name = classes[int(numbers[members.argmin()])]
        raise DataError(
            f"{spec.name}: class {quote(name)} has a single row, and is needed to train and to "
            "test on; leave it out, or give the rows to test on as `test`"
        )
