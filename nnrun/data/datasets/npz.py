"""User arrays in a NumPy archive."""

from __future__ import annotations

import zlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from nnrun.data.splits import draw
from nnrun.errors import DataError
from nnrun.spec.dataset import Npz
from nnrun.spec.validation import Validation
from nnrun.types import Array, Dataset, Split


def npz(spec: Npz, validation: Validation | None = None) -> Dataset:
    """Arrays named as in Keras's files: `x_train`, `y_train`, `x_test`, `y_test`; or `x` and `y`.

    Whole numbers from 0 are classes, other numbers are values to predict.
    """
    path = Path(spec.path)
    arrays = _read(path)
    if {"x_train", "y_train", "x_test", "y_test"} <= {*arrays}:
        parts = [_part(path, arrays, f"_{part}") for part in ("train", "test")]
    elif {"x", "y"} <= {*arrays}:
        parts = [_part(path, arrays, "")]
    else:
        raise DataError(
            f"{path}: must hold the arrays x_train, y_train, x_test, y_test, or x and y; there are "
            f"{', '.join(sorted(arrays)) or 'none'}"
        )
    if spec.test is not None:
        parts = [parts[0], _part(Path(spec.test), _read(Path(spec.test)), "")]
    classes = _classes(path, spec, parts[0][1])
    orders = [np.arange(len(y)) for _, y in parts]
    if len(parts) == 1:
        [(x, y)] = parts
        orders = [np.sort(rows) for rows in draw(y, spec, validation, classes=classes)]
        parts = [(x[rows], y[rows]) for rows in orders]
    (x_train, y_train), (x_test, y_test) = parts
    if x_train.shape[1:] != x_test.shape[1:]:
        raise DataError(f"{path}: training rows and test rows differ in shape")
    if classes and y_test.max(initial=0) >= len(classes):
        raise DataError(f"{path}: the test rows have classes that the training rows lack")
    dtype = np.int64 if classes else np.float64
    train = Split(x_train, y_train.astype(dtype), orders[0])
    test = Split(x_test, y_test.astype(dtype), orders[1])
    return Dataset(spec.name, train, test, classes=classes)


def _read(path: Path) -> dict[str, Array]:
    try:
        # Pickled objects, which could run code, are refused.
        with np.load(path, allow_pickle=False) as archive:
            if isinstance(archive, np.ndarray):
                raise DataError(f"{path}: holds one array, and must hold x and y")
            return dict(archive)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, BadZipFile, EOFError, KeyError, zlib.error) as error:
        raise DataError(f"{path}: is no archive of plain arrays: {error}") from error


def _part(path: Path, arrays: dict[str, Array], suffix: str) -> tuple[Array, Array]:
    """The arrays `x` and `y` of some rows."""
    for name in (f"x{suffix}", f"y{suffix}"):
        if name not in arrays:
            raise DataError(f"{path}: lacks an array x{suffix} or y{suffix}")
        if arrays[name].dtype.kind not in "biuf":
            dtype = arrays[name].dtype
            raise DataError(f"{path}: {name} holds {dtype}, and must hold numbers")
    x, y = arrays[f"x{suffix}"], arrays[f"y{suffix}"]
    y = y[:, 0] if y.shape[1:] == (1,) else y
    if y.ndim != 1 or x.ndim < 2 or len(x) != len(y):
        raise DataError(
            f"{path}: x{suffix} has the shape {x.shape} and y{suffix} {y.shape}; each row of x "
            "needs one label"
        )
    return x if x.dtype in (np.uint8, np.float32) else x.astype(np.float64), y


def _classes(path: Path, spec: Npz, y: Array) -> tuple[str, ...]:
    """The names of the classes, which are their numbers; none for a regression."""
    if spec.task == "regression" or (spec.task is None and y.dtype.kind not in "biu"):
        return ()
    if not len(y) or (y != np.floor(y)).any() or y.min() < 0:
        raise DataError(f"{path}: classes are whole numbers from 0")
    return tuple(map(str, range(int(y.max()) + 1)))
