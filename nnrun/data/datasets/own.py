"""Rows that a function of the user's Python code returns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np

from nnrun.data.splits import with_validation
from nnrun.errors import DataError
from nnrun.spec import arrays, catalogue, code
from nnrun.spec.dataset import OwnData
from nnrun.types import Array, Dataset, Split

_NEEDED = ("x_train", "y_train", "x_test", "y_test")
_MORE = ("x_val", "y_val")


def load(spec: OwnData) -> Dataset:
    """The rows that the function returns, as `keras.datasets` does, or by name.

    Whole numbers from 0 are classes, other numbers are values to predict.

    Raises:
        CodeError: the function raised an error.
        DataError: it returns something else than rows.
    """
    try:
        found = _by_name(_call(spec))
        return _dataset(spec.name, {name: _numbers(name, found[name]) for name in found})
    except ValueError as error:
        raise DataError(f"{spec.name}: {error}") from error


def _call(spec: OwnData) -> object:
    function = cast("Callable[..., object]", code.find(spec.function))
    known = catalogue.arguments("datasets", spec.function)
    arguments = {
        key: Path(value) if isinstance(value, str) and known[key].kind == "path" else value
        for key, value in spec.arguments.items()
    }
    # The rows do not depend on the seed of the experiment, as those of other data sets.
    code.seed_python(0)
    try:
        return function(**arguments)
    except Exception as error:
        raise code.blame(error) or error from error


def _by_name(returned: object) -> dict[str, object]:
    match returned:
        case ((x_train, y_train), (x_test, y_test)):
            return dict(zip(_NEEDED, (x_train, y_train, x_test, y_test), strict=True))
        case dict() if {*_NEEDED} <= returned.keys() <= {*_NEEDED, *_MORE}:
            return returned
    got = ", ".join(map(str, returned)) if isinstance(returned, dict) else type(returned).__name__
    raise ValueError(
        f"must return (x_train, y_train), (x_test, y_test), or a dictionary with these names, got {got}"
    )


def _numbers(name: str, value: object) -> Array:
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold numbers, got {array.dtype}")
    if name.startswith("x"):
        if array.ndim < 2 or not array.size:
            raise ValueError(f"{name} must have the shape (rows, ...), got {array.shape}")
        return array if array.dtype in (np.uint8, np.float32) else array.astype(np.float64)
    if array.shape[1:] not in ((), (1,)) or not array.ndim:
        raise ValueError(f"{name} must hold a number per row, got the shape {array.shape}")
    return array.reshape(-1)


def _dataset(name: str, found: dict[str, Array]) -> Dataset:
    target = arrays.meaning(found["y_train"], None)
    splits = {}
    for part in sorted(key.removeprefix("x_") for key in found if key.startswith("x_")):
        x, y = found[f"x_{part}"], found[f"y_{part}"]
        if len(x) != len(y):
            raise ValueError(f"x_{part} has {len(x):,} rows, and y_{part} has {len(y):,}")
        if x.shape[1:] != found["x_train"].shape[1:]:
            shapes = f"{x.shape[1:]} and {found['x_train'].shape[1:]}"
            raise ValueError(f"rows of x_{part} and x_train differ in shape: {shapes}")
        try:
            splits[part] = Split(x, arrays.encode(y, target))
        except ValueError as error:
            raise ValueError(f"the {part} rows: {error}") from error
    train = splits["train"]
    if "val" in splits:
        train = with_validation(train, splits["val"], first=len(train))
    return Dataset(name, train, splits["test"], target)
