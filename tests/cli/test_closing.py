"""What is said when a run is over."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from nnrun import runs
from nnrun.cli import summary
from nnrun.cli.progress import FoldProgress
from nnrun.runs import Run, layout
from nnrun.types import History

FALLING = [0.9, 0.7, 0.5, 0.4, 0.3, 0.2]


def history(loss: list[float], val_loss: list[float]) -> History:
    return History({"loss": loss, "val_loss": val_loss})


def test_a_rise_of_validation_loss_under_a_falling_training_loss_is_over_fitting() -> None:
    """The sentence gives both losses from the best epoch on, so that one can judge for oneself."""
    said = summary.overfitting(history(FALLING, [0.8, 0.6, 0.7, 0.8, 0.9, 1.0]))

    assert said == (
        "over-fitting: since epoch 2 validation loss rose from 0.6000 to 1.0000 while training "
        "loss fell from 0.7000 to 0.2000; stop earlier (EarlyStopping), or use a smaller model or "
        "dropout"
    )


@pytest.mark.parametrize(
    ("loss", "val_loss"),
    [
        pytest.param(FALLING, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4], id="validation loss falls too"),
        pytest.param(FALLING, [0.9, 0.8, 0.7, 0.6, 0.7, 0.8], id="it rose for two epochs only"),
        pytest.param(FALLING, [0.9, 0.6, 0.601, 0.602, 0.6, 0.605], id="it rose by a hair"),
        pytest.param([0.5] * 6, [0.8, 0.6, 0.7, 0.8, 0.9, 1.0], id="training loss does not fall"),
        pytest.param(FALLING, [], id="nothing validates"),
    ],
)
def test_anything_else_is_not(loss: list[float], val_loss: list[float]) -> None:
    """A warning that comes too easily is soon not read any more."""
    assert summary.overfitting(history(loss, val_loss)) is None


@pytest.fixture
def unwritable(tmp_path: Path) -> Run:
    """A finished run whose log cannot be written, here because a folder has its name."""
    run = runs.create(tmp_path, "digits", now=datetime(2026, 1, 1), record={"verb": "train"})
    run.update(status=layout.FINISHED)
    (run.path / layout.LOG).mkdir()
    return run


def test_a_log_that_cannot_be_written_is_said(
    unwritable: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """All else of the run is there, so it is no failure; nor is it to be found out later."""
    summary.log(unwritable)

    path = unwritable.path / layout.LOG
    assert capsys.readouterr().err == f"note: {path}: cannot be written: Is a directory\n"


def test_of_a_run_that_failed_the_reason_alone_is_said(
    unwritable: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """A full disk ended the run; more of the same on top would bury it."""
    unwritable.update(status=layout.FAILED)
    summary.log(unwritable)

    assert capsys.readouterr().err == ""


def test_of_a_cross_validation_it_is_said_once(
    unwritable: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each fold has lines of its own for the log."""
    progress = FoldProgress()
    progress.run = unwritable
    progress.print("fold 1")
    progress.print("fold 2")

    assert capsys.readouterr().err.splitlines() == [
        f"note: {unwritable.path / layout.LOG}: cannot be written: Is a directory",
        "fold 1",
        "fold 2",
    ]
