"""NumPy archives with an array `x`, and maybe an array `y` of labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nnrun.errors import CommandError
from nnrun.prediction import raw
from nnrun.prediction.raw import Raw
from nnrun.prediction.subject import Subject
from nnrun.records import Array
from nnrun.runs import arrays


def read(path: Path, subject: Subject) -> Raw:
    """Rows to be predicted; nothing in the file is ever run.

    Raises:
        CommandError: it is no such archive, or its rows are others than the run takes.
    """
    if subject.looks.kind == "texts":
        raise CommandError(f"{path}: the run takes texts; a CSV brings them in a column `text`")
    try:
        found = arrays.load(raw.content(path))
    except ValueError as error:
        raise CommandError(f"{path}: cannot be read: {error}") from error
    if "x" not in found:
        names = ", ".join(sorted(found)) or "nothing"
        raise CommandError(f"{path}: holds no array `x`, but {names}")
    x = _rows(path, found["x"], subject.looks.shape)
    y = _labels(path, found["y"], len(x), subject) if "y" in found else None
    return Raw(tuple(f"{path}[{row}]" for row in range(len(x))), x, y)


def _rows(path: Path, x: Array, shape: tuple[int, ...]) -> Array:
    if x.shape[1:] != shape or not len(x):
        wanted = f"(rows, {', '.join(map(str, shape))})"
        raise CommandError(f"{path}: x has the shape {x.shape}, and must have {wanted}")
    _check_numbers(path, "x", x)
    # Bytes stay bytes; of other numbers TensorFlow knows neither every width nor every byte order.
    return x if x.dtype == np.uint8 else x.astype(np.float64)


def _labels(path: Path, y: Array, rows: int, subject: Subject) -> Array:
    if y.shape not in ((rows,), (rows, 1)):
        raise CommandError(f"{path}: y has the shape {y.shape}, and must have ({rows},)")
    y = y.reshape(rows)
    if subject.classes and y.dtype.kind in "US":
        names = [str(name) for name in y.tolist()]
        return raw.labels(names, subject.classes, [f"{path}: y[{row}]" for row in range(rows)])
    _check_numbers(path, "y", y)
    if not subject.classes:
        return y.astype(np.float64)
    last = len(subject.classes) - 1
    if (y != np.floor(y)).any() or y.min() < 0 or y.max() > last:
        raise CommandError(f"{path}: y holds other numbers than those of the classes, 0 to {last}")
    return y.astype(np.int64)


def _check_numbers(path: Path, name: str, values: Array) -> None:
    if values.dtype.kind not in "biuf" or not np.isfinite(values).all():
        raise CommandError(f"{path}: {name} holds what is no number")
