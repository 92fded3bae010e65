"""Tries an experiment on few rows, without any download."""

from __future__ import annotations

import time
from collections.abc import Sized
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nnrun.check.subject import held_out
from nnrun.data import datasets, splits
from nnrun.errors import DataError, RunError
from nnrun.experiment import fold, inputs
from nnrun.experiment.fold import Folder
from nnrun.experiment.inputs import PreparedData, RawData
from nnrun.experiment.recorder import RunContext
from nnrun.runs import Run
from nnrun.runs.verify import files
from nnrun.spec.dataset import DatasetBase, Words
from nnrun.spec.experiment import Experiment
from nnrun.spec.profile import Profile
from nnrun.spec.validation import Holdout, Validation
from nnrun.types import Array, Dataset, Fold, Inputs, Observer, Sequences, Split

# Made-up rows with the shape and type of real ones, where the real ones are not at hand.
#
# They let an experiment be tried without a download. Nothing can be learnt from them.

_SHORTEST, _LONGEST = 20, 300
"""Words in a text, where the spec allows as many."""
_LEFT_OUT = 0.1
"""Share of the words of a text that are too rare to be kept, where some are left out."""


def draw_rows(spec: DatasetBase, *, train: int, test: int, seed: int) -> Dataset:
    """Draws rows like those of a data set.

    Args:
        spec: the data set and its arguments; its own seed is not used.
        train, test: how many rows.
        seed: equal seeds give equal rows.

    Returns:
        Rows of the shape, type and range that the profile of the data set states. Classes are named
        by their numbers and occur equally often; values are floats between 1 and 50.

    Raises:
        DataError: what the rows look like is known from user file only.
    """
    known = spec.profile()
    if known.open or (known.shape is None and not isinstance(spec, Words)):
        raise DataError(f"{spec.name}: only the file says what its rows look like")
    rng = np.random.default_rng(seed)

    def split(rows: int) -> Split:
        return Split(_draw_inputs(spec, known, rows, rng), _draw_labels(known, rows, rng))

    return Dataset(
        spec.name,
        split(train),
        split(test),
        classes=tuple(str(number) for number in known.classes),
        target=known.target,
    )


def _draw_labels(known: Profile, rows: int, rng: np.random.Generator) -> Array:
    if not known.classes:
        return rng.uniform(1, 50, rows)
    return np.asarray(rng.permutation(np.resize(known.classes, rows)), dtype=np.int64)


def _draw_inputs(spec: DatasetBase, known: Profile, rows: int, rng: np.random.Generator) -> Inputs:
    if isinstance(spec, Words):
        return _draw_texts(spec, known.highest, rows, rng)
    assert known.shape is not None
    if known.kind == "images":
        return rng.integers(0, known.highest + 1, (rows, *known.shape), dtype=np.uint8)
    # Columns of very different size, as those of most tables are.
    scales = np.logspace(0, 3 if known.uneven else 0, known.shape[-1])
    return rng.gamma(2.0, size=(rows, *known.shape)) * scales


def _draw_texts(spec: Words, highest: int, rows: int, rng: np.random.Generator) -> Sequences:
    """Words of the numbers that the spec lets through; the highest of them always occurs."""
    longest = _LONGEST if spec.maxlen is None else max(1, min(_LONGEST, spec.maxlen - 1))
    lengths = rng.integers(min(_SHORTEST, longest), longest + 1, rows)
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    lowest = min(max(spec.index_from + 1, spec.skip_top), highest)
    values = rng.integers(lowest, highest + 1, offsets[-1], dtype=np.int32)
    if spec.oov_char is not None:
        values[rng.random(len(values)) < _LEFT_OUT] = spec.oov_char
    if spec.start_char is not None and spec.skip_top <= spec.start_char <= highest:
        values[offsets[:-1]] = spec.start_char
    values[-1:] = highest
    return Sequences(values, offsets)


TRAIN_ROWS, TEST_ROWS = 512, 256
"""Enough rows for an epoch of several steps."""
_UNKNOWN = 1_000_000


@dataclass(frozen=True)
class SmokeTrial:
    """An experiment reduced to one epoch on few rows.

    Args:
        prepared: its rows.
        data: `real` or `synthetic`.
    """

    prepared: PreparedData
    data: str


@dataclass(frozen=True)
class _Whole:
    """The rows before they are reduced.

    Args:
        raw: all real rows, or the necessary number of synthetic ones.
        rows: number of training rows of the data set.
        data: `real` or `synthetic`.
    """

    raw: RawData
    rows: int
    data: str


