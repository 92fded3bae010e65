"""Run folders with given results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun import runs
from nnrun.analysis.compare import Facts, read
from nnrun.experiment.crossval import averages
from nnrun.runs import Run, layout
from nnrun.spec.dumping import dump
from nnrun.spec.experiment import Experiment
from nnrun.types import Fold, History

SOFTMAX = {"Dense": {"units": 2, "activation": "softmax"}}


def experiment(name: str, seed: int, changes: dict[str, Any]) -> Experiment:
    training = {
        "optimizer": "adam",
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
        "epochs": 3,
        **changes.pop("training", {}),
    }
    rest = {"dataset": {"name": "iris"}, "model": [SOFTMAX], **changes}
    return Experiment.model_validate({"name": name, "seed": seed, "training": training, **rest})


@dataclass
class Maker:
    """Creates runs, one second after the other."""

    root: Path
    made: int = 0

    def run(
        self,
        name: str,
        record: dict[str, Any],
        metrics: dict[str, Any],
        *,
        seed: int = 0,
        status: str = layout.FINISHED,
        **changes: Any,
    ) -> Run:
        now = datetime(2026, 1, 1) + timedelta(seconds=self.made)
        self.made += 1
        common_keys = {
            "verb": "train",
            "seed": seed,
            "data_digest": "data",
            "split_digest": "split",
        }
        run = runs.create(self.root, name, now=now, record={**common_keys, **record})
        run.write_text(layout.SPEC, dump(experiment(name, seed, changes)))
        history = History()
        for epoch in range(3):
            history.append({"loss": 3.0 - epoch, "accuracy": epoch / 3})
            run.append_epoch(history)
        if metrics:
            common = {"epochs": 3, "best_epoch": 2, "parameters": 10, "seconds": {"total": 1.5}}
            run.write_json(layout.METRICS, {**common, **metrics})
        run.update(status=status)
        return run

    def classifier(
        self, name: str, right: Sequence[bool], sets: Sequence[str] = (), **changes: Any
    ) -> Facts:
        """A training whose answers on the test rows are right or wrong; `sets` of equal size."""
        answers = np.asarray(right)
        names = np.repeat([*sets], len(answers) // max(1, len(sets)))
        means = {part: float(answers[names == part].mean()) for part in sets}
        tests = {part: {"loss": 1 - mean, "accuracy": mean} for part, mean in means.items()}
        share = float(answers.mean())
        metrics = {"loss": 1 - share, "accuracy": share}
        record = changes.pop("record", {})
        more = {"tests": tests} if sets else {}
        run = self.run(name, record, {"train": metrics, "test": metrics, **more}, **changes)
        target = np.zeros(len(answers), dtype=int)
        arrays = {"row": np.arange(len(answers)), "target": target}
        arrays["output"] = np.stack([answers * 0.8 + 0.1, ~answers * 0.8 + 0.1], axis=1)
        run.write_arrays(layout.PREDICTIONS, **arrays, **({"test_set": names} if sets else {}))
        run.update()
        return read(run)

    def regression(self, name: str, errors: Sequence[float], **changes: Any) -> Facts:
        """A training with these errors on the test rows."""
        off = np.asarray(errors, dtype=float)
        metrics = {"loss": float(np.mean(off**2)), "mae": float(np.mean(np.abs(off)))}
        training = {"loss": "mse", "metrics": ["mae"], **changes.pop("training", {})}
        run = self.run(name, {}, {"train": metrics, "test": metrics}, training=training, **changes)
        target = np.linspace(10.0, 20.0, len(off))
        output = (target + off)[:, None]
        run.write_arrays(layout.PREDICTIONS, row=np.arange(len(off)), target=target, output=output)
        run.update()
        return read(run)

    def folds(self, name: str, values: Sequence[float], **changes: Any) -> Facts:
        """A cross-validation with this accuracy in each fold, of 303 and 101 rows."""
        parts = [Fold(np.arange(303), np.arange(101), n + 1) for n in range(len(values))]
        spread = averages.spreads([{"accuracy": value, "loss": 1.0} for value in values], parts, {})
        record = {
            "verb": "kfold",
            "folds": [{"number": p.number, "train": 303, "validation": 101} for p in parts],
            **changes.pop("record", {}),
        }
        return read(self.run(name, record, {"train": spread, "validation": spread}, **changes))


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


@pytest.fixture
def answers() -> Callable[[int], Any]:
    """Answers for 200 rows, of which the first so many are right."""
    return lambda right: np.arange(200) < right
