"""A signal that another library turned into an error still interrupts a cross-validation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from nnrun import runs
from nnrun.data import splits
from nnrun.experiment import inputs
from nnrun.experiment.crossval.record import CrossValidationRun
from nnrun.runs import Run, layout
from tests.experiment.crossval.conftest import spec


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("check", "error", "status"),
    [
        (interrupt, KeyboardInterrupt, layout.INTERRUPTED),
        (lambda: None, ValueError, layout.FAILED),
    ],
    ids=["signal", "no signal"],
)
def test_an_error_after_a_signal_is_an_interrupt(
    tmp_path: Path, check: Callable[[], None], error: type[BaseException], status: str
) -> None:
    """As Matplotlib does."""
    raw = inputs.load_data(spec())
    assert raw.spec.validation.kfold
    folds = splits.folds(raw.spec.validation.kfold, raw.dataset, seed=raw.seed)
    run = runs.create(tmp_path, "study", now=datetime(2026, 1, 1), record={"verb": "kfold"})
    kfold = CrossValidationRun(run, raw, folds, began=0.0)

    with pytest.raises(error), kfold.keep(check):
        raise ValueError("from Matplotlib")

    assert Run(run.path).status() == status
