"""Encodes the columns of user tables as numbers, the same for training and prediction.

The categories belong to the format of a table, as column names do; nothing is fitted here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnrun.types import Array, Column, Dataset


def names(columns: Sequence[Column]) -> tuple[str, ...]:
    """The names of the encoded columns, such as `species=Gentoo` for a one-hot category."""
    return tuple(name for column in columns for name in _encoded_names(column))


def _encoded_names(column: Column) -> list[str]:
    if not column.categories or column.first is not None:
        return [column.name]
    return [f"{column.name}={category}" for category in column.categories]


def groups(columns: Sequence[Column]) -> list[range]:
    """Ranges of encoded columns, one per column of categories."""
    return [place for column, place in _places(columns) if column.categories]


def _places(columns: Sequence[Column]) -> list[tuple[Column, range]]:
    """Each column with the range of its encoded columns."""
    ends = np.cumsum([0, *(len(_encoded_names(column)) for column in columns)]).tolist()
    return [(column, range(*ends[at : at + 2])) for at, column in enumerate(columns)]


def group_rows(columns: Sequence[Column], name: str, x: Array) -> Array:
    """One number per encoded row of `x`, equal for equal cells of a column; shape `(rows,)`.

    Raises:
        KeyError: no such column.
    """
    values = x[:, {column.name: place for column, place in _places(columns)}[name]]
    numbers = values.argmax(axis=1) if values.shape[1] > 1 else values[:, 0]
    # Rows with a missing value form one group.
    missing = np.isnan(values).any(axis=1)
    return np.where(missing, numbers[~missing].min(initial=0) - 1, numbers)


def described(dataset: Dataset) -> str:
    """The content of each column, in one line."""
    contents = [
        f"{column.name} {f'{len(column.categories)} words' if column.categories else 'numbers'}"
        for column in dataset.columns
    ]
    classes = f"{len(dataset.classes)} classes" if dataset.classes else "numbers"
    return f"columns: {', '.join(contents)}; target: {dataset.target} {classes}"


def encoded(column: Column, cells: Sequence[str | None]) -> Array:
    """Encodes categories, float64 of shape `(rows, encoded columns)`; NaN for missing values.

    Raises:
        KeyError: with the number of the first row that has an unknown category.
    """
    assert column.categories is not None
    numbers = {name: number for number, name in enumerate(column.categories)}
    for row, cell in enumerate(cells):
        if cell is not None and cell not in numbers:
            raise KeyError(row)
    codes = np.array([-1 if cell is None else numbers[cell] for cell in cells], dtype=np.int64)
    if column.first is not None:
        values = (codes + column.first).astype(np.float64)[:, None]
    else:
        values = np.eye(len(numbers))[codes]
    values[codes < 0] = np.nan
    return values
