"""Loads and prepares the rows of an experiment, without Keras and TensorFlow.

Errors that do not need the model are found here, before TensorFlow loads.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np

from nnrun.check import lint, spec_context, training
from nnrun.check.context import (
    check_memory,
    embedding_problems,
    input_dim_problems,
    needed_rows,
)
from nnrun.check.faults import input_problems
from nnrun.data import checks, columns, datasets, preprocessing
from nnrun.data.labels import encode, sample_weights
from nnrun.data.preprocessing import AnyPreparation, NamedPreparation, Preparation
from nnrun.errors import DataError, IncompatibleSpec
from nnrun.spec import code, labels
from nnrun.spec.experiment import Experiment
from nnrun.spec.loading import use_names
from nnrun.spec.tree import Problem, dotted
from nnrun.training import backend
from nnrun.types import Array, Dataset, Fold, Sequences


@dataclass(frozen=True, kw_only=True)
class RawData:
    """The rows of an experiment, shared by all its folds.

    Args:
        spec: always with a seed.
        digest: of the rows.
        seconds: spent reading and preparing.
    """

    spec: Experiment
    dataset: Dataset
    digest: str
    seconds: float

    @property
    def seed(self) -> int:
        """The experiment's seed, drawn if the spec has none."""
        assert self.spec.seed is not None
        return self.spec.seed

    def labels(self, y: Array, units: int) -> Array:
        """Labels as the loss needs them, for a model with this number of output units."""
        return encode(y, self.spec.training, classes=self.dataset.target.class_count, units=units)

    def weights(self, fold: Fold) -> Array | None:
        """The weight of each training row in the loss; None if all count the same."""
        weight, classes = self.spec.training.class_weight, self.dataset.classes
        train = self.dataset.train
        if weight is None:
            return train.weights
        by_class = sample_weights(train.y, weight, classes=classes, train=fold.train)
        return by_class if train.weights is None else by_class * train.weights


@dataclass(frozen=True, kw_only=True)
class PreparedData(RawData):
    """The rows of one fold with their fitted preparation, before the model is built.

    Args:
        fold: the rows that train and those that validate.
        preparation: fitted on the rows that train.
        notices: remarks about the rows for the user.
    """

    fold: Fold
    preparation: AnyPreparation
    notices: tuple[str, ...]

    @property
    def scored(self) -> tuple[str, Array]:
        """The rows whose predictions are recorded: a split, and row numbers in it.

        A hold-out predicts the test rows. A fold predicts its validation rows and never sees the
        test rows: otherwise they would influence choices between folds.
        """
        if self.fold.number:
            return "train", self.fold.validation
        return "test", np.arange(len(self.dataset.test))


def use_code(spec: Experiment) -> None:
    """Gives the names of the user's code their meaning, to read and prepare rows.

    Raises:
        IncompatibleSpec: a file is not allowed.
    """
    use_names(spec.code)
    code.activate(spec.code)
    steps = [step.step for view in spec.dataset.views.values() for step in view.prepare]
    is_read = any(map(code.is_own, (spec.dataset.name, *steps)))
    if is_read and any(b"keras" in f.content or b"tensorflow" in f.content for f in spec.code):
        # As nnrun sets it up: the file would load it otherwise.
        with backend.Noise():
            backend.load()


def load_data(spec: Experiment) -> RawData:
    """Reads the rows of an experiment; raises the errors of `from_rows`, or if data are missing."""
    began = time.perf_counter()
    use_code(spec)
    try:
        return from_rows(spec, datasets.load(spec.dataset, spec.validation), began=began)
    except MemoryError as error:
        name = spec.dataset.name
        raise DataError(f"out of memory while reading {name}: its rows need more") from error


def from_rows(spec: Experiment, dataset: Dataset, *, began: float) -> RawData:
    """Checks rows that are in memory, real or synthetic; `began` is when loading began.

    Raises:
        DataError: the rows are not finite.
        IncompatibleSpec: spec and data do not fit together.
    """
    spec = seeded(spec)
    units = labels.output_units(spec.model)
    # The shape of inputs as labels is known once they are prepared.
    if units is not None and dataset.target.kind != "inputs":
        labels.check(dataset, spec, units)
    for problem in training.class_weight_problems(spec.training.class_weight, dataset.classes):
        raise problem
    for problem in input_problems(spec):
        raise problem
    views = dataset.views
    rows = {
        name: needed_rows(view, checks.highest_index(views[name]))
        for name, view in spec.dataset.views.items()
    }
    spec = spec.with_input_dims(rows)
    for name, view in spec.views.items():
        with _in_whole(spec, name):
            _check_input(view, views[name])
    digest = datasets.digest(dataset)
    seconds = time.perf_counter() - began
    return RawData(spec=spec, dataset=dataset, digest=digest, seconds=seconds)


