"""Facts about rows before they are read, from a quick look at CSV files and folders.

Used by `check`, which loads neither NumPy nor pandas.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from nnrun.spec.prepare import Step, check_steps
from nnrun.spec.text import quote

ENDINGS = (".csv", ".tsv", ".txt")
_MISSING = (
    "#N/A #NA -1.#IND -1.#QNAN -NaN -nan 1.#IND 1.#QNAN <NA> N/A NA NULL NaN None n/a nan null"
)
MISSING = frozenset(("", "#N/A N/A", *_MISSING.split()))
"""Cells without a value, as in pandas."""
UNNAMED = "Unnamed: "
"""Beginning of the name that pandas gives to a column without one."""
LARGEST = 4_000_000
"""Bytes of a file that is inspected; of larger files only the header is read."""
_NUMBER = re.compile(r" *[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)? *", re.ASCII)
_MOST_NUMBERS = 1000  # more distinct numbers are not classes


@dataclass(frozen=True)
class Column:
    """The content of a column.

    Args:
        categories: sorted words; None for a column of numbers.
        numbers: sorted distinct numbers; empty for words, or for too many numbers.
        missing: lines without a value.
        low, high: the smallest and the largest number.
    """

    categories: tuple[str, ...] | None
    numbers: tuple[float, ...]
    missing: tuple[int, ...]
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True)
class TableSummary:
    """The columns of a table and its number of rows; None if the file is too large to inspect."""

    columns: dict[str, Column | None]
    rows: int | None


def inspect_table(path: Path, separator: str) -> TableSummary:
    """Reads a CSV file.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is not a table; with the reason and the line.
    """
    status = path.stat()
    return _inspect_table(path, separator, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=8)
def _inspect_table(path: Path, separator: str, _changed: int, size: int) -> TableSummary:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=separator, strict=True)
        try:
            header = next(iter(reader), None)
            if not header:
                raise ValueError("is empty; a table begins with its column names")
            names = column_names(header)
            if repeated := [name for name in names if names.count(name) > 1]:
                raise ValueError(f"has two columns {quote(repeated[0])}")
            if size > LARGEST:
                return TableSummary(dict.fromkeys(names), None)
            rows, lines = [], []
            for row in filter(None, reader):
                if len(row) != len(names):
                    message = f"line {reader.line_num} has {len(row)} cells"
                    raise ValueError(f"{message}, but the header has {len(names)}")
                rows.append(row)
                lines.append(reader.line_num)
        except csv.Error as error:
            raise ValueError(f"line {reader.line_num} is not CSV: {error}") from error
        except UnicodeDecodeError as error:
            raise ValueError("is not UTF-8 text") from error
    if not rows:
        raise ValueError("holds no rows")
    cells = zip(names, zip(*rows, strict=True), strict=True)
    return TableSummary({name: _column(column, lines) for name, column in cells}, len(rows))


def column_names(header: Sequence[str]) -> list[str]:
    """The names of columns; unnamed ones as in pandas, such as `Unnamed: 0`."""
    return [name or f"{UNNAMED}{at}" for at, name in enumerate(header)]


def _column(cells: Sequence[str], lines: Sequence[int]) -> Column:
    values = {cell for cell in cells if cell not in MISSING}
    missing = tuple(line for line, cell in zip(lines, cells, strict=True) if cell in MISSING)
    if not all(map(_NUMBER.fullmatch, values)):
        return Column(tuple(sorted(values)), (), missing)
    numbers = sorted({float(cell) for cell in values})
    few = tuple(numbers) if len(numbers) <= _MOST_NUMBERS else ()
    return Column(None, few, missing, *((numbers[0], numbers[-1]) if numbers else ()))


IMAGE_ENDINGS = frozenset(".png .jpg .jpeg .bmp .gif .webp".split())
"""Endings of image files."""
IMAGE_FORMATS = "PNG, JPEG, BMP, GIF or WebP"


def path_exists(path: Path) -> bool:
    """Whether a file or folder exists; false for a name that the system rejects."""
    try:
        return path.exists()
    except OSError:
        return False


def class_folders(folder: Path) -> tuple[str, ...]:
    """The sorted names of the folders in a folder; empty if it does not exist."""
    try:
        names = [path.name for path in folder.iterdir() if path.is_dir()]
    except FileNotFoundError:
        return ()
    # Hidden folders belong to file managers and version control.
    return tuple(sorted(name for name in names if not name.startswith(".")))


Kind = Literal["images", "table", "texts"]


@dataclass(frozen=True)
class Profile:
    """Facts about the rows of a dataset, available before they are read.

    Args:
        name: of the dataset.
        train, test: numbers of rows; None where they depend on the rows.
        shape: of one row; None for texts, which differ in length.
        classes: their numbers; empty for a regression.
        target: meaning of a label.
        highest: the largest pixel, or the largest word index of a dataset of words.
        uneven: whether some column varies ten times as much as another.
        open: whether shape and classes are known only after reading the rows.
    """

    name: str
    kind: Kind
    train: int | None
    test: int | None
    shape: tuple[int, ...] | None
    classes: Sequence[int] = range(0)
    target: str = "class"
    highest: int = 255
    uneven: bool = False
    open: bool = False

    @property
    def is_regression(self) -> bool:
        """Whether the labels are certainly values."""
        return not self.open and not self.classes

    def shape_after(self, steps: Sequence[Step]) -> tuple[int, ...] | None:
        """The shape of one row after some steps, if known; IncompatibleSpec if a step does not fit."""
        check_steps(steps, texts=self.kind == "texts")
        shape = self.shape
        for step in steps:
            shape = step.shape_after(shape or ())
        return shape


def split_index(rows: int, test_split: float) -> int:
    """The first row kept for testing, rounded as in Keras."""
    return int(rows * (1 - test_split))


def split_in_order(rows: int, test_split: float) -> tuple[int, int]:
    """Numbers of training and test rows, as Keras splits them."""
    train = split_index(rows, test_split)
    return train, rows - train


def split_at_random(rows: int, test_split: float) -> tuple[int, int]:
    """Numbers of training and test rows, as scikit-learn splits them."""
    test = math.ceil(rows * test_split)
    return rows - test, test
