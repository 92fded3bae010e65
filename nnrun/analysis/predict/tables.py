"""Rows from tables, and texts."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nnrun.analysis.predict import inputs
from nnrun.analysis.predict.inputs import UNKNOWN, Raw
from nnrun.analysis.predict.trained import TrainedRun
from nnrun.check.context import embedding_rows
from nnrun.data.columns import encode as encode_column
from nnrun.data.datasets.tables import gather_windows, reading
from nnrun.data.vocabulary import TOKENIZERS, encode
from nnrun.errors import CommandError
from nnrun.spec import targets
from nnrun.spec.csv_format import CsvFormat
from nnrun.spec.dataset import Table, Text
from nnrun.spec.text import join_words, quote
from nnrun.types import Array, Column, NamedInputs

if TYPE_CHECKING:
    from nnrun.spec import tables

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
    split, known = TOKENIZERS[vocabulary.tokenizer], vocabulary.words
    unknown = [at for at, text in enumerate(texts, 1) if not known.keys() & {*split(text)}]
    notices = []
    if unknown:
        numbers = ", ".join(map(str, unknown[:5])) + (", …" if len(unknown) > 5 else "")
        which = f"text {numbers} has" if len(unknown) == 1 else f"the texts {numbers} have"
        notices = [f"{which} no word that the model knows; the prediction is meaningless"]
    names = tuple(str(number) for number in range(1, len(texts) + 1))
    x = encode(texts, vocabulary)
    return Raw(names, x, texts=tuple(texts), notices=tuple(notices))


def read_table(path: Path, subject: TrainedRun) -> Raw:
    """Rows of a CSV or Parquet file, with their labels if a column has the name of the target.

    Columns have the types of the training file. They are found by name if the data set has names
    for them, else taken in order; texts are in the column `text`, or in the one that the spec names.

    Raises:
        CommandError: a column is missing, or a cell does not fit its column.
        DataError: the file is not a table.
    """
    table = _read(path, subject)
    y = _labels(table, subject)
    views = subject.views
    parts = {name: _input(table, view) for name, view in views.items()}
    used = {column for view in views.values() for column in _columns(table, view)}
    others = _unused(table, (*used, *targets.names(_target(subject))))
    unused = [name for name in others if name not in _row_columns(subject)]
    unused = [] if any(view.schema.kind == "texts" for view in views.values()) else unused
    notices = [f"{path}: not used: {', '.join(map(quote, unused))}"] if unused else []
    notices += [notice for part in parts.values() for notice in part.notices]
    if "" in parts:
        raw = replace(parts[""], y=y, notices=tuple(notices), others=others)
        return _windows(table, subject, raw)
    x = NamedInputs({name: part.single for name, part in parts.items()})
    return Raw(tuple(table.places()), x, y, notices=tuple(notices), others=others)


def _row_columns(subject: TrainedRun) -> Collection[str]:
    """The columns that say which rows belong together."""
    dataset = subject.spec.dataset
    return dataset.row_columns.values() if isinstance(dataset, Table) else ()


def _windows(table: tables.Table, subject: TrainedRun, rows: Raw) -> Raw:
    """Every window over the rows, if the run takes windows; the last ones have no label yet."""
    dataset = subject.spec.dataset
    if not isinstance(dataset, Table) or dataset.window is None:
        return rows
    if missing := [
        name for name in (dataset.order, dataset.series) if name not in (None, *table.columns)
    ]:
        raise CommandError(f"{table.path}: lacks the column {quote(str(missing[0]))}")
    assert isinstance(rows.x, np.ndarray)
    x, last, targets = gather_windows(dataset, dataset.window, table, rows.x, labelled=False)
    if not len(x):
        needed = dataset.window.last + 1
        raise CommandError(f"{table.path}: a window needs {needed:,} rows of one series")
    names = tuple(
        f"{rows.names[end]} + {dataset.window.horizon}" if target < 0 else rows.names[target]
        for end, target in zip(last.tolist(), targets.tolist(), strict=True)
    )
    y = None if rows.y is None else rows.y[targets]
    if y is not None:
        y[targets < 0] = UNKNOWN if y.dtype.kind == "i" else np.nan
    others = {
        name: [None if target < 0 else cells[target] for target in targets.tolist()]
        for name, cells in rows.others.items()
    }
    return replace(rows, names=names, x=x, y=y, others=others)


def _input(table: tables.Table, subject: TrainedRun) -> Raw:
    """The rows of one input."""
    used = _columns(table, subject)
    if subject.schema.kind == "texts":
        return encode_texts([word or "" for word in table.columns[used[0]].words()], subject)
    schema, notices, parts = subject.schema, [], []
    for column in schema.columns or tuple(map(Column, used)):
        values, notice = _encode(table, column, subject)
        parts.append(values)
        notices += [notice] if notice else []
    x = np.concatenate(parts, axis=1)
    x = x if schema.columns else x.reshape(-1, *schema.shape)
    return Raw(tuple(table.places()), x, notices=tuple(notices))


def _unused(table: tables.Table, used: Collection[str]) -> dict[str, list[str | None]]:
    """The cells of the columns that the model does not use, such as ids."""
    cells = {
        name: column.words()
        for name, column in table.columns.items()
        if name not in used and column.categories is not None
    }
    if table.format is None:
        # pandas makes floats of whole numbers beside a gap.
        for words in cells.values():
            words[:] = [word and word.removesuffix(".0") for word in words]
    return cells


def _text_column(subject: TrainedRun) -> str:
    match subject.spec.dataset:
        case Text(text=name) | Table(texts=(name,)):
            return name
    return TEXT


def _read(path: Path, subject: TrainedRun) -> tables.Table:
    """The file, with columns of the types that they had in training."""
    from nnrun.spec import tables  # noqa: PLC0415 - NumPy takes 0.1 s

    inputs.check_size(path)
    schema, dataset = subject.schema, subject.spec.dataset
    kinds: dict[str, tables.Kind] = {}
    for view in subject.views.values():
        columns = view.schema.columns or tuple(map(Column, view.schema.features))
        kinds |= {c.name: "category" if c.categories else "number" for c in columns}
        if view.schema.kind == "texts":
            kinds[_text_column(view)] = "category"
    target = _target(subject)
    classes = {subject.target.name} if subject.classes else set()
    if isinstance(target, str) and not subject.classes:
        kinds[target] = "number"
    kinds |= targets.kinds(target)
    # Columns without names in training are taken in order.
    others: tables.Kind | None = "category" if columns or schema.kind == "texts" else None
    with reading(path):
        if path.suffix.lower() == ".parquet":
            return tables.read_parquet(path, kinds=kinds, others=others, classes=classes)
        form = dataset.csv_format if isinstance(dataset, CsvFormat) else CsvFormat()
        if not (schema.features or subject.inputs) and tables.has_no_header(path, form):
            form = form.model_copy(update={"header": False})
        return tables.read_csv(path, form, kinds=kinds, others=others, classes=classes)


def _columns(table: tables.Table, subject: TrainedRun) -> Sequence[str]:
    """The names of the model's columns, in its order."""
    schema = subject.schema
    if schema.kind == "texts":
        name = _text_column(subject)
        if name not in table.columns:
            message = f"the run takes texts, and there is no column `{name}`"
            raise CommandError(f"{table.path}: {message}")
        return [name]
    features = tuple(column.name for column in schema.columns) or schema.features
    if features:
        if missing := [name for name in features if name not in table.columns]:
            names = join_words([quote(name) for name in missing[:5]], "and")
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise CommandError(f"{table.path}: lacks the column {names}{more}")
        return features
    labels = targets.names(_target(subject))
    others = [name for name in table.columns if name not in labels]
    expected = math.prod(schema.shape)
    if len(others) != expected:
        raise CommandError(
            f"{table.path}: has {len(others)} columns, and the run takes rows of {expected} "
            f"numbers; labels belong in a column {quote(subject.target.name)}"
        )
    return others


