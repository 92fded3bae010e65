"""Tries an experiment on few rows, without any download."""

from __future__ import annotations

import time
from collections.abc import Sized
from dataclasses import dataclass, replace

import numpy as np

from nnrun.check.context import held_out
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
from nnrun.types import Dataset, Inputs, Observer, Sequences, Split, offsets

TRAIN_ROWS, TEST_ROWS = 512, 256
"""Enough rows for an epoch of several steps."""
UNKNOWN_ROWS = 1_000_000
"""Assumed size of user data that are missing."""
SHORTEST_TEXT, LONGEST_TEXT = 20, 300
"""Words in a synthetic text, if the spec allows as many."""
UNKNOWN_WORDS = 0.1
"""Share of the words of a synthetic text that the vocabulary lacks."""


@dataclass(frozen=True)
class SmokeTrial:
    """An experiment reduced to one epoch on few rows.

    Args:
        prepared: its rows.
        data: `real` or `synthetic`.
    """

    prepared: PreparedData
    data: str


def load_rows(spec: Experiment, *, synthetic: bool) -> SmokeTrial:
    """Loads the rows of an experiment and reduces both to a trial.

    A hold-out keeps its share of the rows; without one, the first fold of a cross-validation is
    used. A batch larger than the training rows becomes half of them, so that there are steps.

    Args:
        spec: as for training.
        synthetic: whether synthetic rows may replace missing files.

    Raises:
        DataError: a file is missing, or the rows are not finite.
        IncompatibleSpec: spec and data do not fit together.
    """
    spec = inputs.seeded(spec)
    missing = datasets.missing(spec.dataset)
    if missing and not synthetic:
        raise DataError(
            f"{spec.dataset.name}: {missing[0]} is not there, and a smoke run downloads nothing; "
            "--synthetic draws rows of the same shape instead"
        )
    if missing:
        raw, all_rows = _load_synthetic(spec)
    else:
        raw = inputs.load_data(spec)
        all_rows = len(raw.dataset.train)
    dataset = _first_rows(raw)
    validation = _reduce_validation(spec.validation, dataset, all_rows)
    if validation.kfold and not validation.holdout:
        rows = splits.folds(validation.kfold, dataset, seed=raw.seed)[0]
    else:
        rows = splits.holdout(validation, dataset.train, seed=raw.seed)
    batch_size = spec.training.batch_size
    if batch_size > len(rows.train):
        batch_size = max(1, len(rows.train) // 2)
    training = spec.training.model_copy(update={"epochs": 1, "batch_size": batch_size})
    spec = raw.spec.model_copy(update={"training": training, "validation": validation})
    raw = replace(raw, spec=spec, dataset=dataset, digest=datasets.digest(dataset))
    return SmokeTrial(inputs.prepare_fold(raw, rows), "synthetic" if missing else "real")


def _load_synthetic(spec: Experiment) -> tuple[RawData, int]:
    """A few synthetic rows, and the number of rows that the real data set trains on."""
    began = time.perf_counter()
    dataset = spec.dataset
    if isinstance(dataset, Words):
        # `maxlen` drops a number of rows that only the file tells.
        dataset = dataset.model_copy(update={"maxlen": None})
    profile = dataset.profile()
    train = UNKNOWN_ROWS if profile.train is None else profile.train
    test = UNKNOWN_ROWS if profile.test is None else profile.test
    drawn = draw_rows(
        spec.dataset,
        train=min(train, _train_rows(spec, profile.classes)),
        test=min(test, TEST_ROWS),
        seed=spec.seed or 0,
    )
    datasets.check_filled(spec.dataset, drawn)
    if getattr(dataset, "groups", None) is not None:
        train_rows = replace(drawn.train, groups=np.arange(len(drawn.train)))
        drawn = replace(drawn, train=train_rows)
    if dataset.names_validation:
        held_out = np.arange(len(drawn.train)) % 5 == 0
        drawn = replace(drawn, train=replace(drawn.train, held_out=held_out))
    return inputs.from_rows(spec, drawn, began=began), train


def _first_rows(raw: RawData) -> Dataset:
    """The first rows of a data set, with enough of each class."""
    dataset, per_class = raw.dataset, _rows_per_class(raw.spec)
    rows = _train_rows(raw.spec, dataset.classes)
    train = _select(dataset.train, rows, dataset.classes, per_class=per_class)
    test = _select(dataset.test, TEST_ROWS, dataset.classes, per_class=1)
    return replace(dataset, train=train, test=test)


def _train_rows(spec: Experiment, classes: Sized) -> int:
    """The number of training rows: enough for each fold, and some of each class."""
    rule = spec.validation.kfold
    folds = (rule.folds or 0) if rule else 0
    return max(TRAIN_ROWS, folds, _rows_per_class(spec) * len(classes))


def _rows_per_class(spec: Experiment) -> int:
    """The number of rows of a class that stratification needs."""
    rule = spec.validation.kfold
    return max(2, rule.folds or 2) if rule and rule.stratify else 2


def _select(split: Split, rows: int, classes: Sized, *, per_class: int) -> Split:
    """The first rows of a split in their order, with up to `per_class` of each class."""
    some = [np.flatnonzero(split.y == number)[:per_class] for number in range(len(classes))]
    some += [part[:per_class] for part in split.test_sets.values()]
    if split.held_out is not None:
        some.append(np.flatnonzero(split.held_out)[:TEST_ROWS])
    needed = np.unique(np.concatenate([np.arange(0), *some]))
    others = np.setdiff1d(np.arange(min(len(split), rows + len(needed))), needed)
    chosen = np.sort(np.concatenate([needed, others[: max(0, rows - len(needed))]]))
    return split.select(chosen)


def _reduce_validation(validation: Validation, dataset: Dataset, all_rows: int) -> Validation:
    """A hold-out keeps its share of the rows, but has some of each class if stratified.

    Raises:
        IncompatibleSpec: it would leave no rows to train on, or none to validate on.
    """
    # Without gaps, which may be larger than these few rows.
    rule, rows = validation.holdout, len(dataset.train)
    kfold = validation.kfold and validation.kfold.model_copy(update={"gap": 0})
    if rule is None:
        return Validation(kfold=kfold)
    share = round(held_out(rule, all_rows) * rows / all_rows)
    classes = len(np.unique(dataset.train.y)) if rule.stratify and dataset.classes else 1
    size = max(classes, min(share, rows - classes))
    holdout = Holdout(size=size, take=rule.take, stratify=rule.stratify)
    return Validation(holdout=holdout, kfold=kfold)


def run_trial(trial: SmokeTrial, folder: Folder, *, context: RunContext, observer: Observer) -> Run:
    """Trains, tests and records as `nnrun train` does, then checks every file of the run.

    Raises:
        IncompatibleSpec: the model cannot be built.
        TrainingError: training had to stop.
        RunError: a file cannot be written, or is damaged.
        KeyboardInterrupt: after the results so far have been written.
    """

    def marked(record: dict[str, object]) -> Run:
        return folder({**record, "verb": "smoke", "data": trial.data})

    setup = fold.build(trial.prepared, observer)
    run = fold.train(setup, marked, context=context, observer=observer)
    damaged = files.check(run).damaged
    if damaged:
        raise RunError("; ".join(f"{damage.file} {damage.reason}" for damage in damaged))
    return run


def draw_rows(spec: DatasetBase, *, train: int, test: int, seed: int) -> Dataset:
    """Draws synthetic rows like those of a data set; nothing can be learnt from them.

    Args:
        spec: the data set and its arguments; its own seed is not used.
        train, test: number of rows.
        seed: equal seeds give equal rows.

    Returns:
        Rows of the shape, type and range in the profile of the data set. Classes are named by their
        numbers and occur equally often; values are floats between 1 and 50.

    Raises:
        DataError: only the user's file tells the shape of a row.
    """
    profile = spec.profile()
    if profile.open or (profile.shape is None and not isinstance(spec, Words)):
        raise DataError(f"{spec.name}: only the file says what its rows look like")
    rng = np.random.default_rng(seed)

    def split(rows: int) -> Split:
        x = _draw_inputs(spec, profile, rows, rng)
        if profile.classes:
            numbers = np.resize(np.arange(len(profile.classes)), rows)
            y = np.asarray(rng.permutation(numbers), dtype=np.int64)
            return Split(x, y)
        return Split(x, rng.uniform(1, 50, rows))

    numbers = tuple(map(str, range(len(profile.classes))))
    target = replace(profile.target, names=numbers)
    dataset = Dataset(spec.name, split(train), split(test), target)
    return datasets.with_inputs_as_labels(dataset) if spec.reconstructs else dataset


def _draw_inputs(
    spec: DatasetBase, profile: Profile, rows: int, rng: np.random.Generator
) -> Inputs:
    if isinstance(spec, Words):
        return _draw_texts(spec, profile.highest, rows, rng)
    assert profile.shape is not None
    if profile.kind == "images":
        return rng.integers(0, profile.highest + 1, (rows, *profile.shape), dtype=np.uint8)
    # Columns of very different size, as in most tables.
    scales = np.logspace(0, 3 if profile.uneven else 0, profile.shape[-1])
    return rng.gamma(2.0, size=(rows, *profile.shape)) * scales


def _draw_texts(spec: Words, highest: int, rows: int, rng: np.random.Generator) -> Sequences:
    """Word indices that the spec allows; the highest of them always occurs."""
    longest = LONGEST_TEXT if spec.maxlen is None else max(1, min(LONGEST_TEXT, spec.maxlen - 1))
    starts = offsets(rng.integers(min(SHORTEST_TEXT, longest), longest + 1, rows))
    lowest = min(max(spec.index_from + 1, spec.skip_top), highest)
    values = rng.integers(lowest, highest + 1, starts[-1], dtype=np.int32)
    if spec.oov_char is not None:
        values[rng.random(len(values)) < UNKNOWN_WORDS] = spec.oov_char
    if spec.start_char is not None and spec.skip_top <= spec.start_char <= highest:
        values[starts[:-1]] = spec.start_char
    values[-1:] = highest
    return Sequences(values, starts)
