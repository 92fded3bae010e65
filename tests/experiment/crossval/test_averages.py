"""Statistics over folds, compared with numbers calculated by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from nnrun.experiment.crossval import averages
from nnrun.spec.validation import Smooth
from nnrun.types import Fold, History

FOUR = [Fold(np.arange(303), np.arange(101), number) for number in (1, 2, 3, 4)]


def test_the_mean_curve_is_the_mean_of_each_epoch_until_the_first_fold_ends() -> None:
    """As in the tutorial: `[np.mean([x[i] for x in histories]) for i in range(epochs)]`."""
    histories = [
        History({"val_mae": [3.0, 2.5, 2.25]}),
        History({"val_mae": [5.0, 2.0, 3.0]}),
        History({"val_mae": [1.0, 3.0, 2.25, 9.0]}),
        History({"val_mae": [3.0, 4.5, 2.5]}),
    ]

    assert averages.mean_curve(histories).epochs == {"val_mae": [3.0, 3.0, 2.5]}


def test_the_smoothed_curve_equals_that_of_the_tutorial() -> None:
    """Ten epochs are skipped, then s = 0.9 s + 0.1 p: 2, 0.9·2 + 0.1·4 = 2.2, then 2.08."""
    points = [*([9.0] * 10), 2.0, 4.0, 1.0, 3.0]

    assert averages.smoothed(points, Smooth()) == pytest.approx([2.0, 2.2, 2.08, 2.172], rel=1e-15)
    assert averages.smoothed([1.0, 2.0], Smooth(skip=2)) == []


def test_the_smoothed_curve_equals_the_explicit_sum() -> None:
    """sₙ = 0.9ⁿ⁻¹ p₁ + 0.1 (pₙ + 0.9 pₙ₋₁ + …)."""
    points = np.random.default_rng(0).normal(3, 1, 500)
    curve = averages.smoothed(points.tolist(), Smooth())

    for n in (1, 2, 100, 490):
        weights = 0.1 * 0.9 ** np.arange(n)[::-1]
        weights[0] = 0.9 ** (n - 1)
        assert curve[n - 1] == pytest.approx(float(weights @ points[10 : 10 + n]), rel=1e-12)


def test_mean_standard_deviation_and_interval() -> None:
    """Mean 2.5, variance (2.25 + 0.25 + 0.25 + 2.25)/3 = 5/3; t of 3 degrees is 3.18245.

    Half of the interval: t · √(5/3 · (1/4 + 101/303)).
    """
    spread = averages.spread([1.0, 2.0, 3.0, 4.0], FOUR)
    half = 3.182446305284263 * math.sqrt(5 / 3 * (1 / 4 + 1 / 3))

    assert spread == {
        "mean": 2.5,
        "std": pytest.approx(math.sqrt(5 / 3), rel=1e-15),
        "low": pytest.approx(2.5 - half, rel=1e-12),
        "high": pytest.approx(2.5 + half, rel=1e-12),
        "folds": [1.0, 2.0, 3.0, 4.0],
    }


def test_the_interval_is_wider_than_that_of_independent_experiments() -> None:
    """Folds share rows, so their values vary less."""
    values = [2.1, 2.6, 2.4, 2.9]
    spread = averages.spread(values, FOUR)
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))

    assert spread["low"] < low
    assert spread["high"] > high


def test_the_interval_ends_at_the_bounds_of_the_metric() -> None:
    values = [0.9, 1.0, 1.0, 0.95]
    [fold] = averages.spreads([{"f1": value} for value in values], FOUR, {"f1": (0, 1)}).values()
    seeds = averages.over_seeds([0.01, 0.2], (0, 1))

    assert averages.spread(values, FOUR)["high"] > 1 == fold["high"]
    assert (seeds["low"], seeds["high"]) == (0, 1)


def test_one_fold_has_no_standard_deviation() -> None:
    folds = [None, 2.0, None, None]

    assert averages.spread(folds, FOUR) == {
        "mean": 2.0,
        "std": None,
        "low": None,
        "high": None,
        "folds": folds,
    }


def test_a_failed_fold_is_left_out_and_keeps_its_place() -> None:
    spreads = averages.spreads([{"loss": 1.0}, {}, {"loss": 3.0}, {}], FOUR, {})

    assert spreads["loss"]["mean"] == 2.0
    assert spreads["loss"]["folds"] == [1.0, None, 3.0, None]
