"""How far what a run holds is from what its repetition holds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnrun.records import Array
from nnrun.verification.unsealed import Leaves

IDENTICAL = "identical"
WITHIN = "within tolerance"
DIFFERENT = "different"


@dataclass(frozen=True)
class First:
    """The first value that differs.

    Args:
        name: of the column, the value or the array.
        index: where in it; empty for a single value.
        kept, repeated: the value in the run and in its repetition; None where one lacks it.
    """

    name: str
    index: tuple[int, ...]
    kept: Any
    repeated: Any


@dataclass(frozen=True)
class Comparison:
    """One file of a run, or a part of it, beside that of the repetition.

    Args:
        part: the folder inside the run, such as `fold-1`; empty for the run itself.
        what: the kind, such as `weights`.
        file: from `layout`.
        extent: how much was compared, such as `2 epochs × 4 metrics`.
        values: how many were compared.
        differing: how many of them are not equal to the bit.
        largest: the largest relative difference; infinite where something is missing, has another
            shape, or is no number.
        first: where the first difference is.
        error: why the file could not be read, if so.
    """

    part: str
    what: str
    file: str
    extent: str
    values: int
    differing: int = 0
    largest: float = 0.0
    first: First | None = None
    error: str | None = None

    def verdict(self, tolerance: float) -> str:
        """`identical`, `within tolerance` or `different`."""
        if self.error or self.largest > tolerance:
            return DIFFERENT
        return WITHIN if self.differing else IDENTICAL


@dataclass(frozen=True)
class _Distance:
    values: int
    differing: int
    largest: float
    first: First | None


def compare(kept: Leaves, repeated: Leaves, *, by_value: bool) -> tuple[int, int, float, Any]:
    """Compares value by value.

    Args:
        kept: of the run.
        repeated: of its repetition.
        by_value: whether a difference is relative to the value itself; else to the largest of its
            array, because what a weight near zero is off by means nothing beside the others.

    Returns:
        As in `Comparison`: values, differing, largest and first.

    Raises:
        RunError: an array cannot be read.
    """
    names = dict.fromkeys((*kept, *repeated))
    found = [_distance(name, kept, repeated, by_value=by_value) for name in names]
    return (
        sum(each.values for each in found),
        sum(each.differing for each in found),
        max((each.largest for each in found), default=0.0),
        next((each.first for each in found if each.first), None),
    )


def _distance(name: str, kept: Leaves, repeated: Leaves, *, by_value: bool) -> _Distance:
    old, new = kept.get(name), repeated.get(name)
    if isinstance(old, str) or isinstance(new, str) or old is None or new is None:
        if isinstance(old, str) and old == new:
            return _Distance(1, 0, 0.0, None)
        return _Distance(1, 1, math.inf, First(name, (), _shown(old), _shown(new)))
    # Before it is read: a file can claim an array larger than the memory.
    if old.shape != new.shape or old.dtype != new.dtype:
        first = First(name, (), _kind(old), _kind(new))
        count = max(1, math.prod(new.shape))
        return _Distance(count, count, math.inf, first)
    return _of_arrays(name, np.asarray(old[()]), np.asarray(new[()]), by_value=by_value)


def _shown(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    return float(value) if value.shape == () else _kind(value)


def _kind(value: Any) -> str:
    if len(value.shape) == 1:
        return f"{value.shape[0]:,} values"
    return f"{value.dtype} of shape {tuple(value.shape)}"


def _of_arrays(name: str, old: Array, new: Array, *, by_value: bool) -> _Distance:
    if old.tobytes() == new.tobytes():
        return _Distance(old.size, 0, 0.0, None)
    differs = _differs(old, new)
    at = tuple(int(index) for index in np.unravel_index(int(np.argmax(differs)), old.shape))
    first = First(name, at, old[at].item(), new[at].item())
    largest = _relative(old, new, differs, by_value=by_value)
    return _Distance(old.size, int(differs.sum()), largest, first)


def _differs(old: Array, new: Array) -> Array:
    """Which values are not equal to the bit, so that 0.0 and -0.0 differ and a NaN equals itself."""
    bits = (np.ascontiguousarray(each).reshape(-1).view(np.uint8) for each in (old, new))
    left, right = (each.reshape(old.size, old.dtype.itemsize) for each in bits)
    found: Array = (left != right).any(axis=1).reshape(old.shape)
    return found


def _relative(old: Array, new: Array, differs: Array, *, by_value: bool) -> float:
    if old.dtype.kind not in "biuf":
        return math.inf
    left, right = old[differs].astype(float), new[differs].astype(float)
    equal = (left == right) | (np.isnan(left) & np.isnan(right))
    left, right = left[~equal], right[~equal]
    if not np.isfinite(left).all() or not np.isfinite(right).all():
        return math.inf
    scale = np.maximum(abs(left), abs(right)) if by_value else _largest(old, new)
    return float((abs(left - right) / scale).max(initial=0.0))


def _largest(old: Array, new: Array) -> float:
    each = np.concatenate([old.reshape(-1), new.reshape(-1)]).astype(float)
    return float(abs(each[np.isfinite(each)]).max(initial=0.0)) or 1.0
