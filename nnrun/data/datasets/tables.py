"""User tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnrun.data import columns as coding
from nnrun.data.splits import draw
from nnrun.errors import DataError
from nnrun.spec import profile
from nnrun.spec.dataset import Csv, Parquet, Table
from nnrun.spec.text import quote
from nnrun.types import Array, Column, Dataset, Split

if TYPE_CHECKING:
    import pandas as pd


def csv(spec: Csv) -> Dataset:
    """A CSV file: a table of shape `(rows, features)`, float64; NaN where a value is missing.

    Raises:
        DataError: it cannot be read, or a cell is not what its column holds.
    """
    return _dataset(spec, [(path, _read_csv(path, spec)) for path in spec.files])


def parquet(spec: Parquet) -> Dataset:
    """A Parquet file; as of `csv`."""
    return _dataset(spec, [(path, _read_parquet(path)) for path in spec.files])


def _read_csv(path: Path, spec: Csv) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - other data sets do without

    try:
        # Says which line is broken, and that two columns have one name; pandas would rename one.
        profile.inspect_table(path, spec.separator)
        return pd.read_csv(
            path,
            sep=spec.separator,
            encoding="utf-8-sig",
            low_memory=False,
            float_precision="round_trip",
        )
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error


def _read_parquet(path: Path) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - other data sets do without

    try:
        return pd.read_parquet(path)
    except ImportError as error:
        raise DataError(
            "Parquet files need the extra `parquet`: pip install 'nnrun[parquet]'"
        ) from (error)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{path}: is no Parquet file: {error}") from error


def _dataset(spec: Table, frames: list[tuple[Path, Any]]) -> Dataset:
    path, frame = frames[0]
    columns = _columns(spec, path, frame)
    classes = _classes(spec, frame)
    filled = any(step.fills_missing for step in spec.prepare)
    parts = [
        Split(
            _inputs(path, frame, columns, filled=filled),
            _labels(spec, path, frame, classes=classes),
        )
        for path, frame in frames
    ]
    if len(parts) == 1:
        parts = [*draw(np.asarray(parts[0].x), parts[0].y, spec, classes=classes)]
    else:
        order = np.random.default_rng(spec.seed).permutation(len(parts[0]))
        parts[0] = Split(np.asarray(parts[0].x)[order], parts[0].y[order])
    return Dataset(
        spec.name,
        train=parts[0],
        test=parts[1],
        classes=classes,
        target=spec.target,
        features=coding.names(columns),
        columns=columns,
    )


def _columns(spec: Table, path: Path, frame: pd.DataFrame) -> tuple[Column, ...]:
    """The features as the training file has them."""
    wanted = spec.features or [name for name in frame.columns if name != spec.target]
    if missing := [name for name in (*wanted, spec.target) if name not in frame.columns]:
        raise DataError(f"{path}: has no column {quote(missing[0])}")
    columns, first = [], 0
    for name in wanted:
        if _is_numeric(frame[name]):
            columns.append(Column(str(name)))
            continue
        categories = tuple(sorted({str(value) for value in frame[name].dropna()}))
        columns.append(Column(str(name), categories, first if spec.categories == "codes" else None))
        first += len(categories)
    return tuple(columns)


def _is_numeric(values: pd.Series[Any]) -> bool:
    return values.dtype.kind in "iuf"


def _classes(spec: Table, frame: pd.DataFrame) -> tuple[str, ...]:
    target = frame[spec.target]
    if spec.task == "regression" or (spec.task is None and _is_numeric(target)):
        return ()
    return tuple(map(_name, sorted(set(target.dropna()))))


def _name(value: Any) -> str:
    return (
        f"{value:g}"
        if isinstance(value, int | float) and not isinstance(value, bool)
        else str(value)
    )


def _inputs(path: Path, frame: pd.DataFrame, columns: tuple[Column, ...], *, filled: bool) -> Array:
    parts = []
    for column in columns:
        if column.name not in frame.columns:
            raise DataError(f"{path}: has no column {quote(column.name)}")
        values = frame[column.name]
        missing = values.isna().to_numpy()
        if missing.any() and not filled:
            raise DataError(
                f"{_line(path, int(missing.argmax()))}: {quote(column.name)} is missing, there and "
                f"in {missing.sum() - 1:,} other rows; fill it with prepare: [impute: median], or "
                "leave the column out of features"
            )
        parts.append(_numbers(path, column, values))
    return np.concatenate(parts, axis=1)


def _numbers(path: Path, column: Column, values: pd.Series[Any]) -> Array:
    if column.categories is None:
        if not _is_numeric(values):
            raise DataError(
                f"{path}: {quote(column.name)} holds words, and numbers in the training file"
            )
        numbers = values.to_numpy(np.float64)
        if (endless := np.isinf(numbers)).any():
            row = int(endless.argmax())
            raise DataError(f"{_line(path, row)}: {quote(column.name)} is no finite number")
        return numbers[:, None]
    missing = values.isna()
    cells = [None if gone else str(value) for value, gone in zip(values, missing, strict=True)]
    try:
        return coding.encoded(column, cells)
    except KeyError as error:
        row = int(error.args[0])
        raise DataError(
            f"{_line(path, row)}: {quote(column.name)} is {quote(cells[row])}, which the training "
            "file does not hold"
        ) from error


def _labels(spec: Table, path: Path, frame: pd.DataFrame, *, classes: tuple[str, ...]) -> Array:
    if spec.target not in frame.columns:
        raise DataError(f"{path}: has no column {quote(spec.target)}")
    target = frame[spec.target]
    if (missing := target.isna().to_numpy()).any():
        raise DataError(
            f"{_line(path, int(missing.argmax()))}: {quote(spec.target)}, the target, is missing"
        )
    if not classes:
        if not _is_numeric(target):
            raise DataError(
                f"{path}: {quote(spec.target)} holds words, which are no values to predict"
            )
        return target.to_numpy(np.float64)
    known = {name: number for number, name in enumerate(classes)}
    names = [_name(value) for value in target]
    if unknown := [row for row, name in enumerate(names) if name not in known]:
        row = unknown[0]
        raise DataError(f"{_line(path, row)}: {quote(names[row])} is no class of the training file")
    return np.array([known[name] for name in names], dtype=np.int64)


def _line(path: Path, row: int) -> str:
    """Where a row stands, as long as no cell goes over several lines."""
    return f"{path}:{row + 2}"
