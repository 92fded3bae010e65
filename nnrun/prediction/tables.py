"""CSV files with a row per line."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnrun.errors import CommandError
from nnrun.prediction import raw, texts
from nnrun.prediction.raw import Raw
from nnrun.prediction.subject import Subject
from nnrun.records import Array
from nnrun.spec.words import listed, shown

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


def read(path: Path, subject: Subject) -> Raw:
    """Rows to be predicted, with their labels where a column has the target's name.

    Columns are found by name where the data set has names for them, else taken in order; texts
    stand in the column `text`.

    Raises:
        CommandError: the file is no such table.
    """
    table = _read(path, subject)
    y = None
    if subject.target in table.header:
        y = raw.labels(table.column(subject.target), subject.classes, table.places)
    if subject.looks.kind == "texts":
        if TEXT not in table.header:
            raise CommandError(f"{path}: the run takes texts, and there is no column `{TEXT}`")
        found = texts.read(table.column(TEXT), subject)
        return Raw(found.names, found.x, y, found.texts, found.notices)
    columns = _columns(table, subject)
    others = [name for name in table.header if name not in (*columns, subject.target)]
    notices = [f"{path}: not used: {', '.join(map(shown, others))}"] if others else []
    x = _numbers(table, columns).reshape(-1, *subject.looks.shape)
    return Raw(tuple(table.places), x, y, notices=tuple(notices))


def _read(path: Path, subject: Subject) -> _Table:
    """The cells of a file.

    Raises:
        CommandError: it is no CSV, has no rows, or a line of another length.
    """
    text = raw.text(path, raw.content(path))
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        found = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise CommandError(f"{path}:{reader.line_num}: is no CSV: {error}") from error
    if not found:
        raise CommandError(f"{path}: holds no rows")
    header = tuple(name.strip() for name in found[0][1])
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
        raise CommandError(f"{path}: has two columns {shown(twice)}")
    for line, row in found:
        if len(row) != len(header):
            message = f"has {len(row)} cells, and the header {len(header)}"
            raise CommandError(f"{path}:{line}: {message}")


def _columns(table: _Table, subject: Subject) -> Sequence[str]:
    """The names of the columns that the model sees, in its order.

    Raises:
        CommandError: some are missing, or there are too many to tell which.
    """
    looks = subject.looks
    if looks.features:
        if missing := [name for name in looks.features if name not in table.header]:
            some = listed([shown(name) for name in missing[:5]], "and")
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise CommandError(f"{table.path}: lacks the column {some}{more}")
        return looks.features
    columns = [name for name in table.header if name != subject.target]
    if len(columns) != math.prod(looks.shape):
        wanted = f"rows of {math.prod(looks.shape)} numbers"
        label = f"; a label stands in a column {shown(subject.target)}"
        message = f"has {len(columns)} columns, and the run takes {wanted}{label}"
        raise CommandError(f"{table.path}: {message}")
    return columns


def _numbers(table: _Table, columns: Sequence[str]) -> Array:
    """The cells of some columns, float64 of shape `(rows, columns)`.

    Raises:
        CommandError: one is no number.
    """
    order = [table.header.index(name) for name in columns]
    cells = [[row[at] for at in order] for row in table.rows]
    try:
        numbers = np.array([[float(cell) for cell in row] for row in cells])
        if np.isfinite(numbers).all():
            return numbers
    except ValueError:
        pass
    raise CommandError(next(_no_numbers(table, columns, cells)))


def _no_numbers(
    table: _Table, columns: Sequence[str], cells: Sequence[Sequence[str]]
) -> Iterator[str]:
    for row, found in enumerate(cells):
        for name, cell in zip(columns, found, strict=True):
            if not _is_number(cell):
                what = shown(cell) if cell.strip() else "empty"
                yield f"{table.place(row)}: {shown(name)} is {what}, and must be a number"


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False
