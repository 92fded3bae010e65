"""The summary at the end of a run: the overfitting warning, and a log that cannot be written."""

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


def test_rising_validation_loss_under_falling_training_loss_is_overfitting() -> None:
    history = History({"loss": FALLING, "val_loss": [0.8, 0.6, 0.7, 0.8, 0.9, 1.0]})

    assert summary.overfitting(history) == (
        "overfitting: since epoch 2 validation loss rose from 0.6000 to 1.0000 while training loss "
        "fell from 0.7000 to 0.2000; stop earlier (EarlyStopping), or use a smaller model or "
        "dropout"
    )


@pytest.mark.parametrize(
    ("loss", "val_loss"),
    [
        pytest.param(FALLING, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4], id="validation loss falls too"),
        pytest.param(FALLING, [0.9, 0.8, 0.7, 0.6, 0.7, 0.8], id="rise of two epochs only"),
        pytest.param(FALLING, [0.9, 0.6, 0.601, 0.602, 0.6, 0.605], id="small rise"),
        pytest.param([0.5] * 6, [0.8, 0.6, 0.7, 0.8, 0.9, 1.0], id="training loss does not fall"),
        pytest.param(FALLING, [], id="no validation"),
    ],
)
def test_other_curves_are_not_overfitting(loss: list[float], val_loss: list[float]) -> None:
    assert summary.overfitting(History({"loss": loss, "val_loss": val_loss})) is None


@pytest.fixture
def unwritable(tmp_path: Path) -> Run:
    """A finished run whose log cannot be written, because a folder has its name."""
    run = runs.create(tmp_path, "digits", now=datetime(2026, 1, 1), record={"verb": "train"})
    run.update(status=layout.FINISHED)
    (run.path / layout.LOG).mkdir()
    return run


@pytest.mark.parametrize("status", [layout.FINISHED, layout.FAILED])
def test_an_unwritable_log_is_reported_unless_the_run_failed(
    status: str, unwritable: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error of a failed run must stay the last message."""
    unwritable.update(status=status)
    summary.log(unwritable)

    note = f"note: {unwritable.path / layout.LOG}: cannot be written: Is a directory\n"
    assert capsys.readouterr().err == (note if status == layout.FINISHED else "")


def test_a_cross_validation_reports_an_unwritable_log_once(
    unwritable: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    progress = FoldProgress()
    progress.run = unwritable
    progress.print("fold 1")
    progress.print("fold 2")

    assert capsys.readouterr().err.splitlines() == [
        f"note: {unwritable.path / layout.LOG}: cannot be written: Is a directory",
        "fold 1",
        "fold 2",
    ]
