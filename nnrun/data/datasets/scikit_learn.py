"""The data sets that scikit-learn contains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn import datasets

from nnrun.data.splits import draw
from nnrun.spec.dataset import BreastCancer, Diabetes, Digits, Embedded, Iris, Wine
from nnrun.types import Dataset, Split, Target

if TYPE_CHECKING:
    from sklearn.utils import Bunch


def digits(spec: Digits) -> Dataset:
    """`sklearn.datasets.load_digits`: images of shape `(rows, 8, 8)`, uint8 from 0 to 16."""
    bunch, classes = datasets.load_digits(), tuple("0123456789")
    images, labels = bunch.images.astype(np.uint8), bunch.target.astype(np.int64)
    train, test = (
        Split(images[rows], labels[rows]) for rows in draw(labels, spec, classes=classes)
    )
    return Dataset(spec.name, train, test, Target.one_of("digit", classes))


def iris(spec: Iris) -> Dataset:
    """`sklearn.datasets.load_iris`: a table of shape `(rows, 4)`, in cm."""
    return _table(datasets.load_iris(), spec, "species")


def wine(spec: Wine) -> Dataset:
    """`sklearn.datasets.load_wine`: a table of shape `(rows, 13)`."""
    return _table(datasets.load_wine(), spec, "grower")


def breast_cancer(spec: BreastCancer) -> Dataset:
    """`sklearn.datasets.load_breast_cancer`: a table of shape `(rows, 30)`."""
    return _table(datasets.load_breast_cancer(), spec, "diagnosis")


def diabetes(spec: Diabetes) -> Dataset:
    """`sklearn.datasets.load_diabetes(scaled=False)`: a table of shape `(rows, 10)`."""
    # Unscaled: scikit-learn would scale by all rows, the test rows included.
    return _table(datasets.load_diabetes(scaled=False), spec, "disease progression after one year")


def _table(bunch: Bunch, spec: Embedded, target: str) -> Dataset:
    classes = tuple(map(str, bunch.get("target_names", ())))
    y = bunch.target.astype(np.int64 if classes else np.float64)
    train, test = (Split(bunch.data[rows], y[rows]) for rows in draw(y, spec, classes=classes))
    features = tuple(map(str, bunch.feature_names))
    return Dataset(spec.name, train, test, Target.one_of(target, classes), features=features)
