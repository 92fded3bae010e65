"""What validates a fold has taught nothing to what it validates: leaks are planted and stay shut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nnrun.types import Array, Dataset, Split

FOLDS, SIZE = 4, 40
ROWS = FOLDS * SIZE
CHANCE = 0.5
HUGE, TINY = 1e4, 1e-4

Make = Callable[..., Any]


def table(x: Array, y: Array) -> Dataset:
    split = Split(x.astype(np.float64), y)
    features = tuple(f"x{column}" for column in range(x.shape[1]))
    nothing = Split(split.x[:1], y[:1])
    return Dataset("planted", split, nothing, classes=("no", "yes"), features=features)


def noise() -> Dataset:
    """Labels by the toss of a coin: whoever scores above chance has seen them."""
    rng = np.random.default_rng(0)
    return table(rng.normal(size=(ROWS, 20)), rng.permutation(np.arange(ROWS) % 2))


def one_scale_per_block() -> Dataset:
    """A signal that can be heard only by whoever knows the scale of the rows held out.

    Column 0 tells the label. Of the others, one for each block of rows is next to nothing outside
    of its block and huge within it, with signs that say nothing. Scaled by the rows trained on,
    the huge values drown the signal of the block held out; scaled by all rows they do not.
    """
    rng = np.random.default_rng(0)
    y = np.arange(ROWS) % 2
    x = rng.normal(size=(ROWS, 1 + FOLDS)) * TINY
    x[:, 0] = y + rng.normal(size=ROWS) * 0.2
    for block in range(FOLDS):
        held_out = slice(block * SIZE, (block + 1) * SIZE)
        # Each sign goes with each label equally often.
        x[held_out, 1 + block] = HUGE * np.where(np.arange(SIZE) // 2 % 2, 1.0, -1.0)
    return table(x, y)


def accuracy(study: Any) -> float:
    """Mean validation accuracy over folds."""
    return float(np.mean([run.metrics().validation["accuracy"] for run in study.runs()]))


def test_scaling_learns_nothing_from_the_rows_held_out(study: Make) -> None:
    """The planted leak pays whoever fits on all rows, and nobody else."""
    honest = accuracy(study(one_scale_per_block()))

    assert honest == pytest.approx(CHANCE, abs=0.03)


@pytest.mark.slow
def test_the_planted_leak_can_be_seen_where_it_is_asked_for(study: Make) -> None:
    """Else the test before this one would prove nothing."""
    leaking = {"name": "breast_cancer", "prepare": [{"standardize": {"fit": "all"}}]}

    assert accuracy(study(one_scale_per_block(), dataset=leaking)) > 0.9


LARGE = [
    {"Dense": {"units": 128, "activation": "relu"}},
    {"Dense": {"units": 1, "activation": "sigmoid"}},
]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["graph", "fit"])
def test_no_fold_begins_with_what_another_has_learnt(study: Make, engine: str) -> None:
    """Large enough to learn three quarters by heart, in which each later fold is held out."""
    by_heart = study(
        noise(), model=LARGE, training={"epochs": 60, "engine": engine, "batch_size": 16}
    )
    runs = list(by_heart.runs())

    assert min(run.metrics().train["accuracy"] for run in runs) == 1.0
    found = np.mean([run.metrics().validation["accuracy"] for run in runs])
    # Three standard errors of so many coins.
    assert found == pytest.approx(CHANCE, abs=3 * 0.5 / ROWS**0.5)
