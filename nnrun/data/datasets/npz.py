"""User arrays in a NumPy archive."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nnrun.data.datasets.tables import reading
from nnrun.data.splits import draw, of_tests, with_validation
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
        parts = spec.parts()
        y = {name: rows.read("y") for name, rows in parts.items()}
        count = arrays.class_count(y["train"], spec.task)
        dtype = np.int64 if count else np.float64
        every = {
            name: Split(_floats(rows.read("x")), y[name].astype(dtype), np.arange(len(y[name])))
            for name, rows in parts.items()
        }
    classes = tuple(map(str, range(count)))
    for name, labels in y.items():
        if classes and not {*np.unique(labels).tolist()} <= {*range(count)}:
            kind = {"val": "validation"}.get(name, name)
            raise DataError(f"{path}: the {kind} rows have classes that the training rows lack")
    train, rows = every["train"], len(every["train"])
    tests = {name[5:]: split for name, split in every.items() if name.startswith("test")}
    if not tests:
        drawn = draw(y["train"], spec, validation, classes=classes)
        train, tests[""] = (train.select(n) for n in map(np.sort, drawn))
    if "val" in every:
        train = with_validation(train, every["val"], first=rows)
    return Dataset(spec.name, train, of_tests(tests), Target.one_of("class", classes))


def _floats(x: Array) -> Array:
    return x if x.dtype in (np.uint8, np.float32) else x.astype(np.float64)
