"""The data sets that scikit-learn contains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn import datasets

from nnrun.data.splits import draw
from nnrun.spec.dataset import BreastCancer, Diabetes, Digits, Embedded, Iris, Wine
from nnrun.types import Dataset

if TYPE_CHECKING:
    from sklearn.utils import Bunch


def digits(spec: Digits) -> Dataset:
    """`sklearn.datasets.load_digits`: images of shape `(rows, 8, 8)`, uint8 from 0 to 16."""
    bunch = datasets.load_digits()
    labels = bunch.target.astype(np.int64)
    names = tuple("0123456789")
    train, test = draw(bunch.images.astype(np.uint8), labels, spec, classes=names)
    return Dataset(spec.name, train, test, classes=names, target="digit")


def iris(spec: Iris) -> Dataset:
    """`sklearn.datasets.load_iris`: a table of shape `(rows, 4)`, in cm."""
    return _classified(datasets.load_iris(), spec, "species")


def wine(spec: Wine) -> Dataset:
    """`sklearn.datasets.load_wine`: a table of shape `(rows, 13)`."""
    return _classified(datasets.load_wine(), spec, "grower")


def breast_cancer(spec: BreastCancer) -> Dataset:
    """`sklearn.datasets.load_breast_cancer`: a table of shape `(rows, 30)`."""
    return _classified(datasets.load_breast_cancer(), spec, "diagnosis")


def diabetes(spec: Diabetes) -> Dataset:
    """`sklearn.datasets.load_diabetes(scaled=False)`: a table of shape `(rows, 10)`."""
    # Unscaled: scikit-learn would scale by all rows, the test rows included.
    bunch = datasets.load_diabetes(scaled=False)
    train, test = draw(bunch.data, bunch.target.astype(np.float64), spec, classes=())
    return Dataset(
        spec.name,
        train,
        test,
        target="disease progression after one year",
        features=tuple(bunch.feature_names),
    )


def _classified(bunch: Bunch, spec: Embedded, target: str) -> Dataset:
    names = tuple(map(str, bunch.target_names))
    train, test = draw(bunch.data, bunch.target.astype(np.int64), spec, classes=names)
    return Dataset(
        spec.name,
        train,
        test,
        classes=names,
        target=target,
        features=tuple(map(str, bunch.feature_names)),
    )
