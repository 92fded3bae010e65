"""A signal that another library has made into an error still interrupts a cross-validation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from nnrun import crossval, intake, layout, runs
from nnrun.kfold import record
from nnrun.kfold.whole import Whole
from nnrun.runs import Run
from tests.kfold.conftest import spec


@pytest.fixture
def whole(tmp_path: Path) -> Whole:
    """A cross-validation of which no fold is there yet."""
    material = intake.read(spec())
    assert material.spec.validation.kfold
    folds = crossval.folds(material.spec.validation.kfold, material.dataset, seed=material.seed)
    run = runs.create(tmp_path, "study", now=datetime(2026, 1, 1), record={"verb": "kfold"})
    return Whole(run, material, folds, began=0.0)


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("heed", "error", "status"),
    [
        (interrupt, KeyboardInterrupt, layout.INTERRUPTED),
        (lambda: None, ValueError, layout.FAILED),
    ],
    ids=["a signal came", "none came"],
)
def test_an_error_is_an_interrupt_where_a_signal_came(
    whole: Whole, heed: Callable[[], None], error: type[BaseException], status: str
) -> None:
    with pytest.raises(error), record.kept(whole, heed):
        raise ValueError("as Matplotlib makes of it")

    assert Run(whole.run.path).status() == status