def load_rows(spec: Experiment, *, stand_in: bool) -> SmokeTrial:
    """Loads the rows of an experiment and reduces both to a trial.

    A hold-out keeps its share of the rows; without one, the first fold of a cross-validation is
    used. A batch larger than the training rows becomes half of them, so that there are steps.

    Args:
        spec: as for training.
        stand_in: whether synthetic rows may replace missing files.

    Raises:
        DataError: a file is missing, or the rows are not finite.
        IncompatibleSpec: spec and data do not fit together.
    """
    whole = _read(inputs.seeded(spec), stand_in=stand_in)
    spec, dataset = whole.raw.spec, _cut(whole.raw)
    validation = _shortened(spec.validation, dataset, whole.rows)
    fold = _fold(validation, dataset, seed=whole.raw.seed)
    training = spec.training.model_copy(
        update={"epochs": 1, "batch_size": _batch(spec.training.batch_size, len(fold.train))}
    )
    spec = spec.model_copy(update={"training": training, "validation": validation})
    digest = datasets.digest(dataset)
    raw = replace(whole.raw, spec=spec, dataset=dataset, digest=digest)
    return SmokeTrial(inputs.prepare_fold(raw, fold), whole.data)


def _read(spec: Experiment, *, stand_in: bool) -> _Whole:
    began = time.perf_counter()
    missing = datasets.missing(spec.dataset)
    if not missing:
        raw = inputs.load_data(spec)
        return _Whole(raw, len(raw.dataset.train), "real")
    if not stand_in:
        raise DataError(
            f"{spec.dataset.name}: {missing[0]} is not there, and a smoke run downloads nothing; "
            "--synthetic draws rows of the same shape instead"
        )
    train, test = _published(spec)
    rows = draw_rows(
        spec.dataset,
        train=min(train, _wanted(spec, spec.dataset.profile().classes)),
        test=min(test, TEST_ROWS),
        seed=spec.seed or 0,
    )
    datasets.check_filled(spec.dataset, rows)
    return _Whole(inputs.from_rows(spec, rows, began=began), train, "synthetic")


def _published(spec: Experiment) -> tuple[int, int]:
    """The number of rows of the data set, `maxlen` ignored; a large number for user data."""
    dataset = spec.dataset
    if isinstance(dataset, Words):
        dataset = dataset.model_copy(update={"maxlen": None})
    profile = dataset.profile()
    train, test = (_UNKNOWN if rows is None else rows for rows in (profile.train, profile.test))
    return train, test


def _members(spec: Experiment) -> int:
    """The number of rows of a class that stratification needs."""
    rule = spec.validation.kfold
    return max(2, rule.folds or 2) if rule and rule.stratify else 2


def _wanted(spec: Experiment, classes: Sized) -> int:
    """The number of training rows: enough for each fold, and some of each class."""
    rule = spec.validation.kfold
    folds = (rule.folds or 0) if rule else 0
    return max(TRAIN_ROWS, folds, _members(spec) * len(classes))


def _cut(raw: RawData) -> Dataset:
    spec, dataset = raw.spec, raw.dataset
    wanted = _wanted(spec, dataset.classes)
    train, test = dataset.train, dataset.test
    return replace(
        dataset,
        train=_taken(train, _first(train, wanted, dataset.classes, members=_members(spec))),
        test=_taken(test, _first(test, TEST_ROWS, dataset.classes, members=1)),
    )


def _first(split: Split, rows: int, classes: Sized, *, members: int) -> Array:
    """The first rows, with up to `members` of each class, in their order."""
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
    """The hold-out with its share of the few rows, enough for each class if stratified.

    Raises:
        IncompatibleSpec: it would leave no rows to train on, or none to validate on.
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
        return splits.folds(validation.kfold, dataset, seed=seed)[0]
    return splits.holdout(validation, dataset.train.y, seed=seed)


def _batch(size: int, rows: int) -> int:
    return size if size <= rows else max(1, rows // 2)


def run_trial(trial: SmokeTrial, folder: Folder, *, context: RunContext, observer: Observer) -> Run:
    """Trains, tests and records as `nnrun train` does, then checks every file of the run.

    Args:
        trial: the reduced experiment.
        folder: makes the run folder; its record marks the trial.
        context: as for `fold.train`.
        observer: receives the progress.

    Returns:
        The finished run.

    Raises:
        IncompatibleSpec: the model cannot be built.
        TrainingError: training had to stop.
        RunError: a file cannot be written, or is damaged.
        KeyboardInterrupt: after the results so far have been written.
    """

    def marked(record: dict[str, Any]) -> Run:
        return folder({**record, "verb": "smoke", "data": trial.data})

    run = fold.train(trial.prepared, marked, context=context, observer=observer)
    damaged = files.check(run).damaged
    if damaged:
        raise RunError("; ".join(f"{damage.file} {damage.reason}" for damage in damaged))
    return run
