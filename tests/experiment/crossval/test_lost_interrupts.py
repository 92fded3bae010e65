"""A signal that another library has made into an error still interrupts a cross-validation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from nnrun import runs
from nnrun.data import splits
from nnrun.experiment import inputs
from nnrun.experiment.crossval import record
from nnrun.experiment.crossval.record import CrossValidationRun
from nnrun.runs import Run, layout
from tests.experiment.crossval.conftest import spec


@pytest.fixture
def whole(tmp_path: Path) -> CrossValidationRun:
    """A cross-validation of which no fold is there yet."""
    raw = inputs.load_data(spec())
    assert raw.spec.validation.kfold
    folds = splits.folds(raw.spec.validation.kfold, raw.dataset, seed=raw.seed)
    run = runs.create(tmp_path, "study", now=datetime(2026, 1, 1), record={"verb": "kfold"})
    return CrossValidationRun(run, raw, folds, began=0.0)


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("check", "error", "status"),
    [
        (interrupt, KeyboardInterrupt, layout.INTERRUPTED),
        (lambda: None, ValueError, layout.FAILED),
    ],
    ids=["a signal came", "none came"],
)
def test_an_error_is_an_interrupt_where_a_signal_came(
    whole: CrossValidationRun, check: Callable[[], None], error: type[BaseException], status: str
) -> None:
    with pytest.raises(error), record.keep(whole, check):
        raise ValueError("as Matplotlib makes of it")

    assert Run(whole.run.path).status() == status
