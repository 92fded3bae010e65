"""How far two values are apart: not at all, by rounding, or by more."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nnrun.runs.verify import judging
from nnrun.runs.verify.judging import DIFFERENT, IDENTICAL, WITHIN, Comparison, First

ONE = np.array([1.0, 2.0, 4.0], dtype="float32")


def compared(kept: Any, repeated: Any, *, by_value: bool = True) -> Comparison:
    found = judging.compare_values({"a": kept}, {"a": repeated}, by_value=by_value)
    return Comparison("", "weights", "model.keras", "", *found)


@pytest.mark.parametrize("value", [ONE, np.array(math.nan), np.array([]), "words", np.arange(3)])
def test_a_value_is_identical_to_itself(value: Any) -> None:
    """Also one that is no number, though NaN is not equal to NaN."""
    found = compared(value, value)

    assert (found.differing, found.largest, found.first) == (0, 0.0, None)
    assert found.verdict(0.0) == IDENTICAL


def test_the_smallest_difference_is_not_identical() -> None:
    """The next float up, of 32 bits."""
    other = ONE.copy()
    other[1] = np.nextafter(other[1], np.float32(3))
    found = compared(ONE, other)

    assert (found.values, found.differing) == (3, 1)
    assert found.first == First("a", (1,), 2.0, float(other[1]))
    assert found.verdict(1e-6) == WITHIN
    assert found.verdict(1e-8) == DIFFERENT


def test_the_sign_of_zero_is_a_bit() -> None:
    found = compared(np.array([0.0]), np.array([-0.0]))

    assert (found.differing, found.largest, found.verdict(0.0)) == (1, 0.0, WITHIN)


def test_a_value_is_measured_by_itself_and_an_array_by_its_largest() -> None:
    """What a weight near zero is off by means nothing beside the others; of a loss it does."""
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
def test_what_cannot_be_measured_is_different_by_any_tolerance(kept: Any, repeated: Any) -> None:
    found = compared(kept, repeated)

    assert math.isinf(found.largest)
    assert found.first is not None
    assert found.verdict(1e9) == DIFFERENT


def test_an_array_of_another_shape_is_not_read() -> None:
    """A file can claim one that is larger than the memory."""

    class Huge:
        shape, dtype = (10**15,), np.dtype("float32")

    assert math.isinf(compared(Huge(), ONE).largest)


def test_what_one_of_them_lacks_is_named() -> None:
    found = judging.compare_values({"a": ONE}, {"a": ONE, "b": ONE}, by_value=True)

    assert found == (4, 1, math.inf, First("b", (), None, "3 values"))
