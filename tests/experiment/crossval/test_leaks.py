"""A fold learns nothing from the rows that validate it: planted leaks have no effect."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np
import pytest

from nnrun.types import Array, Dataset, Split, Target

FOLDS, SIZE = 4, 40
ROWS = FOLDS * SIZE
CHANCE = 0.5
HUGE, TINY = 1e4, 1e-4

Make = Callable[..., Any]


def table(x: Array, y: Array) -> Dataset:
    split = Split(x.astype(np.float64), y)
    features = tuple(f"x{column}" for column in range(x.shape[1]))
    test = Split(split.x[:1], y[:1])
    target = Target.one_of("class", ("no", "yes"))
    return Dataset("planted", split, test, target, features=features)


def noise() -> Dataset:
    """Random labels: a model that is better than chance has seen them."""
    rng = np.random.default_rng(0)
    return table(rng.normal(size=(ROWS, 20)), rng.permutation(np.arange(ROWS) % 2))


def one_scale_per_block() -> Dataset:
    """A signal that shows only if the scale of the held-out rows is known.

    Column 0 gives the label. Each block of rows has one more column: tiny outside of the block and
    huge within it, with random signs. Scaled by the training rows, the huge values drown the signal
    in the held-out block; scaled by all rows they do not.
    """
    rng = np.random.default_rng(0)
    y = np.arange(ROWS) % 2
    x = rng.normal(size=(ROWS, 1 + FOLDS)) * TINY
    x[:, 0] = y + rng.normal(size=ROWS) * 0.2
    for block in range(FOLDS):
        held_out = slice(block * SIZE, (block + 1) * SIZE)
        # Each sign occurs equally often with each label.
        x[held_out, 1 + block] = HUGE * np.where(np.arange(SIZE) // 2 % 2, 1.0, -1.0)
    return table(x, y)


def accuracy(study: Any) -> float:
    """Mean validation accuracy over the first two folds."""
    runs = islice(study.runs(), 2)
    return float(np.mean([run.metrics().validation["accuracy"] for run in runs]))


def test_scaling_learns_nothing_from_held_out_rows(study: Make) -> None:
    leakless = study(one_scale_per_block(), training={"engine": "graph"})

    assert accuracy(leakless) == pytest.approx(CHANCE, abs=0.03)


@pytest.mark.slow
def test_scaling_by_all_rows_shows_the_planted_leak(study: Make) -> None:
    """Otherwise the previous test would prove nothing."""
    leaking = {"name": "breast_cancer", "prepare": [{"standardize": {"fit": "all"}}]}

    assert accuracy(study(one_scale_per_block(), dataset=leaking)) > 0.9


LARGE = [
    {"Dense": {"units": 128, "activation": "relu"}},
    {"Dense": {"units": 1, "activation": "sigmoid"}},
]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["graph", "fit"])
def test_no_fold_starts_with_the_weights_of_another(study: Make, engine: str) -> None:
    """The model is large enough to memorize its training rows, which later folds hold out."""
    training = {"epochs": 60, "engine": engine, "batch_size": 16}
    runs = list(study(noise(), model=LARGE, training=training).runs())

    assert min(run.metrics().train["accuracy"] for run in runs) == 1.0
    validation = np.mean([run.metrics().validation["accuracy"] for run in runs])
    # Three standard errors.
    assert validation == pytest.approx(CHANCE, abs=3 * 0.5 / ROWS**0.5)
