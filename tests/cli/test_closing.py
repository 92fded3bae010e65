"""What is said when a run is over."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from nnrun import layout, runs
from nnrun.cli import closing
from nnrun.records import History

FALLING = [0.9, 0.7, 0.5, 0.4, 0.3, 0.2]


def history(loss: list[float], val_loss: list[float]) -> History:
    return History({"loss": loss, "val_loss": val_loss})


def test_a_rise_of_validation_loss_under_a_falling_training_loss_is_over_fitting() -> None:
    """The sentence gives both losses from the best epoch on, so that one can judge for oneself."""
    said = closing.overfitting(history(FALLING, [0.8, 0.6, 0.7, 0.8, 0.9, 1.0]))

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
    assert closing.overfitting(history(loss, val_loss)) is None


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "-"), (0.0, "0.0000"), (0.28, "0.2800"), (2e-5, "2.000e-05"), (1.5e6, "1.500e+06")],
)
def test_numbers_stay_readable_at_any_size(value: float | None, said: str) -> None:
    """Four decimals of a loss of 0.00002 would be a false zero."""
    assert closing.number(value) == said


def test_a_log_that_cannot_be_written_hides_nothing(tmp_path: Path) -> None:
    """A full disk ended the run; a traceback on top would bury the reason."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    run = runs.create(tmp_path, "x", now=datetime(2026, 1, 1), record={})
    run.update(status=layout.FAILED)
    (run.path / layout.LOG).symlink_to("/dev/full")

    closing.log(run)

    assert run.status() == layout.FAILED
