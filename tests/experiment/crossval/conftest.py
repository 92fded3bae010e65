"""Cross-validates in this process, with rows from the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from nnrun.data import datasets, splits
from nnrun.experiment import inputs
from nnrun.experiment.fold import build, train
from nnrun.experiment.inputs import RawData
from nnrun.experiment.recorder import RunContext
from nnrun.experiment.setup import TrainingSetup
from nnrun.runs import Run, create_part
from nnrun.spec.experiment import Experiment
from nnrun.types import Dataset, Fold, Observer

LINEAR = {"Dense": {"units": 1, "activation": "sigmoid", "kernel_initializer": "zeros"}}
ORIGIN = RunContext(overrides=(), began=0.0, import_seconds=0.0)


@dataclass
class Study:
    """Trains folds one after another, each with the model of the last one, reset."""

    folder: Path
    spec: Experiment
    dataset: Dataset
    setup: TrainingSetup | None = field(default=None)

    @property
    def raw(self) -> RawData:
        return RawData(
            spec=self.spec, dataset=self.dataset, digest=datasets.digest(self.dataset), seconds=0.0
        )

    @property
    def folds(self) -> tuple[Fold, ...]:
        rule = self.spec.validation.kfold
        assert rule is not None
        return splits.folds(rule, self.dataset, seed=self.raw.seed)

    def run(self, fold: Fold, *, name: str | None = None) -> Run:
        """Trains a fold and records it in its own folder."""
        rows = inputs.prepare_fold(self.raw, fold)
        self.setup = build(rows, Observer(), previous=self.setup)
        return train(
            self.setup,
            lambda record: create_part(
                Run(self.folder),
                name or f"fold-{fold.number}",
                self.spec.name,
                now=datetime(2026, 1, 1),
                record=record,
            ),
            context=ORIGIN,
            observer=Observer(),
        )

    def runs(self) -> Iterator[Run]:
        return (self.run(fold) for fold in self.folds)


def spec(**changes: Any) -> Experiment:
    """A small classifier with changes."""
    training: Mapping[str, Any] = {
        "optimizer": {"Adam": {"learning_rate": 0.02}},
        "loss": "binary_crossentropy",
        "metrics": ["accuracy"],
        "epochs": 30,
        **changes.pop("training", {}),
    }
    return Experiment.model_validate(
        {
            "name": "study",
            "dataset": {"name": "breast_cancer", "prepare": ["standardize"]},
            "model": [LINEAR],
            "training": training,
            "validation": {"kfold": {"folds": 4}},
            **changes,
        }
    )


@pytest.fixture
def study(tmp_path: Path) -> Callable[..., Study]:
    """Makes a study of a data set; keywords change its spec."""

    def make(dataset: Dataset, /, **changes: Any) -> Study:
        return Study(tmp_path, spec(**changes), dataset)

    return make
