"""Rows of a function of the user's Python code."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from nnrun.data.datasets import load
from nnrun.errors import CodeError, DataError
from nnrun.spec.dataset import OwnData

CODE = """
from pathlib import Path
import numpy as np

X, Y = np.arange(8.0).reshape(4, 2), np.array([0, 1, 1, 0])
TUPLES = (X, Y), (X[:2], Y[:2])
NAMES = {"x_train": X, "y_train": Y / 2, "x_test": X.tolist(), "y_test": Y[:, None]}

def tuples(): return TUPLES
def names(): return NAMES
def validated(): return {**NAMES, "x_val": X, "y_val": Y}
def drawn(n: int): x = np.random.rand(n, 2); return (x, Y[:n]), (x, Y[:n])
def told(file: Path): assert isinstance(file, Path); return TUPLES
def nothing(): pass
def one(): return {"x": X, "y": Y}
def short(): return (X, Y[:3]), (X, Y)
def words(): return (X, Y), (X, np.array(list("abcd")))
def flat(): return (X[:, 0], Y), (X, Y)
def wider(): return (X, Y), (X[:, :1], Y)
def more(): return (X, Y), (X, Y + 1)
def several(): return (X, X), (X, X)
def fails(): return X / {}["missing"]
"""


@pytest.fixture(autouse=True)
def rows(allow: Callable[[str], None]) -> None:
    """The functions under names such as `rows.names`."""
    allow(CODE)


def spec(name: str, **arguments: object) -> OwnData:
    return OwnData(name="(own)", function=f"rows.{name}", arguments=arguments)


def test_rows_come_as_keras_returns_them() -> None:
    dataset = load(spec("tuples"))

    assert dataset.classes == ("0", "1")
    assert dataset.name == "rows.tuples"
    assert (len(dataset.train), len(dataset.test)) == (4, 2)
    np.testing.assert_array_equal(dataset.train.y, [0, 1, 1, 0])


def test_rows_come_by_name_and_numbers_with_a_fraction_are_values() -> None:
    dataset = load(spec("validated"))

    assert dataset.classes == ()
    np.testing.assert_array_equal(dataset.train.y, [0, 0.5, 0.5, 0, 0, 1, 1, 0])
    np.testing.assert_array_equal(dataset.train.held_out, np.repeat([False, True], 4))


def test_random_rows_are_the_same_each_time() -> None:
    first, second = (np.asarray(load(spec("drawn", n=3)).train.x) for _ in range(2))

    np.testing.assert_array_equal(first, second)
    assert load(spec("told", file="a.csv")).classes


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "must return (x_train, y_train), (x_test, y_test), or a dictionary with these names, got NoneType"),
        ("one", "must return (x_train, y_train), (x_test, y_test), or a dictionary with these names, got x, y"),
        ("short", "x_train has 4 rows, and y_train has 3"),
        ("words", "y_test must hold numbers, got <U1"),
        ("flat", "x_train must have the shape (rows, ...), got (4,)"),
        ("wider", "rows of x_test and x_train differ in shape: (1,) and (2,)"),
        ("more", "the test rows: y has classes that the training rows lack"),
        ("several", "y_train must hold a number per row, got the shape (4, 2)"),
    ],
)  # fmt: skip
def test_something_else_than_rows_is_refused(name: str, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(f"rows.{name}: {message}")):
        load(spec(name))


def test_an_error_of_the_function_has_its_line() -> None:
    with pytest.raises(CodeError, match=r"rows\.py:22: in fails KeyError: 'missing'"):
        load(spec("fails"))
