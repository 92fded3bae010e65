"""A class that is weighed has to be one, and labels that are values have none."""

from __future__ import annotations

import pytest

from nnrun.check.training import class_weight_problems

NAMES = ("ham", "spam")
UNREAD = range(2)


@pytest.mark.parametrize("weight", [None, "balanced", {}, {"spam": 2.0}, {"0": 1.0, "1": 2.0}])
def test_classes_go_by_name_or_number(weight: object) -> None:
    assert [*class_weight_problems(weight, NAMES)] == []  # type: ignore[arg-type]


def test_a_name_is_believed_until_the_rows_are_read() -> None:
    """`nnrun check` looks at no row, and so knows how many classes there are, not their names."""
    assert [*class_weight_problems({"eggs": 2.0}, UNREAD)] == []


@pytest.mark.parametrize(
    ("weight", "classes", "message"),
    [
        ({"2": 1.0}, UNREAD, "there is no class 2; they are numbered from 0 to 1"),
        ({"span": 1.0}, NAMES, "there is no class 'span'; did you mean 'spam'?"),
        ({"eggs": 1.0}, NAMES, "there is no class 'eggs'; there are 'ham' and 'spam'"),
        ("balanced", (), "weighs classes, but the labels are values"),
    ],
)
def test_what_is_no_class_is_told(weight: object, classes: range, message: str) -> None:
    [problem] = class_weight_problems(weight, classes)  # type: ignore[arg-type]

    assert (problem.code, problem.path) == ("NN122", ("training", "class_weight"))
    assert problem.message == message
