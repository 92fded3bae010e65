"""Intervals and tests, against answers worked by hand or known otherwise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from nnrun.compare import statistics
from nnrun.records import Array


def flags(pattern: str) -> Array:
    return np.array([letter == "1" for letter in pattern])


def test_mcnemar_counts_the_rows_that_one_alone_has_right() -> None:
    """One against nine: 2 · (1 + 10) / 2¹⁰."""
    first = flags("1" + "0" * 9 + "1" * 50)
    second = flags("0" + "1" * 9 + "1" * 50)

    assert statistics.mcnemar(first, second) == pytest.approx(22 / 1024, rel=1e-12)


def test_mcnemar_on_a_published_table() -> None:
    """Approval of a prime minister, asked twice: 150 and 86 changed their mind, and z² is 17.36.

    (A. Agresti: Categorical Data Analysis, chapter 10.) The exact p lies beside the normal one.
    """
    first = flags("1" * 794 + "1" * 150 + "0" * 86 + "0" * 570)
    second = flags("1" * 794 + "0" * 150 + "1" * 86 + "0" * 570)
    normal = float(stats.chi2.sf((150 - 86) ** 2 / (150 + 86), 1))

    assert pytest.approx(17.36, abs=0.005) == (150 - 86) ** 2 / (150 + 86)
    assert statistics.mcnemar(first, second) == pytest.approx(normal, rel=0.3)


def test_two_that_are_right_on_the_same_rows_do_not_differ() -> None:
    first = flags("1100110")

    assert statistics.mcnemar(first, first) == 1.0
    assert statistics.of_rows(first * 1.0, first * 1.0).p == 1.0


def test_swapping_rows_by_hand() -> None:
    """Five rows, all in favour of one: of the 32 ways to swap two are as extreme."""
    first = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    second = first - np.array([0.5, 0.25, 0.125, 1.0, 0.75])
    found = statistics.of_rows(first, second)

    assert found.test == "paired permutation"
    assert found.effect == pytest.approx(0.525)
    assert found.p == pytest.approx(2 / 32)


def test_the_bootstrap_interval_is_the_normal_one_where_rows_are_many() -> None:
    """By the central limit theorem, to the accuracy of so many resamples."""
    rng = np.random.default_rng(1)
    first, second = rng.normal(1.0, 1.0, 4000), rng.normal(0.9, 1.0, 4000)
    found = statistics.of_rows(first, second)
    error = float(np.std(first - second, ddof=1)) / math.sqrt(4000)

    assert found.low == pytest.approx(found.effect - 1.96 * error, abs=0.1 * error)
    assert found.high == pytest.approx(found.effect + 1.96 * error, abs=0.1 * error)


def test_the_same_rows_give_the_same_interval() -> None:
    """Resampling draws from a seed of its own."""
    first, second = flags("1101110" * 30) * 1.0, flags("0101111" * 30) * 1.0

    assert statistics.of_rows(first, second) == statistics.of_rows(first, second)


def test_the_corrected_resampled_t_test_by_hand() -> None:
    """Differences 1, 2, 3, 4 over folds with a third as many rows to validate as to train.

    The variance of the mean is 5/3 · (1/4 + 1/3); t is 2.5 over its root; and for three degrees of
    freedom Student's distribution can be written down.
    """
    found = statistics.of_folds([2.0, 4.0, 6.0, 8.0], [1.0, 2.0, 3.0, 4.0], ratio=1 / 3)
    error = math.sqrt(5 / 3 * (1 / 4 + 1 / 3))
    x = 2.5 / error / math.sqrt(3)
    below = 0.5 + (x / (1 + x**2) + math.atan(x)) / math.pi

    assert found.effect == 2.5
    assert found.p == pytest.approx(2 * (1 - below), rel=1e-9)
    assert found.low == pytest.approx(2.5 - 3.182446305284263 * error, rel=1e-9)
    assert found.high == pytest.approx(2.5 + 3.182446305284263 * error, rel=1e-9)


def test_the_corrected_test_is_slower_to_believe_than_an_ordinary_one() -> None:
    """Folds share rows, which an ordinary t-test knows nothing of."""
    first, second = [0.90, 0.92, 0.91, 0.93, 0.92], [0.89, 0.90, 0.90, 0.91, 0.91]
    ordinary = stats.ttest_rel(first, second).pvalue

    assert statistics.of_folds(first, second, ratio=1 / 4).p > ordinary


def test_welch_by_hand() -> None:
    """1, 3 against 2, 6: the variances of the means are 1 and 4, so t is -2 / √5 on 25/17 degrees."""
    found = statistics.of_seeds([1.0, 3.0], [2.0, 6.0])

    assert found.effect == -2.0
    assert found.p == pytest.approx(2 * stats.t.sf(2 / math.sqrt(5), 25 / 17), rel=1e-9)
    assert found.high - found.effect == pytest.approx(
        stats.t.ppf(0.975, 25 / 17) * math.sqrt(5), rel=1e-9
    )


def test_what_does_not_vary_is_different_or_is_not() -> None:
    """No t can be had of it."""
    assert statistics.of_seeds([1.0, 1.0], [1.0, 1.0]).p == 1.0
    assert statistics.of_seeds([1.0, 1.0], [0.5, 0.5]).p == 0.0
    assert statistics.of_folds([1.0, 1.0], [1.0, 1.0], ratio=1.0).p == 1.0


def test_holm_by_hand() -> None:
    """Times 4, 3, 2, 1 from the smallest on, and none below the one before it."""
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_leaves_a_single_comparison_alone() -> None:
    assert statistics.holm([0.04]) == [0.04]
    assert statistics.holm([]) == []
    assert statistics.holm([0.9, 0.8]) == [1.0, 1.0]
