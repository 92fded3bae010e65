"""User arrays in a NumPy archive."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nnrun.data.datasets.tables import reading
from nnrun.data.splits import draw
from nnrun.errors import DataError
from nnrun.spec import arrays
from nnrun.spec.dataset import Npz
from nnrun.spec.validation import Validation
from nnrun.types import Array, Dataset, Split, Target


def npz(spec: Npz, validation: Validation | None = None) -> Dataset:
    """Arrays named as in Keras's files: `x_train`, `y_train`, `x_test`, `y_test`; or `x` and `y`.

    Whole numbers from 0 are classes, other numbers are values to predict.
    """
    path = Path(spec.path)
    with reading(path):
        parts = [(_floats(rows.read("x")), rows.read("y")) for rows in spec.parts()]
        count = arrays.class_count(parts[0][1], spec.task)
    classes = tuple(map(str, range(count)))
    orders = [np.arange(len(y)) for _, y in parts]
    if len(parts) == 1:
        [(x, y)] = parts
        orders = [np.sort(rows) for rows in draw(y, spec, validation, classes=classes)]
        parts = [(x[rows], y[rows]) for rows in orders]
    (x_train, y_train), (x_test, y_test) = parts
    if classes and not {*np.unique(y_test).tolist()} <= {*range(count)}:
        raise DataError(f"{path}: the test rows have classes that the training rows lack")
    dtype = np.int64 if classes else np.float64
    train = Split(x_train, y_train.astype(dtype), orders[0])
    test = Split(x_test, y_test.astype(dtype), orders[1])
    return Dataset(spec.name, train, test, Target.one_of("class", classes))


def _floats(x: Array) -> Array:
    return x if x.dtype in (np.uint8, np.float32) else x.astype(np.float64)
