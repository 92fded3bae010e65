"""The few rows on which an experiment is tried. Needs no TensorFlow, and downloads nothing."""

from __future__ import annotations

import time
from collections.abc import Sized
from dataclasses import dataclass, replace

import numpy as np

from nnrun import crossval, datasets, intake
from nnrun.check.rows import held_out
from nnrun.datasets import synthetic
from nnrun.errors import DataError
from nnrun.intake import Intake, Material
from nnrun.records import Array, Dataset, Fold, Sequences, Split
from nnrun.spec.dataset import Words
from nnrun.spec.experiment import Experiment
from nnrun.spec.profile import profile
from nnrun.spec.validation import Holdout, Validation

TRAIN_ROWS, TEST_ROWS = 512, 256
"""So many rows are enough for an epoch of several steps."""
_UNKNOWN = 1_000_000


@dataclass(frozen=True)
class Trial:
    """An experiment cut short: one epoch on a few rows.

    Args:
        intake: of what is left of it.
        data: `real` or `synthetic`.
    """

    intake: Intake
    data: str


@dataclass(frozen=True)
class _Whole:
    """The rows before they are cut.

    Args:
        material: real rows, all of them; or as many made-up ones as are needed.
        rows: how many training rows the data set has.
        data: `real` or `synthetic`.
    """

    material: Material
    rows: int
    data: str


def take_in(spec: Experiment, *, stand_in: bool) -> Trial:
    """Reads and cuts the rows of an experiment, and cuts the experiment to them.

    A hold-out keeps its share of the rows; without one the first fold of a cross-validation is
    taken. A batch larger than the rows that train becomes half of them, so that there are steps.

    Args:
        spec: as for training.
        stand_in: whether made-up rows may stand in for files that are not there.

    Raises:
        DataError: a file is not there, or the rows hold what is no number.
        Misfit: spec and data do not go together.
    """
    whole = _read(intake.seeded(spec), stand_in=stand_in)
    spec, dataset = whole.material.spec, _cut(whole.material)
    validation = _shortened(spec.validation, dataset, whole.rows)
    fold = _fold(validation, dataset, seed=whole.material.seed)
    training = spec.training.model_copy(
        update={"epochs": 1, "batch_size": _batch(spec.training.batch_size, len(fold.train))}
    )
    spec = spec.model_copy(update={"training": training, "validation": validation})
    digest = datasets.digest(dataset)
    material = replace(whole.material, spec=spec, dataset=dataset, digest=digest)
    return Trial(intake.of_fold(material, fold), whole.data)


def _read(spec: Experiment, *, stand_in: bool) -> _Whole:
    began = time.perf_counter()
    missing = datasets.missing(spec.dataset)
    if not missing:
        material = intake.read(spec)
        return _Whole(material, len(material.dataset.train), "real")
    if not stand_in:
        raise DataError(
            f"{spec.dataset.name}: {missing[0]} is not there, and a smoke run downloads nothing; "
            "--synthetic draws rows of the same shape instead"
        )
    train, test = _published(spec)
    rows = synthetic.draw(
        spec.dataset,
        train=min(train, _wanted(spec, profile(spec.dataset).classes)),
        test=min(test, TEST_ROWS),
        seed=spec.seed or 0,
    )
    datasets.check_filled(spec.dataset, rows)
    return _Whole(intake.of_rows(spec, rows, began=began), train, "synthetic")


def _published(spec: Experiment) -> tuple[int, int]:
    """How many rows the data set has; where `maxlen` leaves some out, how many without it.

    Of a person's own data nobody knows, so there are more than any hold-out takes.
    """
    dataset = spec.dataset
    if isinstance(dataset, Words):
        dataset = dataset.model_copy(update={"maxlen": None})
    known = profile(dataset)
    train, test = (_UNKNOWN if rows is None else rows for rows in (known.train, known.test))
    return train, test


def _members(spec: Experiment) -> int:
    """How many rows of a class it takes to divide them in proportion."""
    rule = spec.validation.kfold
    return max(2, rule.folds or 2) if rule and rule.stratify else 2


def _wanted(spec: Experiment, classes: Sized) -> int:
    """How many training rows are wanted: enough for each fold, and some of each class."""
    rule = spec.validation.kfold
    folds = (rule.folds or 0) if rule else 0
    return max(TRAIN_ROWS, folds, _members(spec) * len(classes))


def _cut(material: Material) -> Dataset:
    spec, dataset = material.spec, material.dataset
    wanted = _wanted(spec, dataset.classes)
    train, test = dataset.train, dataset.test
    return replace(
        dataset,
        train=_taken(train, _first(train, wanted, dataset.classes, members=_members(spec))),
        test=_taken(test, _first(test, TEST_ROWS, dataset.classes, members=1)),
    )


def _first(split: Split, rows: int, classes: Sized, *, members: int) -> Array:
    """The first rows, with so many of each class as there are, in their order."""
    some = [np.flatnonzero(split.y == number)[:members] for number in range(len(classes))]
    needed = np.concatenate([np.arange(0), *some])
    others = np.setdiff1d(np.arange(min(len(split), rows + len(needed))), needed)
    return np.sort(np.concatenate([needed, others[: max(0, rows - len(needed))]]))


def _taken(split: Split, rows: Array) -> Split:
    if not isinstance(split.x, Sequences):
        return Split(split.x[rows], split.y[rows])
    texts = [split.x.row(row) for row in rows]
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts], dtype=np.int64)])
    return Split(Sequences(np.concatenate(texts), offsets), split.y[rows])


def _shortened(validation: Validation, dataset: Dataset, rows: int) -> Validation:
    """The hold-out with its share of the few rows, so many as each class needs where stratified.

    Raises:
        Misfit: of all rows it would leave none to train on, or none to validate on.
    """
    rule = validation.holdout
    if rule is None:
        return validation
    few = len(dataset.train)
    share = round(held_out(rule, rows) * few / rows)
    least = _classes(dataset) if rule.stratify else 1
    size = max(least, min(share, few - least))
    holdout = Holdout(size=size, take=rule.take, stratify=rule.stratify)
    return Validation(holdout=holdout, kfold=validation.kfold)


def _classes(dataset: Dataset) -> int:
    return len(np.unique(dataset.train.y)) if dataset.classes else 1


def _fold(validation: Validation, dataset: Dataset, *, seed: int) -> Fold:
    if validation.kfold and not validation.holdout:
        return crossval.folds(validation.kfold, dataset, seed=seed)[0]
    return crossval.holdout(validation, dataset.train.y, seed=seed)


def _batch(size: int, rows: int) -> int:
    return size if size <= rows else max(1, rows // 2)
