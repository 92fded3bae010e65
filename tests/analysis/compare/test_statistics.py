"""Intervals and tests, compared with published results and with scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from nnrun.analysis.compare import statistics
from nnrun.types import Array


def flags(pattern: str) -> Array:
    return np.array([letter == "1" for letter in pattern])


def test_mcnemar_counts_the_rows_that_only_one_has_right() -> None:
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


def test_equal_answers_do_not_differ() -> None:
    first = flags("1100110")

    assert statistics.mcnemar(first, first) == 1.0
    assert statistics.of_rows(first * 1.0, first * 1.0).p == 1.0


# Student's sleep data, as in R's `sleep`: extra hours of sleep under two drugs, ten patients.
FIRST = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SECOND = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def test_scores_per_row_are_compared_by_students_paired_test() -> None:
    """R: `t.test(extra ~ group, data = sleep, paired = TRUE)`."""
    estimate = statistics.of_rows(np.array(FIRST), np.array(SECOND))

    assert estimate.test == "paired t-test over rows"
    assert estimate.effect == pytest.approx(-1.58)
    assert estimate.p == pytest.approx(0.002833, abs=5e-7)


def test_a_single_training_needs_a_smaller_p() -> None:
    """A test over rows ignores the variance between trainings."""
    estimate = statistics.of_rows(np.array(FIRST), np.array(SECOND))

    assert estimate.level == 0.005
    assert statistics.of_seeds(FIRST, SECOND).level == 0.05


def test_the_bootstrap_interval_of_many_rows_is_the_normal_one() -> None:
    """By the central limit theorem, to the accuracy of so many resamples."""
    rng = np.random.default_rng(1)
    first, second = rng.normal(1.0, 1.0, 4000), rng.normal(0.9, 1.0, 4000)
    estimate = statistics.of_rows(first, second)
    error = float(np.std(first - second, ddof=1)) / math.sqrt(4000)

    assert estimate.low == pytest.approx(estimate.effect - 1.96 * error, abs=0.1 * error)
    assert estimate.high == pytest.approx(estimate.effect + 1.96 * error, abs=0.1 * error)


@pytest.mark.parametrize("rows", [2, 50, 3000])
def test_interval_and_mcnemar_agree_with_scipy(rows: int) -> None:
    rng = np.random.default_rng(rows)
    values, first, second = rng.normal(size=rows), rng.random(rows) > 0.3, rng.random(rows) > 0.5
    interval = stats.bootstrap(
        (values,),
        np.mean,
        confidence_level=statistics.CONFIDENCE,
        n_resamples=statistics.RESAMPLES,
        method="percentile",
        batch=10_000_000 // rows,
        rng=np.random.default_rng(0),
    ).confidence_interval
    alone = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    exact = stats.binomtest(alone[0], sum(alone)).pvalue if sum(alone) else 1.0

    assert statistics.of_mean(values) == pytest.approx((interval.low, interval.high), rel=1e-12)
    assert statistics.mcnemar(first, second) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([0.1, 0.2], [0.3, 0.4]),  # the difference is the same in both rows, so p would be 0
        ([0.1], [0.3]),
        ([0.1, np.nan, 0.3], [0.2, 0.3, 0.5]),
    ],
)
def test_rows_that_do_not_show_a_variance_cannot_be_tested(
    first: list[float], second: list[float]
) -> None:
    assert statistics.of_rows(np.array(first), np.array(second)) is None


def test_two_rows_do_not_make_a_difference_significant() -> None:
    estimate = statistics.of_rows(np.array([0.1, 0.2]), np.array([0.3, 0.5]))

    assert estimate.p == pytest.approx(stats.ttest_rel([0.1, 0.2], [0.3, 0.5]).pvalue)
    assert estimate.p > 0.1


def test_the_same_rows_give_the_same_interval() -> None:
    first, second = flags("1101110" * 30) * 1.0, flags("0101111" * 30) * 1.0

    assert statistics.of_rows(first, second) == statistics.of_rows(first, second)


def test_the_corrected_resampled_t_test_by_hand() -> None:
    """Differences 1, 2, 3, 4 over folds with a third as many validation as training rows.

    The variance of the mean is 5/3 · (1/4 + 1/3); t is 2.5 over its root; and for three degrees of
    freedom Student's distribution can be written down.
    """
    estimate = statistics.of_folds([2.0, 4.0, 6.0, 8.0], [1.0, 2.0, 3.0, 4.0], ratio=1 / 3)
    error = math.sqrt(5 / 3 * (1 / 4 + 1 / 3))
    x = 2.5 / error / math.sqrt(3)
    below = 0.5 + (x / (1 + x**2) + math.atan(x)) / math.pi

    assert estimate.effect == 2.5
    assert estimate.p == pytest.approx(2 * (1 - below), rel=1e-9)
    assert estimate.low == pytest.approx(2.5 - 3.182446305284263 * error, rel=1e-9)
    assert estimate.high == pytest.approx(2.5 + 3.182446305284263 * error, rel=1e-9)


def test_the_corrected_test_has_a_larger_p_than_an_ordinary_one() -> None:
    first, second = [0.90, 0.92, 0.91, 0.93, 0.92], [0.89, 0.90, 0.90, 0.91, 0.91]
    ordinary = stats.ttest_rel(first, second).pvalue

    assert statistics.of_folds(first, second, ratio=1 / 4).p > ordinary


def test_welch_agrees_with_r() -> None:
    """R: `t.test(extra ~ group, data = sleep)`."""
    estimate = statistics.of_seeds(FIRST, SECOND)

    assert estimate.test == "Welch's t-test over seeds"
    assert (estimate.low, estimate.high) == pytest.approx((-3.3654832, 0.2054832))
    assert estimate.p == pytest.approx(0.07939, abs=5e-6)


def test_one_seed_is_compared_with_several() -> None:
    """By hand: mean 2, spread 1, t = 3 / √(1 + 1/3) on two degrees of freedom."""
    estimate = statistics.of_seeds([5.0], [1.0, 2.0, 3.0])
    t = 3 / math.sqrt(4 / 3)

    assert estimate.effect == 3.0
    assert estimate.p == pytest.approx(1 - t / math.sqrt(2 + t**2))
    assert statistics.of_seeds([1.0, 2.0, 3.0], [5.0]).effect == -3.0


def test_values_without_variance_cannot_be_tested() -> None:
    assert statistics.of_folds([0.75, 0.5], [0.65, 0.4], ratio=1.0) is None
    assert statistics.of_seeds([1.0, 1.0], [0.5, 0.5]) is None
    assert statistics.of_seeds([1.0], [0.5, 0.5]) is None


def test_equal_values_have_p_of_one() -> None:
    assert statistics.of_folds([1.0, 0.5], [1.0, 0.5], ratio=1.0).p == 1.0
    assert statistics.of_seeds([1.0, 1.0], [1.0, 1.0]).p == 1.0


def test_holm_by_hand() -> None:
    """Times 4, 3, 2, 1 from the smallest on, and none below the one before it."""
    adjusted = statistics.holm([0.01, 0.04, 0.03, 0.005], family=4)

    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_counts_all_possible_comparisons() -> None:
    assert statistics.holm([0.01], family=10) == [0.1]


def test_holm_does_not_change_a_single_comparison() -> None:
    assert statistics.holm([0.04], family=1) == [0.04]
    assert statistics.holm([], family=0) == []
    assert statistics.holm([0.9, 0.8], family=2) == [1.0, 1.0]