def _encode(table: tables.Table, column: Column, subject: TrainedRun) -> tuple[Array, str]:
    """A column, encoded as in training; and a notice about unknown categories.

    A category that training did not know has no column of its own, so all of them are 0. As a code
    it is the first that no category has, if the `Embedding` has a row for it.
    """
    content, name = table.columns[column.name], quote(column.name)
    if content.numbers is None and content.categories is None:
        raise CommandError(f"{table.path}: {name} {content.problem}")
    is_filled = any(fitted.step.fills_missing for fitted in subject.steps)
    if len(content.missing) and not is_filled:
        raise CommandError(f"{table.first_position(content.missing)}: {name} is missing")
    values, unknown = encode_column(column, content)
    if len(infinite := np.flatnonzero(np.isinf(values).any(axis=1))):
        raise CommandError(f"{table.first_position(infinite)}: {name} is not a finite number")
    if not len(unknown):
        return values, ""
    word = quote(content.words()[unknown[0]])
    rows = f"{len(unknown):,} row{'' if len(unknown) == 1 else 's'}"
    notice = f"{table.path}: {name} has values that training did not know, in {rows}: {word}"
    if column.first is None:
        return values, notice
    code = max(len(c.categories or ()) + (c.first or 0) for c in subject.schema.columns)
    if (embedding_rows(subject.spec) or 0) <= code:
        known = join_words([quote(category) for category in (column.categories or ())[:5]], "or")
        raise CommandError(
            f"{table.first_position(unknown)}: {name} is {word}, and was {known} in training; an "
            f"Embedding with input_dim: {code + 1} or more takes unknown values as the code {code}"
        )
    values[unknown] = code
    return values, f"{notice}; their code, {code}, was not trained"


def _labels(table: tables.Table, subject: TrainedRun) -> Array | None:
    """Labels as numbers; None if the table has no column of them."""
    target = _target(subject)
    present = [name for name in targets.names(target) if name in table.columns]
    if not present:
        return None
    if missing := [name for name in targets.names(target) if name not in present]:
        raise CommandError(f"{table.path}: lacks the column {quote(missing[0])} of the labels")
    if isinstance(target, str):
        return _single_labels(table, target, subject)
    with reading(table.path):
        return targets.encode(target, table, subject.target)


def _target(subject: TrainedRun) -> targets.AnyColumns:
    """The columns of the labels."""
    dataset = subject.spec.dataset
    if isinstance(dataset, Table | Text) and subject.target.shape:
        return dataset.target
    return subject.target.name


def _single_labels(table: tables.Table, target: str, subject: TrainedRun) -> Array:
    """A class by its name, or by its number if no class has that name; or a value."""
    column, classes = table.columns[target], subject.classes
    name = quote(target)
    if len(column.missing):
        raise CommandError(f"{table.first_position(column.missing)}: {name} is missing")
    if not classes:
        if column.numbers is None:
            raise CommandError(f"{table.path}: {name} {column.problem or 'holds words'}")
        return column.numbers
    labels = [word or "" for word in column.words()]
    numbered = subject.spec.dataset.positive_class is None
    return inputs.parse_labels(labels, classes, table.position, numbered=numbered)
