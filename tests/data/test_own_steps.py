"""Prepare steps of the user's Python code."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from nnrun.data import preprocessing
from nnrun.data.preprocessing import FITTED, Preparation
from nnrun.errors import CodeError, IncompatibleSpec
from nnrun.spec.prepare import OwnStep, Standardize, Step
from nnrun.types import Streamed

CODE = """
import numpy as np

class Clip:
    def __init__(self, share: float = 0.0, edges=[0.0]):
        self.share, self.edges = share, edges
    def fit(self, rows):
        self.low, self.high = np.quantile(rows, [self.share, 1 - self.share], axis=0)
        self.rows = len(rows)
        self.edges.append(1.0)
    def apply(self, rows):
        assert isinstance(self.rows, int) and len(self.edges) == 2
        clipped = np.clip(rows, self.low, self.high)
        return np.concatenate([clipped, clipped**2], axis=1)

class Double:
    def apply(self, rows): return 2 * rows

class Noisy:
    def fit(self, rows): self.noise = np.random.rand(rows.shape[1])
    def apply(self, rows): return rows + self.noise

class Keeps:
    def fit(self, rows): self.model = {"rows": rows}
    def apply(self, rows): return rows

class Sums:
    def apply(self, rows): return rows.sum()

class Fails:
    def apply(self, rows): return rows @ rows
"""
X = np.arange(20.0).reshape(10, 2) ** 2
TRAINING = np.arange(6)


@pytest.fixture(autouse=True)
def rows(allow: Callable[[str], None]) -> None:
    """The classes under names such as `rows.Clip`."""
    allow(CODE)


def own(name: str, **arguments: object) -> OwnStep:
    return OwnStep.model_validate(
        {"(step)": "(own)", "function": f"rows.{name}", "arguments": arguments}
    )


def fit(*steps: Step) -> Preparation:
    return preprocessing.fit(steps, X, rows=TRAINING)


def test_a_step_is_fitted_on_training_rows_and_applied_to_all() -> None:
    """Its shape is known once it is fitted, and the next step is fitted on what it returns."""
    clipped = np.clip(X, X[:6].min(axis=0), X[:6].max(axis=0))
    whole = np.concatenate([clipped, clipped**2], axis=1)
    expected = (whole - whole[:6].mean(axis=0)) / whole[:6].std(axis=0)
    preparation = fit(own("Clip"), Standardize())

    assert preparation.shape == (4,)
    np.testing.assert_allclose(preparation.store(X), expected, rtol=1e-6)


def test_the_state_of_a_step_survives_its_file() -> None:
    """Attributes that `fit` sets or changes; not those of the constructor."""
    [fitted] = fit(own("Clip", share=0.25)).steps
    state = json.loads(json.dumps({name: value.tolist() for name, value in fitted.state.items()}))
    again = FITTED[OwnStep](fitted.step, fitted.shape)
    again = again.__class__(fitted.step, fitted.shape, again.parse_state(state))

    assert {*state} == {"low", "high", "rows", "edges"}
    np.testing.assert_array_equal(
        again.apply(X, np, again.state), fitted.apply(X, np, fitted.state)
    )
    with pytest.raises(ValueError, match="no finite numbers for low"):
        again.parse_state({"low": [None]})


def test_a_step_without_fit_learns_nothing_and_random_numbers_repeat() -> None:
    first, second = (fit(own("Noisy")).store(X) for _ in range(2))

    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(fit(own("Double")).store(X), 2 * X)


def test_a_step_is_written_as_in_the_spec() -> None:
    assert own("Clip", share=0.1).model_dump() == {"rows.Clip": {"share": 0.1}}
    assert own("Double").model_dump() == "rows.Double"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Keeps", r"rows\.Keeps\.fit sets 'model' to something else than finite numbers"),
        ("Sums", r"rows\.Sums\.apply must return numbers for each of 1 rows, got float64 of shape \(\)"),
        ("Fails", r"rows\.py:31: in apply ValueError: matmul"),
    ],
)  # fmt: skip
def test_a_wrong_step_is_refused(name: str, message: str) -> None:
    with pytest.raises(CodeError, match=message):
        fit(own(name))


def test_rows_that_are_read_when_needed_are_refused() -> None:
    streamed = Streamed((10, 2), lambda rows: X[rows].astype(np.uint8))

    with pytest.raises(IncompatibleSpec, match=r"rows\.Double needs rows in memory"):
        preprocessing.fit([own("Double")], streamed, rows=TRAINING)
