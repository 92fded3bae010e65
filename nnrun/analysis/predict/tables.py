"""CSV files with a row per line."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnrun.analysis.predict import inputs
from nnrun.analysis.predict.inputs import Raw
from nnrun.analysis.predict.trained import TrainedRun
from nnrun.data import columns
from nnrun.data.datasets.texts import TOKENIZERS, encode
from nnrun.errors import CommandError
from nnrun.spec.profile import MISSING, column_names
from nnrun.spec.text import join_words, quote
from nnrun.types import Array, Column, Vocabulary

# Sentences as word indices, as those of the data set are encoded.


def encode_texts(texts: Sequence[str], subject: TrainedRun) -> Raw:
    """Texts to be predicted.

    Raises:
        CommandError: the run does not take texts, or there is none.
        RunError: its words cannot be read.
    """
    if subject.looks.kind != "texts":
        raise CommandError(f"{subject.run.path} was trained on {subject.name}, which has no texts")
    if not texts:
        raise CommandError("there is no text to be predicted")
    known = subject.vocabulary()
    strange = [at for at, text in enumerate(texts, 1) if not _is_known(text, known)]
    return Raw(
        tuple(map(str, range(1, len(texts) + 1))),
        encode(texts, known),
        texts=tuple(texts),
        notices=tuple(_strange(strange)),
    )


def _is_known(text: str, known: Vocabulary) -> bool:
    return any(word in known.words for word in TOKENIZERS[known.tokenizer](text))


def _strange(rows: list[int]) -> list[str]:
    """What is said of texts without any word that the model knows."""
    if not rows:
        return []
    which = ", ".join(map(str, rows[:5])) + (", …" if len(rows) > 5 else "")
    subject = f"text {which} has" if len(rows) == 1 else f"the texts {which} have"
    return [f"{subject} no word that the model knows, so the answer says nothing"]


TEXT = "text"
"""The column of the texts, where rows are texts."""


@dataclass(frozen=True)
class _Table:
    """Cells of a file; `lines` says on which line each row ends."""

    path: Path
    header: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]

    def column(self, name: str) -> list[str]:
        at = self.header.index(name)
        return [row[at].strip() for row in self.rows]

    def place(self, row: int) -> str:
        return f"{self.path}:{self.lines[row]}"

    @property
    def places(self) -> list[str]:
        return [self.place(row) for row in range(len(self.rows))]


def read_table(path: Path, subject: TrainedRun) -> Raw:
    """Rows to be predicted, with their labels where a column has the target's name.

    Columns are found by name where the data set has names for them, else taken in order; texts
    stand in the column `text`, or in the one that the spec names.

    Raises:
        CommandError: the file is no such table.
    """
    table = _read(path, subject)
    y = None
    if subject.target in table.header:
        cells = [_truth(cell, subject.classes) for cell in table.column(subject.target)]
        y = inputs.labels(cells, subject.classes, table.places)
    if subject.looks.kind == "texts":
        column = getattr(subject.spec.dataset, "text", TEXT)
        if column not in table.header:
            raise CommandError(f"{path}: the run takes texts, and there is no column `{column}`")
        found = encode_texts(table.column(column), subject)
        return Raw(found.names, found.x, y, found.texts, found.notices)
    used = _columns(table, subject)
    others = [name for name in table.header if name not in (*used, subject.target)]
    notices = [f"{path}: not used: {', '.join(map(quote, others))}"] if others else []
    if subject.looks.columns:
        x = np.concatenate(
            [_encoded(table, column, filled=_fills(subject)) for column in subject.looks.columns],
            axis=1,
        )
    else:
        x = _numbers(table, used).reshape(-1, *subject.looks.shape)
    return Raw(tuple(table.places), x, y, notices=tuple(notices))


def _read(path: Path, subject: TrainedRun) -> _Table:
    """The cells of a file.

    Raises:
        CommandError: it is not CSV, has no rows, or a line of another length.
    """
    text = inputs.text(path, inputs.content(path))
    separator = getattr(subject.spec.dataset, "separator", ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        found = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise CommandError(f"{path}:{reader.line_num}: is not CSV: {error}") from error
    if not found:
        raise CommandError(f"{path}: holds no rows")
    header = tuple(
        column_names(found[0][1]) if subject.looks.columns else map(str.strip, found[0][1])
    )
    if not subject.looks.features and all(map(_is_number, header)):
        header = tuple(map(str, range(1, len(header) + 1)))
    else:
        del found[0]
    _check(path, header, found)
    return _Table(path, header, [row for _, row in found], [line for line, _ in found])


def _check(path: Path, header: Sequence[str], found: Sequence[tuple[int, list[str]]]) -> None:
    if not found:
        raise CommandError(f"{path}: holds no rows, only a header")
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise CommandError(f"{path}: has two columns {quote(twice)}")
    for line, row in found:
        if len(row) != len(header):
            message = f"has {len(row)} cells, and the header {len(header)}"
            raise CommandError(f"{path}:{line}: {message}")


def _columns(table: _Table, subject: TrainedRun) -> Sequence[str]:
    """The names of the columns that the model sees, in its order.

    Raises:
        CommandError: some are missing, or there are too many to tell which.
    """
    looks = subject.looks
    features = tuple(column.name for column in looks.columns) or looks.features
    if features:
        if missing := [name for name in features if name not in table.header]:
            some = join_words([quote(name) for name in missing[:5]], "and")
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise CommandError(f"{table.path}: lacks the column {some}{more}")
        return features
    others = [name for name in table.header if name != subject.target]
    if len(others) != math.prod(looks.shape):
        wanted = f"rows of {math.prod(looks.shape)} numbers"
        label = f"; a label stands in a column {quote(subject.target)}"
        message = f"has {len(others)} columns, and the run takes {wanted}{label}"
        raise CommandError(f"{table.path}: {message}")
    return others


def _fills(subject: TrainedRun) -> bool:
    """Whether the run fills what is missing."""
    return any(fitted.step.fills_missing for fitted in subject.fitted.steps)


def _encoded(table: _Table, column: Column, *, filled: bool) -> Array:
    """A column of a person's own table as the run has learnt to read it, NaN where it is filled.

    Raises:
        CommandError: a cell is empty, or not what the column held.
    """
    at = table.header.index(column.name)
    words = column.categories or ()
    cells = [None if row[at] in MISSING else _truth(row[at], words) for row in table.rows]
    if None in cells and not filled:
        raise CommandError(f"{table.place(cells.index(None))}: {quote(column.name)} is missing")
    if column.categories is None:
        for row, cell in enumerate(cells):
            if cell is not None and not _is_number(cell):
                message = f"{quote(column.name)} is {quote(cell)}, and must be a number"
                raise CommandError(f"{table.place(row)}: {message}")
        return np.array([[math.nan if cell is None else float(cell)] for cell in cells])
    try:
        return columns.encoded(column, cells)
    except KeyError as error:
        row = int(error.args[0])
        known = join_words([quote(name) for name in column.categories[:5]], "or")
        message = f"{quote(column.name)} is {quote(cells[row])}, and was {known} in training"
        raise CommandError(f"{table.place(row)}: {message}") from error


def _truth(cell: str, words: Sequence[str]) -> str:
    """A cell; `TRUE` is `True` where the column held nothing but truth values, as for pandas."""
    is_one = bool(words) and {*words} <= {"True", "False"} and cell.lower() in ("true", "false")
    return cell.capitalize() if is_one else cell


def _numbers(table: _Table, names: Sequence[str]) -> Array:
    """The cells of some columns, float64 of shape `(rows, columns)`.

    Raises:
        CommandError: one is no number.
    """
    order = [table.header.index(name) for name in names]
    cells = [[row[at] for at in order] for row in table.rows]
    try:
        numbers = np.array([[float(cell) for cell in row] for row in cells])
        if np.isfinite(numbers).all():
            return numbers
    except ValueError:
        pass
    raise CommandError(next(_no_numbers(table, names, cells)))


def _no_numbers(
    table: _Table, names: Sequence[str], cells: Sequence[Sequence[str]]
) -> Iterator[str]:
    for row, found in enumerate(cells):
        for name, cell in zip(names, found, strict=True):
            if not _is_number(cell):
                what = quote(cell) if cell.strip() else "empty"
                yield f"{table.place(row)}: {quote(name)} is {what}, and must be a number"


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False
