"""A gate is a comparison, a range, or a number to equal."""

import math

import pytest

from nnrun.spec.expect import parse_gate


@pytest.mark.parametrize(
    ("text", "passing", "failing"),
    [
        (">= 0.85", [0.85, 1], [0.8499]),
        ("> 0.85", [0.86], [0.85]),
        ("<= 1e-3", [0.001, 0], [0.0011]),
        ("<30", [29.9], [30]),
        ("== 160305", [160305], [160304]),
        (160305, [160305], [160306]),
        (0.5, [0.5], [0.51]),
        ("0.8 to 0.9", [0.8, 0.85, 0.9], [0.79, 0.91]),
        ("-1 to 1", [0], [2]),
        ("<= 200_000", [200_000], [200_001]),
        ("<= 2 MB", [2_000_000], [2_000_001]),
        ("1 kB to 1GB", [1000], [999]),
    ],
)
def test_a_condition(text, passing, failing):
    condition = parse_gate(text)

    assert [condition.holds(value) for value in passing] == [True] * len(passing)
    assert [condition.holds(value) for value in failing] == [False] * len(failing)
    assert not condition.holds(math.nan)


@pytest.mark.parametrize(
    "text",
    [
        *("", "good", ">=", ">= good", "=> 3", "0.9 to 0.8", "1 to", "3 miles", ".nan", "~"),
        *(True, None, [1], math.nan, math.inf),
    ],
)
def test_an_invalid_condition(text):
    with pytest.raises(ValueError, match=r".*"):
        parse_gate(text)
