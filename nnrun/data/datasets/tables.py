"""User tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nnrun.data import columns as coding
from nnrun.data.splits import draw, of_tests, with_validation
from nnrun.data.vocabulary import alphabetical, encode, same
from nnrun.errors import DataError
from nnrun.spec import targets
from nnrun.spec.dataset import Table
from nnrun.spec.files import check_memory
from nnrun.spec.text import quote
from nnrun.spec.validation import Validation
from nnrun.spec.window import Window
from nnrun.types import (
    Array,
    Column,
    Dataset,
    Input,
    InputFacts,
    Inputs,
    NamedInputs,
    Split,
    Target,
    Windows,
)

if TYPE_CHECKING:
    from nnrun.spec import tables

PARTS = ("train", "validation", "test")


def csv(spec: Table, validation: Validation | None = None) -> Dataset:
    """A table of shape `(rows, features)`, float64, in the order of the file; NaN if missing.

    Raises:
        DataError: a file cannot be read, or a cell does not fit its column.
    """
    table = _read(spec, spec.path)
    test_tables = [_read(spec, path) for path in spec.test_files.values()]
    held_table = None if spec.validation is None else _read(spec, spec.validation)
    target = _meaning(spec, table)
    classes = tuple(map(str, target.classes))
    inputs = {
        name: _facts(view, [table, *([held_table] if held_table else []), *test_tables])
        for name, view in spec.views.items()
    }
    rows = _split(spec, table, inputs, target)
    parts = None if spec.split is None else _parts(table, spec.split)
    if parts is not None:
        rows = replace(rows, held_out=parts == "validation")
    if not test_tables:
        if parts is None:
            train, test = draw(rows.y, spec, validation, classes=classes, groups=rows.groups)
        else:
            parts = parts[rows.row_numbers(np.arange(len(rows)))]
            train, test = np.flatnonzero(parts != "test"), np.flatnonzero(parts == "test")
        train, test = np.sort(train), np.sort(test)
        test_split = rows.select(test)
    else:
        if parts is not None and len(tested := np.flatnonzero(parts == "test")):
            place, name = table.first_position(tested), quote(str(spec.split))
            message = f"{name} is test, and dataset.test names other test rows; remove one of both"
            raise DataError(f"{place}: {message}")
        train = np.arange(len(rows))
        splits = [_split(spec, one, inputs, target) for one in test_tables]
        test_split = of_tests(dict(zip(spec.test_files, splits, strict=True)))
    train_split = rows.select(train)
    if held_table is not None:
        held = _split(spec, held_table, inputs, target)
        if spec.groups is not None:
            groups = _group_numbers([_column(each, spec.groups) for each in (table, held_table)])
            train_split = replace(train_split, groups=groups[train])
            held = replace(held, groups=groups[len(rows) :])
        train_split = with_validation(train_split, held, first=table.rows)
    dataset = Dataset(spec.name, train_split, test_split, target)
    if spec.inputs is None:
        return replace(dataset, **vars(inputs[""]))
    return replace(dataset, inputs=inputs)


parquet = csv


def _facts(spec: Table, read: Sequence[tables.Table]) -> InputFacts:
    """What the files tell about one input; its columns are those of the training file."""
    if spec.texts:
        vocabulary = alphabetical([text for table in read for text in words(table, *spec.texts)])
        by_index = {index: word for word, index in vocabulary.words.items()}
        return InputFacts(vocabulary=partial(same, by_index), words=partial(same, vocabulary))
    columns = _columns(spec, read[0])
    return InputFacts(features=coding.names(columns), columns=columns)


def words(table: tables.Table, name: str) -> list[str]:
    """The cells of a column as words, such as texts; DataError if one is missing."""
    column = _column(table, name)
    if len(column.missing):
        raise DataError(f"{table.first_position(column.missing)}: {quote(name)} is missing")
    return [word or "" for word in column.words()]


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns the errors of reading a table into a DataError with its path."""
    try:
        yield
    except ImportError as error:
        message = "Parquet files need the extra `parquet`: pip install 'nnrun[parquet]'"
        raise DataError(message) from error
    except OSError as error:
        place = error.filename or path
        raise DataError(f"{place}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error


def _read(spec: Table, name: str) -> tables.Table:
    path = Path(name)
    with reading(path):
        return spec.read(path)


def _column(table: tables.Table, name: str) -> tables.Column:
    if name not in table.columns:
        raise DataError(f"{table.path}: has no column {quote(name)}")
    return table.columns[name]


def _columns(spec: Table, table: tables.Table) -> tuple[Column, ...]:
    """The features, as in the training file."""
    columns, first = [], 0
    for name in spec.feature_names(table):
        column = _column(table, name)
        if column.problem:
            raise DataError(f"{table.path}: column {quote(name)} {column.problem}")
        codes = first if column.categories is not None and spec.categories == "codes" else None
        columns.append(Column(name, column.categories, codes))
        first += len(column.categories or ())
    return tuple(columns)


def _input(spec: Table, table: tables.Table, facts: InputFacts) -> Input:
    """The rows of one input."""
    if facts.words:
        return encode(words(table, *spec.texts), facts.words())
    columns = facts.columns
    _check_memory(table, columns)
    is_filled = any(step.fills_missing for step in spec.prepare)
    parts = []
    for column in columns:
        content, name = _column(table, column.name), quote(column.name)
        if content.categories is None and content.numbers is None:
            raise DataError(f"{table.path}: column {name} {content.problem}")
        if (content.categories is None) != (column.categories is None):
            kinds = ("words", "numbers") if content.categories else ("numbers", "words")
            message = f"{name} holds {kinds[0]}, and {kinds[1]} in the training file"
            raise DataError(f"{table.path}: {message}")
        if len(content.missing) and not is_filled:
            raise DataError(
                f"{table.first_position(content.missing)}: {name} is missing, there and in "
                f"{len(content.missing) - 1:,} other rows; fill it with prepare: [impute: median], "
                "or leave the column out of features"
            )
        values, unknown = coding.encode(column, content)
        if len(unknown) and column.first is not None:
            word = quote(content.words()[unknown[0]])
            message = f"{name} is {word}, which the training file does not hold"
            raise DataError(f"{table.first_position(unknown)}: {message}")
        if len(infinite := np.flatnonzero(np.isinf(values).any(axis=1))):
            raise DataError(f"{table.first_position(infinite)}: {name} is no finite number")
        parts.append(values)
    return np.concatenate(parts, axis=1)


def _check_memory(table: tables.Table, columns: Sequence[Column]) -> None:
    width = len(coding.names(columns))
    try:
        # Each column, all of them, and the same divided for training and testing.
        check_memory(3 * 8 * table.rows * width)
    except ValueError as error:
        message = f"{table.rows:,} rows of {width:,} numbers, one for each category: {error}"
        raise DataError(f"{table.path}: {message}; write categories: codes") from error


def _meaning(spec: Table, table: tables.Table) -> Target:
    for name in spec.target_columns:
        _column(table, name)
    with reading(table.path):
        return spec.meaning(table)


def _labels(spec: Table, table: tables.Table, target: Target) -> Array:
    for name in spec.target_columns:
        _column(table, name)
    if isinstance(spec.target, str) and not spec.reconstructs:
        return _single_labels(table, spec.target, tuple(map(str, target.classes)))
    with reading(table.path):
        return targets.encode(spec.target, table, target)


def _single_labels(table: tables.Table, target: str, classes: tuple[str, ...]) -> Array:
    column, name = _column(table, target), quote(target)
    if len(column.missing):
        raise DataError(f"{table.first_position(column.missing)}: {name}, the target, is missing")
    if column.categories is None:
        if column.problem or classes or column.numbers is None:
            reason = column.problem or "holds numbers, and classes in the training file"
            raise DataError(f"{table.path}: {name}, the target, {reason}")
        return column.numbers
    if not classes:
        raise DataError(f"{table.path}: {name} holds words, which are no values to predict")
    if len(classes) == 1:
        raise DataError(f"{table.path}: {name}, the target, is {quote(classes[0])} in every row")
    values, unknown = coding.encode(Column(target, classes, 0), column)
    if len(unknown):
        word = quote(column.words()[unknown[0]])
        raise DataError(f"{table.first_position(unknown)}: {word} is no class of the training file")
    return values[:, 0].astype(np.int64)


def _split(
    spec: Table, table: tables.Table, inputs: Mapping[str, InputFacts], target: Target
) -> Split:
    """All rows of a file, with what its other columns say of them."""
    parts = {name: _input(view, table, inputs[name]) for name, view in spec.views.items()}
    x: Inputs = parts[""] if spec.inputs is None else NamedInputs(parts)
    y = _labels(spec, table, target)
    groups = None if spec.groups is None else _group_numbers([_column(table, spec.groups)])
    weights = None if spec.weight is None else _weights(table, spec.weight)
    rows = Split(x, y, groups=groups, weights=weights)
    if spec.window is None or not isinstance(x, np.ndarray):
        return rows
    windows, last, targets = gather_windows(spec, spec.window, table, x)
    if not len(windows):
        needed = spec.window.delay + 1
        message = f"a window with its target needs {needed:,} rows of one series"
        raise DataError(f"{table.path}: {message}, and the longest has fewer")
    # The label of a window is that of another row; its inputs are gathered later.
    labelled = replace(rows, x=y).select(targets)
    return replace(labelled, x=windows, naive=y[last])


def gather_windows(
    spec: Table, window: Window, table: tables.Table, x: Array, *, labelled: bool = True
) -> tuple[Windows, Array, Array]:
    """Windows over the rows of a file, in the order in which they end.

    Args:
        spec: names the columns of order and series.
        window: the windows.
        table: the file.
        x: its rows, of shape `(rows, features)`.
        labelled: whether the row of its target must follow each window.

    Returns:
        The windows; the row of the file in which each ends; and the one of its target, -1 if there
        is none.
    """
    in_order = np.arange(table.rows)
    if spec.order is not None:
        in_order = np.argsort(_times(table, spec.order), kind="stable")
    stored, sizes = in_order, np.array([table.rows])
    if spec.series is not None:
        series = _group_numbers([_column(table, spec.series)])
        stored = in_order[np.argsort(series[in_order], kind="stable")]
        sizes = np.bincount(series)
    ends = np.cumsum(sizes)
    each = [
        (
            end,
            end - size + window.sequence_stride * np.arange(window.count(size, labelled=labelled)),
        )
        for end, size in zip(ends.tolist(), sizes.tolist(), strict=True)
    ]
    starts = np.concatenate([first for _, first in each])
    limits = np.repeat([end for end, _ in each], [len(first) for _, first in each])
    rank = np.empty_like(in_order)
    rank[in_order] = np.arange(table.rows)
    by_time = np.argsort(rank[stored[starts + window.last]], kind="stable")
    starts, limits = starts[by_time], limits[by_time]
    targets = np.where(starts + window.delay < limits, starts + window.delay, -1)
    rows = np.where(targets < 0, -1, stored[targets])
    is_moved = not np.array_equal(stored, np.arange(table.rows))
    offsets = np.arange(window.sequence_length) * window.sampling_rate
    windows = Windows(x[stored] if is_moved else x, starts, offsets)
    return windows, stored[starts + window.last], rows


def _times(table: tables.Table, name: str) -> Array:
    """The numbers or dates of a column, which can be sorted."""
    column = _column(table, name)
    if len(column.missing):
        raise DataError(
            f"{table.first_position(column.missing)}: {quote(name)}, the order, is missing"
        )
    if column.numbers is not None:
        return column.numbers
    times = []
    for word in column.categories or ():
        try:
            times.append(_time(word))
        except ValueError:
            example = "a number or an ISO date such as 2026-01-31 12:00"
            message = f"{quote(name)}, the order, is {quote(word)}, and must be {example}"
            raise DataError(f"{table.path}: {message}") from None
    return np.array(times)[column.codes]


def _time(word: str) -> float:
    """A number, or the seconds of an ISO date; without a time zone it is in UTC."""
    with suppress(ValueError):
        return float(word)
    time = datetime.fromisoformat(word)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _group_numbers(columns: Sequence[tables.Column]) -> Array:
    """One number per row of all files, equal for equal cells; rows without a value are one group."""
    if len(columns) == 1:
        [column] = columns
        values = np.asarray(column.codes if column.codes is not None else column.numbers)
    else:
        values = np.array([cell for column in columns for cell in _cells(column)])
    return np.unique(values, return_inverse=True)[1]


def _cells(column: tables.Column) -> list[str]:
    if column.numbers is not None:
        return [str(number) for number in column.numbers.tolist()]
    return [word or "" for word in column.words()]


def _weights(table: tables.Table, name: str) -> Array:
    weights = _column(table, name).numbers
    if weights is None:
        raise DataError(f"{table.path}: {quote(name)}, the weight, must hold numbers")
    if len(wrong := np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))):
        raise DataError(
            f"{table.first_position(wrong)}: {quote(name)}, the weight, must be at least 0"
        )
    return weights.astype(np.float32)


def _parts(table: tables.Table, name: str) -> Array:
    """`train`, `validation` or `test` for each row."""
    column = _column(table, name)
    words = [word or "" for word in (column.words() if column.categories else [])]
    parts = np.array([word.lower() for word in words])
    if len(wrong := np.flatnonzero(~np.isin(parts, PARTS))) or column.categories is None:
        place = table.first_position(wrong) if len(wrong) else str(table.path)
        raise DataError(f"{place}: {quote(name)}, the split, must be {', '.join(PARTS)}")
    return parts
