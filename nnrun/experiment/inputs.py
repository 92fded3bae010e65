"""What an experiment is fed: rows, split and preparation. Imports neither Keras nor TensorFlow.

Everything that can be refused without building the model is refused here, before
TensorFlow is loaded.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnrun.check import lint, spec_context, training
from nnrun.data import checks, columns, datasets, preprocessing, splits
from nnrun.data.labels import encode, sample_weights
from nnrun.data.preprocessing import Preparation
from nnrun.errors import DataError
from nnrun.spec import labels
from nnrun.spec.experiment import Experiment
from nnrun.spec.prepare import Impute
from nnrun.spec.tree import Finding, dotted
from nnrun.types import Array, Dataset, Fold


@dataclass(frozen=True, kw_only=True)
class RawData:
    """The rows of an experiment, all splits of it share them.

    Args:
        spec: with a seed, also where the person left it to chance.
        digest: of the rows.
        seconds: spent reading and preparing.
    """

    spec: Experiment
    dataset: Dataset
    digest: str
    seconds: float

    @property
    def seed(self) -> int:
        """The experiment's seed, drawn where the spec said `null`."""
        assert self.spec.seed is not None
        return self.spec.seed

    def labels(self, y: Array, units: int) -> Array:
        """Labels as the loss needs them, for a model that puts out so many units."""
        return encode(y, self.spec.training, classes=len(self.dataset.classes), units=units)

    def weights(self, fold: Fold) -> Array | None:
        """How much each training row counts in the loss, None where all count the same."""
        weight, classes = self.spec.training.class_weight, self.dataset.classes
        if weight is None:
            return None
        return sample_weights(self.dataset.train.y, weight, classes=classes, train=fold.train)


@dataclass(frozen=True, kw_only=True)
class PreparedData(RawData):
    """All that is known before the model is built.

    Args:
        fold: which of the training rows train, which validate.
        preparation: fitted on the rows that train.
        notices: what a person should know of the rows.
    """

    fold: Fold
    preparation: Preparation
    notices: tuple[str, ...]

    @property
    def scored(self) -> tuple[str, Array]:
        """The rows whose predictions are kept: a split, and row numbers in it.

        A hold-out predicts the test rows. A fold predicts the rows that validate it, and leaves the
        test rows alone: whoever looks at them once per fold chooses by them in the end.
        """
        if self.fold.number:
            return "train", self.fold.validation
        return "test", np.arange(len(self.dataset.test))


def load_data(spec: Experiment) -> RawData:
    """Reads the rows of an experiment.

    Raises:
        DataError: the data cannot be had, or holds what is no number.
        Misfit: spec and data do not go together.
    """
    began = time.perf_counter()
    try:
        return from_rows(spec, datasets.load(spec.dataset), began=began)
    except MemoryError as error:
        name = spec.dataset.name
        raise DataError(f"out of memory while reading {name}: its rows need more") from error


def from_rows(spec: Experiment, dataset: Dataset, *, began: float) -> RawData:
    """Rows that are there already, taken for those of an experiment.

    Args:
        spec: the experiment.
        dataset: its rows, or others of the same kind.
        began: when getting them began, by `time.perf_counter`.

    Raises:
        DataError: the rows hold what is no number.
        Misfit: spec and data do not go together.
    """
    spec = seeded(spec)
    units = labels.output_units(spec.model)
    if units is not None:
        labels.check(dataset, spec, units)
    for problem in training.class_weight_problems(spec.training.class_weight, dataset.classes):
        raise problem
    filled = any(isinstance(step, Impute) for step in spec.dataset.prepare)
    checks.check_numbers(dataset, missing=filled)
    checks.check_word_indices(dataset, spec)
    digest = datasets.digest(dataset)
    seconds = time.perf_counter() - began
    return RawData(spec=spec, dataset=dataset, digest=digest, seconds=seconds)


def seeded(spec: Experiment) -> Experiment:
    """The experiment with a seed, drawn where the spec says `null`."""
    if spec.seed is not None:
        return spec
    return spec.model_copy(update={"seed": secrets.randbits(31)})


def prepare_fold(raw: RawData, fold: Fold) -> PreparedData:
    """Fits the preparation on the rows that a fold trains on.

    Raises:
        Misfit: a prepare step cannot be applied to such data.
    """
    began = time.perf_counter()
    spec, dataset = raw.spec, raw.dataset
    steps = spec.dataset.prepare
    groups = columns.groups(dataset.columns)
    preparation = preprocessing.fit(steps, dataset.train.x, rows=fold.train, groups=groups)
    found = [
        *([] if fold.number else lint.findings(spec_context(spec))),
        *checks.notices(dataset, fold),
    ]
    known: dict[str, Any] = {**vars(raw)}
    known["seconds"] += time.perf_counter() - began
    described = [] if fold.number or not dataset.columns else [columns.described(dataset)]
    notices = (*described, *notice_lines(found, spec))
    return PreparedData(**known, fold=fold, preparation=preparation, notices=notices)


def notice_lines(findings: Iterable[Finding], spec: Experiment) -> tuple[str, ...]:
    """What is said of findings, in a line each, without those that the spec takes back."""
    return tuple(
        f"{found.code} {dotted(found.path)}: {found.message}"
        for found in lint.without_ignored([*findings], spec)
    )


def load_and_prepare(spec: Experiment) -> PreparedData:
    """Reads, splits and prepares the data of an experiment with a hold-out, or none.

    Raises:
        DataError: the data cannot be had, or holds what is no number.
        Misfit: spec and data do not go together.
    """
    raw = load_data(spec)
    fold = splits.holdout(spec.validation, raw.dataset.train.y, seed=raw.seed)
    return prepare_fold(raw, fold)
