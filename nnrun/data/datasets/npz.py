"""User arrays in a NumPy archive."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nnrun.data.datasets.tables import reading
from nnrun.data.splits import draw, of_tests, with_validation
from nnrun.errors import DataError
from nnrun.spec import arrays
from nnrun.spec.dataset import Npz
from nnrun.spec.targets import INPUTS
from nnrun.spec.validation import Validation
from nnrun.types import Array, Dataset, Split, Target


def npz(spec: Npz, validation: Validation | None = None) -> Dataset:
    """Arrays named as in Keras's files: `x_train`, `y_train`, `x_test`, `y_test`; or `x` and `y`.

    Whole numbers from 0 are classes, of a row or of each of its positions; columns of 0 and 1 are
    labels; other numbers are values to predict.
    """
    path = Path(spec.path)
    with reading(path):
        parts = spec.parts()
        y = {name: rows.read("y") for name, rows in parts.items()}
        target = Target(INPUTS, "inputs")
        if not spec.reconstructs:
            target = arrays.meaning(y["train"], spec.task)
        every = {}
        for name, rows in parts.items():
            try:
                labels = arrays.encode(y[name], target)
            except ValueError as error:
                kind = {"val": "validation"}.get(name, name)
                raise DataError(f"{path}: the {kind} rows: {error}") from error
            every[name] = Split(_floats(rows.read("x")), labels, np.arange(len(labels)))
    classes = tuple(map(str, target.classes))
    train, count = every["train"], len(every["train"])
    tests = {name[5:]: split for name, split in every.items() if name.startswith("test")}
    if not tests:
        drawn = draw(train.y, spec, validation, classes=classes)
        train, tests[""] = (train.select(n) for n in map(np.sort, drawn))
    if "val" in every:
        train = with_validation(train, every["val"], first=count)
    return Dataset(spec.name, train, of_tests(tests), target)


def _floats(x: Array) -> Array:
    return x if x.dtype in (np.uint8, np.float32) else x.astype(np.float64)
