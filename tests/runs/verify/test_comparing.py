"""Values are identical, within tolerance or different."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nnrun.runs.verify import judging
from nnrun.runs.verify.judging import DIFFERENT, IDENTICAL, WITHIN, Comparison, First

ONE = np.array([1.0, 2.0, 4.0], dtype="float32")


def compared(kept: Any, repeated: Any, *, by_value: bool = True) -> Comparison:
    difference = judging.compare_values({"a": kept}, {"a": repeated}, by_value=by_value)
    return Comparison("", "weights", "model.keras", "", *difference)


@pytest.mark.parametrize("value", [ONE, np.array(math.nan), np.array([]), "words", np.arange(3)])
def test_a_value_is_identical_to_itself(value: Any) -> None:
    """Also NaN."""
    comparison = compared(value, value)

    assert (comparison.differing, comparison.largest, comparison.first) == (0, 0.0, None)
    assert comparison.verdict(0.0) == IDENTICAL


def test_the_smallest_difference_is_not_identical() -> None:
    """The next 32-bit float."""
    other = ONE.copy()
    other[1] = np.nextafter(other[1], np.float32(3))
    comparison = compared(ONE, other)

    assert (comparison.values, comparison.differing) == (3, 1)
    assert comparison.first == First("a", (1,), 2.0, float(other[1]))
    assert comparison.verdict(1e-6) == WITHIN
    assert comparison.verdict(1e-8) == DIFFERENT


def test_zeros_of_different_sign_are_within_tolerance() -> None:
    comparison = compared(np.array([0.0]), np.array([-0.0]))

    assert (comparison.differing, comparison.largest, comparison.verdict(0.0)) == (1, 0.0, WITHIN)


def test_a_difference_is_relative_to_the_value_or_to_the_largest_of_its_array() -> None:
    """A small error of a weight near zero does not matter; one of a loss does."""
    kept, repeated = np.array([1e-6, 10.0]), np.array([2e-6, 10.0])

    assert compared(kept, repeated).largest == pytest.approx(0.5)
    assert compared(kept, repeated, by_value=False).largest == pytest.approx(1e-7)


@pytest.mark.parametrize(
    ("kept", "repeated"),
    [
        (ONE, ONE[:2]),
        (ONE, ONE.astype("float64")),
        (ONE, None),
        (None, ONE),
        (ONE, "words"),
        ("words", "other words"),
        (np.array([1.0]), np.array([math.nan])),
        (np.array([1.0]), np.array([math.inf])),
        (np.array(["a"]), np.array(["b"])),
    ],
    ids=str,
)
def test_other_shapes_types_and_infinities_exceed_any_tolerance(kept: Any, repeated: Any) -> None:
    comparison = compared(kept, repeated)

    assert math.isinf(comparison.largest)
    assert comparison.first is not None
    assert comparison.verdict(1e9) == DIFFERENT


def test_an_array_of_another_shape_is_not_read() -> None:
    """A file can claim one that is larger than the memory."""

    class Huge:
        shape, dtype = (10**15,), np.dtype("float32")

    assert math.isinf(compared(Huge(), ONE).largest)


def test_a_missing_array_is_named() -> None:
    comparison = judging.compare_values({"a": ONE}, {"a": ONE, "b": ONE}, by_value=True)

    assert comparison == (4, 1, math.inf, First("b", (), None, "3 values"))
