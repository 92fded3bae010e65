"""Encodes the columns of user tables as numbers, the same for training and prediction.

The categories belong to the format of a table, as column names do; nothing is fitted here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nnrun.spec.text import count, shorten_list
from nnrun.types import Array, Column, Target

if TYPE_CHECKING:
    from nnrun.spec import tables

MOST_LISTED = 20  # columns in a description


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


def numbers(columns: Sequence[Column]) -> tuple[str, ...]:
    """The columns of numbers in a table with columns of codes; none in other tables."""
    has_codes = any(column.first is not None for column in columns)
    return tuple(column.name for column in columns if has_codes and not column.categories)


def _places(columns: Sequence[Column]) -> list[tuple[Column, range]]:
    """Each column with the range of its encoded columns."""
    ends = np.cumsum([0, *(len(_encoded_names(column)) for column in columns)]).tolist()
    return [(column, range(*ends[at : at + 2])) for at, column in enumerate(columns)]


def described(categories: Mapping[str, int], target: Target) -> str:
    """The content of each column, in one line.

    Args:
        categories: their number by column; 0 for numbers, -1 for texts. Only the first are listed.
        target: the meaning of a label.
    """
    contents = [f"{name} {_kind(number)}" for name, number in categories.items()]
    listed = ", ".join(shorten_list(contents, MOST_LISTED))
    return f"columns: {listed}; {described_target(target)}"


def described_target(target: Target) -> str:
    """The content of a label."""
    kind = {"class": "classes", "labels": "labels"}.get(target.kind)
    content = f"{len(target.names)} {kind}" if kind else "numbers"
    # The names of columns say how many there are.
    has_positions = len(target.shape) > 1 or (target.shape and target.kind == "class")
    return f"target: {target.name} {content}{f' of shape {target.shape}' if has_positions else ''}"


def _kind(categories: int) -> str:
    if categories < 0:
        return "texts"
    return count(categories, "word") if categories else "numbers"


def encode(column: Column, content: tables.Column) -> tuple[Array, Array]:
    """Encodes the cells of a column.

    Args:
        column: as in the training file.
        content: the cells.

    Returns:
        float64 of shape `(rows, encoded columns)`, NaN for missing values; and the numbers of the
        rows with an unknown category, which is no category at all if each has its own column.
    """
    nothing = np.empty(0, np.int64)
    if column.categories is None:
        assert content.numbers is not None
        return content.numbers[:, None], nothing
    assert content.codes is not None
    assert content.categories is not None
    known = {name: number for number, name in enumerate(column.categories)}
    unknown = len(known)
    numbers = np.array([*(known.get(name, unknown) for name in content.categories), -1], np.int64)
    codes = numbers[content.codes]
    if column.first is not None:
        values = (codes + column.first).astype(np.float64)[:, None]
    else:
        # A unit matrix would have a row for each of maybe 10,000 categories.
        values = np.zeros((len(codes), unknown))
        hot = np.flatnonzero((codes >= 0) & (codes < unknown))
        values[hot, codes[hot]] = 1.0
    values[codes < 0] = np.nan
    return values, np.flatnonzero(codes == unknown)
