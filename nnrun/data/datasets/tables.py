"""User tables."""

from __future__ import annotations

import csv as csv_format
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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


@dataclass(frozen=True)
class CsvTable:
    """The cells of a CSV file as text; `lines` are those on which each row ends."""

    path: Path
    header: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]

    def column(self, name: str) -> list[str]:
        """The cells of a column."""
        at = self.header.index(name)
        return [row[at] for row in self.rows]

    def place(self, row: int) -> str:
        """The position of a row, such as `flowers.csv:2`."""
        return f"{self.path}:{self.lines[row]}"


def parse_csv(path: Path, text: str, separator: str, *, header_optional: bool = False) -> CsvTable:
    """The cells of a CSV file with this content.

    With `header_optional`, a first row of numbers is not a header, and columns are numbered.

    Raises:
        DataError: it is not a table; with the line.
    """
    reader = csv_format.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader if row]
    except csv_format.Error as error:
        raise DataError(f"{path}:{reader.line_num}: is not CSV: {error}") from error
    if not rows:
        raise DataError(f"{path}: holds no rows")
    header = profile.column_names(rows[0][1])
    if header_optional and all(map(is_number, header)):
        header = [str(number) for number in range(1, len(header) + 1)]
    else:
        del rows[0]
    if not rows:
        raise DataError(f"{path}: holds no rows, only a header")
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise DataError(f"{path}: has two columns {quote(twice)}")
    for line, row in rows:
        if len(row) != len(header):
            raise DataError(f"{path}:{line}: has {len(row)} cells, and the header {len(header)}")
    return CsvTable(path, tuple(header), [row for _, row in rows], [line for line, _ in rows])


def is_number(cell: str) -> bool:
    """Whether a cell is a finite number."""
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def csv(spec: Csv) -> Dataset:
    """A CSV file: a table of shape `(rows, features)`, float64; NaN where a value is missing."""
    return _dataset(spec, [_read_csv(path, spec.separator) for path in spec.files])


def parquet(spec: Parquet) -> Dataset:
    """A Parquet file; as for `csv`."""
    return _dataset(spec, [_read_parquet(path) for path in spec.files])


def _read_csv(path: Path, separator: str) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - other data sets do without

    try:
        # It names the broken line, and refuses equal column names, of which pandas renames one.
        profile.inspect_table(path, separator)
        return pd.read_csv(
            path,
            sep=separator,
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
        message = "Parquet files need the extra `parquet`: pip install 'nnrun[parquet]'"
        raise DataError(message) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{path}: is no Parquet file: {error}") from error


def _dataset(spec: Table, frames: list[pd.DataFrame]) -> Dataset:
    paths = spec.files
    columns = _columns(spec, paths[0], frames[0])
    classes = _classes(spec, frames[0])
    filled = any(step.fills_missing for step in spec.prepare)
    parts = []
    for path, frame in zip(paths, frames, strict=True):
        x = [_encode(path, frame, column, filled=filled) for column in columns]
        y = _labels(spec, path, frame, classes=classes)
        parts.append((np.concatenate(x, axis=1), y))
    x_train, y_train = parts[0]
    if len(parts) == 1:
        train, test = draw(x_train, y_train, spec, classes=classes)
    else:
        order = np.random.default_rng(spec.seed).permutation(len(y_train))
        train, test = Split(x_train[order], y_train[order]), Split(*parts[1])
    return Dataset(
        spec.name,
        train,
        test,
        classes=classes,
        target=spec.target,
        features=coding.names(columns),
        columns=columns,
    )


def _columns(spec: Table, path: Path, frame: pd.DataFrame) -> tuple[Column, ...]:
    """The features as in the training file."""
    names = spec.features or [name for name in frame.columns if name != spec.target]
    for name in (*names, spec.target):
        _series(path, frame, name)
    columns, first = [], 0
    for name in names:
        if _is_numeric(frame[name]):
            columns.append(Column(str(name)))
            continue
        categories = tuple(sorted({str(value) for value in frame[name].dropna()}))
        columns.append(Column(str(name), categories, first if spec.categories == "codes" else None))
        first += len(categories)
    return tuple(columns)


def _series(path: Path, frame: pd.DataFrame, name: str) -> pd.Series:
    if name not in frame.columns:
        raise DataError(f"{path}: has no column {quote(name)}")
    return frame[name]


def _is_numeric(values: pd.Series) -> bool:
    return values.dtype.kind in "iuf"


def _classes(spec: Table, frame: pd.DataFrame) -> tuple[str, ...]:
    target = frame[spec.target]
    if spec.task == "regression" or (spec.task is None and _is_numeric(target)):
        return ()
    return tuple(map(_class_name, sorted(set(target.dropna()))))


def _class_name(value: object) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:g}" if is_number else str(value)


def _encode(path: Path, frame: pd.DataFrame, column: Column, *, filled: bool) -> Array:
    values, name = _series(path, frame, column.name), quote(column.name)
    missing = values.isna().to_numpy()
    if missing.any() and not filled:
        raise DataError(
            f"{_line(path, int(missing.argmax()))}: {name} is missing, there and in "
            f"{missing.sum() - 1:,} other rows; fill it with prepare: [impute: median], or leave "
            "the column out of features"
        )
    if column.categories is None:
        if not _is_numeric(values):
            raise DataError(f"{path}: {name} holds words, and numbers in the training file")
        numbers = values.to_numpy(np.float64)
        if (infinite := np.isinf(numbers)).any():
            raise DataError(f"{_line(path, int(infinite.argmax()))}: {name} is no finite number")
        return numbers[:, None]
    cells = [None if gone else str(value) for value, gone in zip(values, missing, strict=True)]
    try:
        return coding.encoded(column, cells)
    except KeyError as error:
        row = int(error.args[0])
        message = f"{name} is {quote(cells[row])}, which the training file does not hold"
        raise DataError(f"{_line(path, row)}: {message}") from error


def _labels(spec: Table, path: Path, frame: pd.DataFrame, *, classes: tuple[str, ...]) -> Array:
    target, name = _series(path, frame, spec.target), quote(spec.target)
    if (missing := target.isna().to_numpy()).any():
        raise DataError(f"{_line(path, int(missing.argmax()))}: {name}, the target, is missing")
    if not classes:
        if not _is_numeric(target):
            raise DataError(f"{path}: {name} holds words, which are no values to predict")
        return target.to_numpy(np.float64)
    numbers = {name: number for number, name in enumerate(classes)}
    labels = [_class_name(value) for value in target]
    for row, label in enumerate(labels):
        if label not in numbers:
            raise DataError(f"{_line(path, row)}: {quote(label)} is no class of the training file")
    return np.array([numbers[label] for label in labels], dtype=np.int64)


def _line(path: Path, row: int) -> str:
    """The position of a row, if no cell has several lines."""
    return f"{path}:{row + 2}"
