"""User arrays."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from nnrun.data.splits import draw
from nnrun.errors import DataError
from nnrun.spec.dataset import Npz
from nnrun.types import Array, Dataset, Split

_PARTS = ("x_train", "y_train", "x_test", "y_test")
_WHOLE = ("x", "y")


def npz(spec: Npz) -> Dataset:
    """Arrays as Keras keeps its own: `x_train`, `y_train`, `x_test`, `y_test`; or `x` and `y`.

    Whole numbers from 0 are classes, other numbers are values to predict.

    Raises:
        DataError: the file cannot be read, or its arrays do not go together.
    """
    path = Path(spec.path)
    found = _arrays(path)
    if all(name in found for name in _PARTS):
        parts = [_split(path, found, f"_{part}") for part in ("train", "test")]
    elif all(name in found for name in _WHOLE):
        parts = [_split(path, found, "")]
    else:
        there = ", ".join(sorted(found)) or "none"
        raise DataError(
            f"{path}: must hold the arrays {', '.join(_PARTS)}, or x and y; there are {there}"
        )
    if spec.test is not None:
        parts = [parts[0], _split(Path(spec.test), _arrays(Path(spec.test)), "")]
    classes = _classes(path, spec, parts[0].y)
    if len(parts) == 1:
        parts = [*draw(np.asarray(parts[0].x), parts[0].y, spec, classes=classes)]
    if parts[0].x.shape[1:] != parts[1].x.shape[1:]:  # type: ignore[union-attr]
        raise DataError(f"{path}: rows to train and to test on differ in shape")
    if classes and parts[1].y.max(initial=0) >= len(classes):
        raise DataError(f"{path}: there are classes to test on that none of the others has")
    kind = np.int64 if classes else np.float64
    train, test = (Split(part.x, part.y.astype(kind)) for part in parts)
    return Dataset(spec.name, train, test, classes=classes)


def _arrays(path: Path) -> Mapping[str, Array]:
    try:
        # Pickled objects, which could run code, are refused.
        with np.load(path, allow_pickle=False) as archive:
            if isinstance(archive, np.ndarray):
                raise DataError(f"{path}: holds one array, and must hold x and y")
            return {name: archive[name] for name in archive.files}
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, BadZipFile, EOFError, KeyError, zlib.error) as error:
        raise DataError(f"{path}: is no archive of plain arrays: {error}") from error


def _split(path: Path, found: Mapping[str, Array], part: str) -> Split:
    x, y = (found.get(f"{name}{part}") for name in "xy")
    if x is None or y is None:
        raise DataError(f"{path}: lacks an array x{part} or y{part}")
    for name, values in ((f"x{part}", x), (f"y{part}", y)):
        if values.dtype.kind not in "biuf":
            raise DataError(f"{path}: {name} holds {values.dtype}, and must hold numbers")
    y = y[:, 0] if y.shape[1:] == (1,) else y
    if y.ndim != 1 or x.ndim < 2 or len(x) != len(y):
        raise DataError(
            f"{path}: x{part} has the shape {x.shape} and y{part} {y.shape}; each row of x needs "
            "one label"
        )
    x = x if x.dtype == np.uint8 else x.astype(np.float32 if x.dtype.kind == "f" else np.float64)
    return Split(x, y)


def _classes(path: Path, spec: Npz, y: Array) -> tuple[str, ...]:
    """Names of the classes, which are their numbers; none for values."""
    whole = y.dtype.kind in "biu"
    if spec.task == "regression" or (spec.task is None and not whole):
        return ()
    if not len(y) or (y != np.floor(y)).any() or y.min() < 0:
        raise DataError(f"{path}: classes are whole numbers from 0")
    return tuple(map(str, range(int(y.max()) + 1)))
