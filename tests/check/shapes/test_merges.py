"""Merged outputs have the shapes that Keras's merge layers give them, or are refused as by Keras."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from nnrun.check.shapes import Shape, trace
from nnrun.errors import IncompatibleSpec
from nnrun.models.build import build
from nnrun.spec.component import MERGES, Component

length = st.sampled_from([1, 1, 2, 3])
ELEMENTWISE = [name for name in MERGES if name not in ("concatenate", "dot")]


def branches(shapes: list[Shape], merge: object) -> list[Component]:
    """Paths with outputs of these shapes."""
    paths = [
        [{"Dense": math.prod(each for each in shape if each)}, {"Reshape": [*shape]}]
        for shape in shapes
    ]
    return [Component(name="Branches", arguments={"paths": paths, "merge": merge})]


@st.composite
def similar_shapes(draw: st.DrawFn) -> list[Shape]:
    """Shapes of two or three outputs, most of which broadcast."""
    longest = draw(st.lists(length, min_size=1, max_size=3))
    shapes = []
    for _ in range(draw(st.integers(2, 3))):
        own = longest[draw(st.integers(0, len(longest) - 1)) :]
        shapes.append(tuple(draw(st.sampled_from([n, n, n, 1, 3])) for n in own))
    return shapes


def compare(layers: list[Component]) -> None:
    result = trace(layers, (2,))
    try:
        expected = build(layers, (2,)).output_shape[1:]
    except IncompatibleSpec:
        event("refused")
        assert result.shape is None
    else:
        event("merged")
        assert result.problems == ()
        assert result.shape == expected


REPEATABLE = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)


@settings(REPEATABLE, max_examples=40)
@given(similar_shapes(), st.sampled_from(ELEMENTWISE))
def test_elementwise_merges_broadcast_as_in_keras(shapes: list[Shape], merge: str) -> None:
    compare(branches(shapes, merge))


@settings(REPEATABLE, max_examples=40)
@given(similar_shapes(), st.sampled_from([-1, 1, 2, 3, -2]))
def test_concatenation_along_any_axis(shapes: list[Shape], axis: int) -> None:
    compare(branches(shapes, {"concatenate": {"axis": axis}}))


@settings(REPEATABLE, max_examples=40)
@given(similar_shapes(), st.sampled_from([1, 2, -1, [1, 2], [2, 1], [-1, 1]]), st.booleans())
def test_dot_products_along_any_axes(shapes: list[Shape], axes: Any, normalize: bool) -> None:
    compare(branches(shapes, {"dot": {"axes": axes, "normalize": normalize}}))


@pytest.mark.parametrize(
    ("shapes", "merge", "reason"),
    [
        (
            [(4, 4, 3), (2,)],
            "multiply",
            "the paths put out (4, 4, 3), (2,), which cannot be merged",
        ),
        ([(3,), (3,), (3,)], "subtract", "this merge takes two paths, got 3"),
        (
            [(2, 3), (4, 3)],
            "concatenate",
            "the paths put out (2, 3), (4, 3), which cannot be merged",
        ),
        (
            [(2, 3), (4, 3)],
            {"dot": 1},
            "dot sums along axes (1, 1), but their lengths are 2 and 4",
        ),
    ],
)
def test_a_merge_that_keras_refuses_has_a_reason(
    shapes: list[Shape], merge: object, reason: str
) -> None:
    [problem] = trace(branches(shapes, merge), (2,)).problems

    assert problem.message == f"Branches cannot follow an output of shape (2,): {reason}"
