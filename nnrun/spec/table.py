"""A look at a table in a CSV file, quick enough for a check: its columns and what they hold."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from nnrun.spec.own import Table
from nnrun.spec.words import shown

ENDINGS = (".csv", ".tsv", ".txt")
MISSING = frozenset(
    (
        *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND"),
        *("1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    )
)
"""What a cell without a value holds: the same words that pandas takes for it."""
UNNAMED = "Unnamed: "
"""How the name begins that pandas gives to a column without one."""
LARGEST = 4_000_000
"""Bytes of a file that is looked through; of a larger one only the header is read."""
_NUMBER = re.compile(r" *[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)? *", re.ASCII)
_MOST_NUMBERS = 1000  # no classes are so many


@dataclass(frozen=True)
class Column:
    """What is in a column.

    Args:
        categories: its words in order; None where all are numbers.
        numbers: the different numbers, in order; none where there are words, or too many.
        missing: lines on which it has no value.
        low, high: the smallest and the largest number.
    """

    categories: tuple[str, ...] | None
    numbers: tuple[float, ...]
    missing: tuple[int, ...]
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True)
class Look:
    """A table.

    Args:
        columns: by name; None for each where the file is too large to look through.
        rows: how many there are; None likewise.
    """

    columns: dict[str, Column | None]
    rows: int | None


def look(path: Path, separator: str) -> Look:
    """What is in a table.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no table; says why, and on which line.
    """
    facts = path.stat()
    return _look(path, separator, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=8)
def _look(path: Path, separator: str, _changed: int, size: int) -> Look:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=separator, strict=True)
        try:
            header = next(iter(reader), None)
            names = _names(header or [])
            if size > LARGEST:
                return Look(dict.fromkeys(names), None)
            rows = [(reader.line_num, row) for row in _of_width(reader, len(names))]
        except csv.Error as error:
            raise ValueError(f"line {reader.line_num} is no CSV: {error}") from error
        except UnicodeDecodeError as error:
            raise ValueError("is no text in UTF-8") from error
    if not rows:
        raise ValueError("holds no rows")
    lines = [line for line, _ in rows]
    columns = {name: _column([row[at] for _, row in rows], lines) for at, name in enumerate(names)}
    return Look(dict(columns), len(rows))


def used(dataset: Table, found: Look) -> list[str]:
    """The columns that a data set takes, its features and then its target."""
    others = [name for name in found.columns if name != dataset.target]
    return [*(others if dataset.features is None else dataset.features), dataset.target]


def classes(dataset: Table, target: Column) -> tuple[str, ...]:
    """The names of the classes; none for a regression."""
    if dataset.task == "regression" or (dataset.task is None and target.categories is None):
        return ()
    return target.categories or tuple(f"{number:g}" for number in target.numbers)


def named(header: Sequence[str]) -> list[str]:
    """The names of columns; one without is called as pandas calls it, such as `Unnamed: 0`."""
    return [name or f"{UNNAMED}{at}" for at, name in enumerate(header)]


def _names(header: Sequence[str]) -> list[str]:
    if not header:
        raise ValueError("is empty; a table begins with the names of its columns")
    names = named(header)
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"has two columns {shown(twice[0])}")
    return names


def _of_width(rows: Iterator[list[str]], width: int) -> Iterator[list[str]]:
    for row in rows:
        if len(row) not in (0, width):
            line = getattr(rows, "line_num", 0)
            raise ValueError(f"line {line} has {len(row)} cells, and the header {width}")
        if row:
            yield row


def _column(cells: Sequence[str], lines: Sequence[int]) -> Column:
    found = {cell for cell in cells if cell not in MISSING}
    missing = tuple(line for line, cell in zip(lines, cells, strict=True) if cell in MISSING)
    if not all(map(_NUMBER.fullmatch, found)):
        return Column(tuple(sorted(found)), (), missing)
    numbers = sorted({float(cell) for cell in found})
    few = tuple(numbers) if len(numbers) <= _MOST_NUMBERS else ()
    return Column(None, few, missing, *((numbers[0], numbers[-1]) if numbers else ()))
