"""Rows from CSV files, and texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nnrun.analysis.predict import inputs
from nnrun.analysis.predict.inputs import Raw
from nnrun.analysis.predict.trained import TrainedRun
from nnrun.data import columns
from nnrun.data.datasets.tables import CsvTable, is_number, parse_csv
from nnrun.data.datasets.texts import TOKENIZERS, encode
from nnrun.errors import CommandError
from nnrun.spec.dataset import Csv, Text
from nnrun.spec.profile import MISSING
from nnrun.spec.text import join_words, quote
from nnrun.types import Array, Column

TEXT = "text"
"""The column of texts, unless the spec names another."""


def encode_texts(texts: Sequence[str], subject: TrainedRun) -> Raw:
    """Texts as word indices, encoded as those of the data set.

    Raises:
        CommandError: the run does not take texts, or there are none.
        RunError: its vocabulary cannot be read.
    """
    if subject.schema.kind != "texts":
        raise CommandError(f"{subject.run.path} was trained on {subject.name}, which has no texts")
    if not texts:
        raise CommandError("there is no text to be predicted")
    vocabulary = subject.vocabulary()
    split, words = TOKENIZERS[vocabulary.tokenizer], vocabulary.words
    unknown = [at for at, text in enumerate(texts, 1) if not words.keys() & {*split(text)}]
    notices = []
    if unknown:
        numbers = ", ".join(map(str, unknown[:5])) + (", …" if len(unknown) > 5 else "")
        which = f"text {numbers} has" if len(unknown) == 1 else f"the texts {numbers} have"
        notices = [f"{which} no word that the model knows; the prediction is meaningless"]
    names = tuple(str(number) for number in range(1, len(texts) + 1))
    x = encode(texts, vocabulary)
    return Raw(names, x, texts=tuple(texts), notices=tuple(notices))


def read_table(path: Path, subject: TrainedRun) -> Raw:
    """Rows of a CSV file, with their labels if a column has the name of the target.

    Columns are found by name if the data set has names for them, else taken in order; texts are in
    the column `text`, or in the one that the spec names.

    Raises:
        CommandError: a column is missing, or a cell does not fit its column.
        DataError: the file is not a table.
    """
    schema, dataset = subject.schema, subject.spec.dataset
    separator = dataset.separator if isinstance(dataset, Csv | Text) else ","
    text = inputs.text(path, inputs.content(path))
    table = parse_csv(path, text, separator, header_optional=not schema.features)
    if not schema.columns:
        table = replace(table, header=tuple(map(str.strip, table.header)))
    y = None
    if subject.target in table.header:
        cells = [_as_truth(cell.strip(), subject.classes) for cell in table.column(subject.target)]
        y = inputs.parse_labels(cells, subject.classes, table.place)
    if schema.kind == "texts":
        column = dataset.text if isinstance(dataset, Text) else TEXT
        if column not in table.header:
            raise CommandError(f"{path}: the run takes texts, and there is no column `{column}`")
        return replace(encode_texts([*map(str.strip, table.column(column))], subject), y=y)
    used = _columns(table, subject)
    others = [name for name in table.header if name not in (*used, subject.target)]
    notices = (f"{path}: not used: {', '.join(map(quote, others))}",) if others else ()
    if schema.columns:
        filled = any(fitted.step.fills_missing for fitted in subject.steps)
        parts = [_encoded(table, column, filled=filled) for column in schema.columns]
        x = np.concatenate(parts, axis=1)
    else:
        x = _numbers(table, used).reshape(-1, *schema.shape)
    names = tuple(table.place(row) for row in range(len(table.rows)))
    return Raw(names, x, y, notices=notices)


def _columns(table: CsvTable, subject: TrainedRun) -> Sequence[str]:
    """The names of the model's columns, in its order."""
    schema = subject.schema
    features = tuple(column.name for column in schema.columns) or schema.features
    if features:
        if missing := [name for name in features if name not in table.header]:
            names = join_words([quote(name) for name in missing[:5]], "and")
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise CommandError(f"{table.path}: lacks the column {names}{more}")
        return features
    others = [name for name in table.header if name != subject.target]
    expected = math.prod(schema.shape)
    if len(others) != expected:
        raise CommandError(
            f"{table.path}: has {len(others)} columns, and the run takes rows of {expected} "
            f"numbers; labels belong in a column {quote(subject.target)}"
        )
    return others


def _encoded(table: CsvTable, column: Column, *, filled: bool) -> Array:
    """A column of a user's table, encoded as in training; NaN for cells that are filled later."""
    name, categories = quote(column.name), column.categories
    cells = [
        None if cell in MISSING else _as_truth(cell, categories or ())
        for cell in table.column(column.name)
    ]
    if None in cells and not filled:
        raise CommandError(f"{table.place(cells.index(None))}: {name} is missing")
    if categories is None:
        for row, cell in enumerate(cells):
            if cell is not None and not is_number(cell):
                message = f"{name} is {quote(cell)}, and must be a number"
                raise CommandError(f"{table.place(row)}: {message}")
        return np.array([[math.nan if cell is None else float(cell)] for cell in cells])
    try:
        return columns.encoded(column, cells)
    except KeyError as error:
        row = int(error.args[0])
        expected = join_words([quote(name) for name in categories[:5]], "or")
        message = f"{name} is {quote(cells[row])}, and was {expected} in training"
        raise CommandError(f"{table.place(row)}: {message}") from error


def _as_truth(cell: str, words: Sequence[str]) -> str:
    """A cell; `TRUE` becomes `True` in a column of truth values, as in pandas."""
    is_truth = bool(words) and {*words} <= {"True", "False"} and cell.lower() in ("true", "false")
    return cell.capitalize() if is_truth else cell


def _numbers(table: CsvTable, names: Sequence[str]) -> Array:
    """Columns of numbers, float64 of shape `(rows, columns)`."""
    order = [table.header.index(name) for name in names]
    try:
        numbers = np.array([[float(row[at]) for at in order] for row in table.rows])
    except ValueError:
        numbers = np.array(np.nan)
    if np.isfinite(numbers).all():
        return numbers
    row, name, cell = next(
        (row, name, cells[at])
        for row, cells in enumerate(table.rows)
        for name, at in zip(names, order, strict=True)
        if not is_number(cells[at])
    )
    content = quote(cell) if cell.strip() else "empty"
    raise CommandError(f"{table.place(row)}: {quote(name)} is {content}, and must be a number")