def _check_input(spec: Experiment, dataset: Dataset) -> None:
    """Checks the rows of one input; errors as of `from_rows`."""
    checks.check_numbers(dataset, missing=any(s.fills_missing for s in spec.dataset.prepare))
    checks.check_word_indices(dataset, spec)
    for problem in embedding_problems(spec, columns.numbers(dataset.columns)):
        raise problem
    for problem in input_dim_problems(spec):
        raise problem


@contextmanager
def _in_whole(spec: Experiment, name: str) -> Iterator[None]:
    """Gives errors of a view of an experiment their place in the experiment."""
    try:
        yield
    except IncompatibleSpec as error:
        path = spec.path_in_whole(name, error.path)
        raise IncompatibleSpec(error.code, path, error.message) from error


def seeded(spec: Experiment) -> Experiment:
    """The experiment with a seed, drawn if the spec has none."""
    if spec.seed is not None:
        return spec
    return spec.model_copy(update={"seed": secrets.randbits(31)})


def prepare_fold(raw: RawData, fold: Fold) -> PreparedData:
    """Fits the preparation on the training rows of a fold.

    Raises:
        IncompatibleSpec: a prepare step cannot be applied to these data.
    """
    began = time.perf_counter()
    spec, dataset = raw.spec, raw.dataset
    use_code(spec)
    parts = {}
    for name, view in spec.views.items():
        with _in_whole(spec, name):
            parts[name] = _prepare_input(view, dataset.views[name], fold)
    preparation = parts[""] if "" in parts else NamedPreparation(parts)
    if dataset.target.kind == "inputs":
        assert isinstance(preparation, Preparation)
        dataset = replace(dataset, target=replace(dataset.target, shape=preparation.shape))
    warnings = checks.notices(dataset, fold)
    table: list[str] = []
    # The process that cross-validates reports what concerns all folds.
    if not fold.number:
        warnings = [*spec_warnings(spec, dataset), *warnings]
        found = [column for view in dataset.views.values() for column in view.columns]
        counts = {column.name: len(column.categories or ()) for column in found}
        counts |= dict.fromkeys(getattr(spec.dataset, "texts", ()), -1)
        described = columns.described(counts, dataset.target)
        table = [described] if found else []
    return PreparedData(
        spec=spec,
        dataset=dataset,
        digest=raw.digest,
        seconds=raw.seconds + time.perf_counter() - began,
        fold=fold,
        preparation=preparation,
        notices=(*table, *notice_lines(warnings, spec)),
    )


def _prepare_input(spec: Experiment, dataset: Dataset, fold: Fold) -> Preparation:
    """The fitted preparation of one input."""
    x = dataset.train.single
    shape = () if isinstance(x, Sequences) else x.shape[1:]
    for step in takewhile(lambda step: step.shape_is_known, spec.dataset.prepare):
        shape = step.shape_after(shape)
    check_memory(spec, len(dataset.train) + len(dataset.test), shape)
    groups = columns.groups(dataset.columns)
    return preprocessing.fit(spec.dataset.prepare, x, rows=fold.train, groups=groups)


def spec_warnings(spec: Experiment, dataset: Dataset) -> list[Problem]:
    """The warnings of a spec, and those that need the rows."""
    context = spec_context(spec)
    warnings = lint.findings(context)
    if not context.profile.scale and dataset.target.kind == "value":
        scale = float(np.sqrt(np.mean(np.square(dataset.train.y, dtype=np.float64))))
        warnings += lint.large_targets(context, scale)
    return warnings


def notice_lines(problems: Iterable[Problem], spec: Experiment) -> tuple[str, ...]:
    """A line per warning, without those that the spec ignores."""
    return tuple(
        f"{problem.code} {dotted(problem.path)}: {problem.message}"
        for problem in lint.without_ignored([*problems], spec)
    )
