"""The tables: Keras's two house prices and scikit-learn's five."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits, load_iris, load_wine
from sklearn.model_selection import train_test_split

from nnrun.data import datasets
from nnrun.data.datasets import housing
from nnrun.errors import DataError
from nnrun.spec.dataset import BostonHousing, CaliforniaHousing, Diabetes, Digits, Iris, Wine


@pytest.mark.usefixtures("full_data")
@pytest.mark.parametrize("arguments", [{}, {"seed": 7, "test_split": 0.33}], ids=str)
def test_boston_housing_is_that_of_keras(arguments: dict[str, Any]) -> None:
    """Taken from another package, yet the same to the last bit."""
    ours = datasets.load(BostonHousing(name="boston_housing", **arguments))
    (x_train, y_train), (x_test, y_test) = keras.datasets.boston_housing.load_data(**arguments)

    np.testing.assert_array_equal(ours.train.x, x_train, strict=True)
    np.testing.assert_array_equal(ours.train.y, y_train, strict=True)
    np.testing.assert_array_equal(ours.test.x, x_test, strict=True)
    np.testing.assert_array_equal(ours.test.y, y_test, strict=True)


def test_boston_housing_needs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The classic K-fold example runs on a machine that was never online."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "nothing"))
    boston = datasets.load(BostonHousing(name="boston_housing"))

    assert np.shape(boston.train.x) == (404, 13)
    assert not (tmp_path / "nothing").exists()


def test_california_housing_is_read_as_float64(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The published file holds smaller floats; all tables are float64."""
    np.savez(tmp_path / "some.npz", x=np.ones((5, 8), np.float32), y=np.ones(5, np.float32))
    monkeypatch.setattr(housing, "fetch", lambda _: tmp_path / "some.npz")
    train = datasets.load(CaliforniaHousing(name="california_housing")).train

    assert (train.x.dtype, train.x.shape, train.y.dtype) == (np.float64, (4, 8), np.float64)


@pytest.mark.parametrize(
    ("spec", "bunch"),
    [
        (Iris(name="iris"), load_iris()),
        (Wine(name="wine"), load_wine()),
        (Digits(name="digits"), load_digits()),
    ],
    ids=["iris", "wine", "digits"],
)
def test_scikit_learns_sets_are_split_in_proportion(spec: Iris | Wine | Digits, bunch: Any) -> None:
    """What `train_test_split` gives for the same share and seed, with `stratify`."""
    ours = datasets.load(spec)
    x = bunch.get("images", bunch.data)
    x_train, x_test, y_train, y_test = train_test_split(
        x, bunch.target, test_size=0.2, random_state=113, stratify=bunch.target
    )

    np.testing.assert_array_equal(ours.train.x, x_train)
    np.testing.assert_array_equal(ours.test.x, x_test)
    np.testing.assert_array_equal(ours.train.y, y_train)
    np.testing.assert_array_equal(ours.test.y, y_test)


def test_diabetes_comes_unscaled() -> None:
    """Scaling by all rows, as scikit-learn does, would tell training about the test rows."""
    ours = datasets.load(Diabetes(name="diabetes"))
    rows = np.concatenate([ours.train.x, ours.test.x])
    expected = load_diabetes(scaled=False).data

    np.testing.assert_array_equal(np.unique(rows, axis=0), np.unique(expected, axis=0))


def test_a_share_too_small_for_every_class_is_refused() -> None:
    """One flower cannot stand for three species."""
    with pytest.raises(DataError) as caught:
        datasets.load(Iris(name="iris", test_split=0.005))

    assert str(caught.value) == (
        "iris: test_split: 0.005: The test_size = 1 should be greater or equal to the number of "
        "classes = 3"
    )
