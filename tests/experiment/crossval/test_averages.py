"""Averages over folds, against numbers worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from nnrun.experiment.crossval import averages
from nnrun.spec.validation import Smooth
from nnrun.types import Fold, History

FOUR = [Fold(np.arange(303), np.arange(101), number) for number in (1, 2, 3, 4)]


def test_the_mean_curve_is_the_mean_over_folds_of_each_epoch() -> None:
    """As the tutorial has it: `[np.mean([x[i] for x in histories]) for i in range(epochs)]`."""
    histories = [
        History({"val_mae": [3.0, 2.5, 2.25]}),
        History({"val_mae": [5.0, 2.0, 3.0]}),
        History({"val_mae": [1.0, 3.0, 2.25]}),
        History({"val_mae": [3.0, 4.5, 2.5]}),
    ]

    assert averages.mean_curve(histories).epochs == {"val_mae": [3.0, 3.0, 2.5]}


def test_the_smoothed_curve_is_that_of_the_tutorial_by_hand() -> None:
    """Ten epochs left out, then s = 0.9 s + 0.1 p: 2, 0.9·2 + 0.1·4 = 2.2, 0.9·2.2 + 0.1·1 = 2.08."""
    points = [*([9.0] * 10), 2.0, 4.0, 1.0, 3.0]

    assert averages.smoothed(points, Smooth()) == pytest.approx([2.0, 2.2, 2.08, 2.172], rel=1e-15)


def test_the_smoothed_curve_equals_the_sum_that_the_recursion_stands_for() -> None:
    """sₙ = 0.9ⁿ⁻¹ p₁ + 0.1 (pₙ + 0.9 pₙ₋₁ + …), another way to the same numbers."""
    points = np.random.default_rng(0).normal(3, 1, 500)
    kept = points[10:]
    found = averages.smoothed(points.tolist(), Smooth())

    for n in (1, 2, 100, 490):
        weights = 0.1 * 0.9 ** np.arange(n)[::-1]
        weights[0] = 0.9 ** (n - 1)
        assert found[n - 1] == pytest.approx(float(weights @ kept[:n]), rel=1e-12)


def test_nothing_is_left_where_more_is_skipped_than_there_is() -> None:
    """A curve without a point, rather than one of other epochs."""
    assert averages.smoothed([1.0, 2.0], Smooth(skip=2)) == []


def test_the_mean_curve_ends_with_the_fold_that_ends_first() -> None:
    """Where a fold stopped early, the mean of the others would jump."""
    histories = [History({"val_loss": [4.0, 2.0, 9.0]}), History({"val_loss": [2.0, 4.0]})]

    assert averages.mean_curve(histories).epochs == {"val_loss": [3.0, 3.0]}


def test_mean_spread_and_interval_by_hand() -> None:
    """Mean 2.5, variance (2.25 + 0.25 + 0.25 + 2.25)/3 = 5/3; t of 3 degrees is 3.18245.

    Half of the interval: t · √(5/3 · (1/4 + 101/303)).
    """
    found = averages.spread([1.0, 2.0, 3.0, 4.0], FOUR)
    half = 3.182446305284263 * math.sqrt(5 / 3 * (1 / 4 + 1 / 3))

    assert found["mean"] == 2.5
    assert found["std"] == pytest.approx(math.sqrt(5 / 3), rel=1e-15)
    assert found["low"] == pytest.approx(2.5 - half, rel=1e-12)
    assert found["high"] == pytest.approx(2.5 + half, rel=1e-12)
    assert found["folds"] == [1.0, 2.0, 3.0, 4.0]


def test_the_interval_is_wider_than_that_of_independent_experiments() -> None:
    """Folds share rows, so their spread is too small to be taken as it is."""
    values = [2.1, 2.6, 2.4, 2.9]
    found = averages.spread(values, FOUR)
    naive = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))

    assert found["low"] < naive[0]
    assert found["high"] > naive[1]


def test_one_fold_has_no_spread() -> None:
    """None, not zero: nothing is known of it."""
    found = averages.spread([None, 2.0, None, None], FOUR)

    assert (found["mean"], found["std"], found["low"], found["high"]) == (2.0, None, None, None)
    assert found["folds"] == [None, 2.0, None, None]


def test_a_fold_that_failed_is_left_out_and_keeps_its_place() -> None:
    found = averages.spreads([{"loss": 1.0}, None, {"loss": 3.0}, None], FOUR)

    assert found["loss"]["mean"] == 2.0
    assert found["loss"]["folds"] == [1.0, None, 3.0, None]
