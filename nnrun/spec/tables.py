"""Reads tables of users: one reader and one inference of column types for all commands.

Rows are counted and checked here. Whole tables are read by pandas, which takes half a second to
load, and samples without it: both find the same numbers, and other columns are inferred here, one
distinct cell at a time. White space around a cell does not count.
"""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import lzma
import math
import re
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache, cached_property
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO, cast

import numpy as np

from nnrun.spec.csv_format import MISSING, CsvFormat
from nnrun.spec.files import check_memory, opened, regular_size
from nnrun.spec.text import number_name, quote, type_hint
from nnrun.types import Array

if TYPE_CHECKING:
    from _csv import Reader

    import pandas as pd
    from pyarrow import Array as Cells
    from pyarrow import Schema
    from pyarrow.parquet import ParquetFile

UNNAMED = "Unnamed: "
"""Beginning of the name that pandas gives to a column without one."""
SAMPLE = 4_000_000
"""Bytes up to which a table is read as a whole where a sample is enough."""
SAMPLE_OF_LARGE = SAMPLE // 4
"""Bytes that are read of a larger table, if they are enough rows."""
SAMPLED_COLUMNS = 1000
"""Columns of a Parquet file after which no numbers are sampled: their types are in its schema."""
LONGEST_LINE = 100_000_000
"""Characters of a line in a compressed file, of which a small one can hold an endless line."""
MIN_ROWS = 20
"""In a shorter table, a word of its own in every row is no sign of an identifier."""
NAME_SHARE = 0.5
"""A column with a word of its own in more than this share of the rows identifies the rows."""

TRUTH = {"true": 1.0, "false": 0.0}
DECIMAL_COMMA = "a number with a decimal comma; write decimal: ','"

_MARKERS = frozenset(float(digit * times) for digit in ("9", "8") for times in range(2, 8))
"""Sizes of numbers that people write where they have none."""

Kind = Literal["number", "category"]


@dataclass(frozen=True)
class Column:
    """A column of a table: either numbers, or categories.

    Args:
        numbers: float64 of shape `(rows,)`, NaN without a value.
        categories: sorted names of categories.
        codes: the category of each row, ints of shape `(rows,)`; -1 without a value.
        problem: why it should not be a feature, with a cell and what to write; empty if it may.
        padded: a whole number with zeros before it, as postcodes have; noticed in samples.
    """

    numbers: Array | None = None
    categories: tuple[str, ...] | None = None
    codes: Array | None = None
    problem: str = ""
    padded: str = ""

    def words(self) -> list[str | None]:
        """The category of each row; None without a value."""
        assert self.categories is not None
        assert self.codes is not None
        names = [*self.categories, None]
        return [names[code] for code in self.codes]

    @cached_property
    def missing(self) -> Array:
        """The rows without a value."""
        if self.codes is not None:
            return np.flatnonzero(self.codes < 0)
        # `np.flatnonzero` takes four times as long for a few rows of 20,000 columns.
        return np.isnan(self.numbers).nonzero()[0] if self.numbers is not None else np.arange(0)

    @cached_property
    def range(self) -> float:
        """The difference of the largest and the smallest number."""
        if self.numbers is None:
            return 0.0
        finite = self.numbers[np.isfinite(self.numbers)]
        return float(np.ptp(finite)) if len(finite) else 0.0

    def code_example(self, *, named: bool) -> str:
        """A number that is no amount, such as a postcode or 20240131; empty if none seems so.

        Args:
            named: whether the name of the column says that it holds codes.
        """
        low, high = self.ends
        may_be_dates = 19_000_101 <= low <= high <= 21_001_231
        if self.numbers is None or self.counts or not (named or self.padded or may_be_dates):
            return ""
        present = np.unique(self.numbers[np.isfinite(self.numbers)])
        # Two numbers tell two categories apart.
        if len(present) < 3 or (present != np.floor(present)).any() or present[0] < 0:
            return ""
        named = named or _are_dates(present)
        return self.padded or (f"{present[0]:.0f}" if named else "")

    @cached_property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest finite number; NaN if there is none."""
        if self.numbers is None or not len(self.numbers):
            return math.nan, math.nan
        low, high = float(self.numbers.min()), float(self.numbers.max())
        if math.isfinite(low) and math.isfinite(high):
            return low, high
        finite = self.numbers[np.isfinite(self.numbers)]
        return (float(finite.min()), float(finite.max())) if len(finite) else (math.nan, math.nan)

    @cached_property
    def marker(self) -> str:
        """A number far from all others that stands for no value, such as -999; empty without one."""
        if self.numbers is None or _MARKERS.isdisjoint(map(abs, self.ends)):
            return ""
        finite = self.numbers[np.isfinite(self.numbers)]
        present, counts = np.unique(finite, return_counts=True)
        for at, inner in ((0, present[1:]), (-1, present[:-1])):
            if len(inner) < 3 or counts[at] < 2 or abs(present[at]) not in _MARKERS:
                continue
            if np.abs(present[at] - inner).min() > 5 * np.ptp(inner):
                return f"{present[at]:.0f}"
        return ""

    @cached_property
    def infinite(self) -> Array:
        """The rows with an infinite number."""
        return np.arange(0) if self.numbers is None else np.isinf(self.numbers).nonzero()[0]

    @cached_property
    def variants(self) -> tuple[str, str] | None:
        """Two categories that differ only in upper and lower case, or None."""
        seen: dict[str, str] = {}
        for name in self.categories or ():
            if (other := seen.setdefault(name.casefold(), name)) != name:
                return other, name
        return None

    @cached_property
    def names_rows(self) -> bool:
        """Whether most rows have a number of their own."""
        return self.numbers is not None and len(np.unique(self.numbers)) > NAME_SHARE * len(
            self.numbers
        )

    @cached_property
    def counts(self) -> bool:
        """Whether it numbers the rows from 0 or 1, as an index does."""
        values = self.numbers
        return (
            values is not None
            and len(values) >= MIN_ROWS
            and values[0] in (0, 1)
            and bool(np.array_equal(values, np.arange(len(values)) + values[0]))
        )


def _are_dates(numbers: Array) -> bool:
    """Whether all are dates such as 20240131."""
    years, months, days = numbers // 10_000, numbers // 100 % 100, numbers % 100
    ranges = ((years, 1900, 2100), (months, 1, 12), (days, 1, 31))
    return all(bool(((low <= part) & (part <= high)).all()) for part, low, high in ranges)


@dataclass(frozen=True)
class Table:
    """The rows of a file, or the first of them.

    Args:
        path: of the file.
        columns: by name, in order.
        rows: how many were read.
        is_sample: whether there may be more.
        format: of a CSV file; None for Parquet.
    """

    path: Path
    columns: dict[str, Column]
    rows: int
    is_sample: bool
    format: CsvFormat | None

    def place(self, row: int) -> str:
        """Where a row is, such as `line 7`; rows are counted from 0."""
        if self.format is None:
            return f"row {row + 1}"
        return f"line {next(islice(_lines(self), row + self.format.header, None))}"

    def position(self, row: int) -> str:
        """The position of a row, such as `flowers.csv:7`."""
        line = self.place(row).removeprefix("line ")
        return f"{self.path}:{line}" if self.format else f"{self.path}: {line}"

    def first_position(self, rows: Array) -> str:
        """The position of the first of some rows."""
        return self.position(int(rows[0]))

    def places(self) -> list[str]:
        """The position of every row, such as `flowers.csv:7`."""
        lines = [*_lines(self)][self.format.header :] if self.format else range(1, self.rows + 1)
        return [f"{self.path}:{line}" for line in islice(lines, self.rows)]


def _lines(table: Table) -> Iterator[int]:
    """The line on which each row ends."""
    assert table.format is not None
    with _reader(table.path, table.format) as reader:
        yield from (reader.line_num for row in reader if not _is_blank(row))


def _is_blank(row: Sequence[str]) -> bool:
    """Whether pandas skips a line: it is empty, or white space without quotes."""
    return not row or (len(row) == 1 and row[0] != "" and not row[0].strip(" \t"))


@contextmanager
def _reader(path: Path, format: CsvFormat) -> Iterator[Reader]:
    """The rows of a CSV file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not CSV, has another encoding, or is larger than the memory.
    """
    # A file of zeros is one line, which Python reads at once.
    check_memory(regular_size(path))
    _check_beginning(path, format)
    csv.field_size_limit(2**31 - 1)
    opener = _OPENERS.get(path.suffix.lower())
    reader = None
    try:
        with (opener or open)(path, "rt", encoding=_encoding(format), newline="") as file:
            lines = _bounded(file) if opener else file
            reader = csv.reader(lines, delimiter=format.separator, strict=True)
            yield reader
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num if reader else 1} is not CSV: {error}") from error
    except UnicodeError as error:
        name = "UTF-8" if format.encoding == "utf-8" else format.encoding
        raise ValueError(f"is not {name} text; give its encoding, such as cp1252") from error
    except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        # An error of the system has a number, and one of damaged content has none.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ValueError(f"cannot be decompressed: {error}") from error


def _check_beginning(path: Path, format: CsvFormat) -> None:
    """Refuses files of other kinds by their first bytes; errors as of `_reader`."""
    with opened(path) as file:
        first = file.read(20)
    suffix = path.suffix.lower()
    for magic, message in _BEGINNINGS.items():
        if first.startswith(magic) and (not message.startswith(".") or message != suffix):
            compressed = f"is compressed, and its name must end in {message}"
            raise ValueError(compressed if message.startswith(".") else message)
    marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    if first.startswith(marks) and "utf-8" in _encoding(format):
        raise ValueError("is not UTF-8 text; write encoding: utf-16")


_BEGINNINGS = {
    b"\x1f\x8b": ".gz",
    b"BZh91AY": ".bz2",
    b"\xfd7zXZ": ".xz",
    b"PK\x03\x04": "is an Excel file or a zip archive, despite its name; save it as CSV",
    b"\xd0\xcf\x11\xe0": "is an Excel file, despite its name; save it as CSV",
    b"PAR1": "is a Parquet file, despite its name; write name: parquet",
    b"version https://git": "is only a pointer to the file; fetch it with git lfs pull",
    b"sep=": "begins with 'sep=', which only Excel reads; delete this line, and write separator",
}
"""What files that are no CSV begin with; for compressed ones, the suffix that they need."""


def _bounded(file: TextIO) -> Iterator[str]:
    """The lines of a compressed file, which may unpack to more than the memory."""
    size = 0
    while line := file.readline(LONGEST_LINE):
        size += len(line)
        check_memory(size)
        if len(line) == LONGEST_LINE:
            raise ValueError(f"has a line of more than {LONGEST_LINE:,} characters")
        yield line


_OPENERS: dict[str, Callable[..., TextIO]] = {
    ".gz": cast("Callable[..., TextIO]", gzip.open),
    ".bz2": cast("Callable[..., TextIO]", bz2.open),
    ".xz": cast("Callable[..., TextIO]", lzma.open),
}


def _encoding(format: CsvFormat) -> str:
    """The encoding, without the mark of the byte order that Excel writes before UTF-8."""
    return "utf-8-sig" if codecs.lookup(format.encoding).name == "utf-8" else format.encoding


@dataclass(frozen=True)
class _Rows:
    """The checked rows of a CSV file.

    Args:
        names: of the columns.
        count: how many there are.
        is_sample: whether there may be more.
        cells: of each row, in a sample.
    """

    names: list[str]
    count: int
    is_sample: bool
    cells: list[list[str]]


def _rows(path: Path, format: CsvFormat, *, sample: bool) -> _Rows:
    """Checks the rows of a CSV file.

    pandas would fill short rows, rename the second of two equal names, and take the first cells
    for an index where all rows end in a separator.

    Raises:
        ValueError: it is not a table; with the reason and the line.
    """
    size, count, cells = 0, 0, list[list[str]]()
    enough = SAMPLE_OF_LARGE if regular_size(path) > SAMPLE else SAMPLE
    with _reader(path, format) as reader:
        filled = (row for row in reader if not _is_blank(row))
        first = next(filled, None)
        if first is None:
            raise ValueError("is empty; a table begins with its column names")
        names = _names(first) if format.header else [str(at) for at in range(len(first))]
        for row in filled if format.header else chain([first], filled):
            if len(row) != len(names):
                wanted = f"but the header has {len(names)}"
                raise ValueError(f"line {reader.line_num} has {len(row)} cells, {wanted}")
            count += 1
            if sample:
                cells.append(row)
                size += sum(map(len, row)) + len(row)
                if size > (enough if count >= MIN_ROWS else SAMPLE):
                    return _Rows(names, count, is_sample=True, cells=cells)
    if not count:
        raise ValueError("holds no rows")
    return _Rows(names, count, is_sample=False, cells=cells)


def _names(header: Sequence[str]) -> list[str]:
    names = [name.strip() or f"{UNNAMED}{at}" for at, name in enumerate(header)]
    [(name, count)] = Counter(names).most_common(1)
    if count > 1:
        raise ValueError(f"has two columns {quote(name)}")
    return names


def has_no_header(path: Path, format: CsvFormat) -> bool:
    """Whether the first row holds numbers only; errors as of `read_csv`."""
    with _reader(path, format) as reader:
        first = next((row for row in reader if not _is_blank(row)), [])
    return bool(first) and all(_number(cell.strip(), format) is not None for cell in first)


def guess_format(path: Path) -> CsvFormat:
    """How a CSV file is probably written: by its first line, and by what its cells look like.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not a table.
    """
    with _reader(path, CsvFormat(separator="\x1f")) as reader:
        header = "".join(next(reader, []))
    form = CsvFormat(separator=max(",;\t", key=header.count))
    if form.separator == ",":
        return form
    commas = form.model_copy(update={"decimal": ","})
    columns = read_csv(path, form, sample=True).columns.values()
    return commas if any(DECIMAL_COMMA in column.problem for column in columns) else form


def read_csv(
    path: Path,
    format: CsvFormat,
    *,
    kinds: Mapping[str, Kind] | None = None,
    others: Kind | None = None,
    classes: Collection[str] = (),
    sample: bool = False,
) -> Table:
    """Reads a CSV file and infers the type of each column that `kinds` does not give.

    Args:
        path: of the file; compressed if it ends in `.gz`, `.bz2` or `.xz`.
        format: how it is written.
        kinds: the types of columns, as given in a spec or found in training.
        others: the type of all other columns; by default inferred.
        classes: columns of classes; numbers are names there, of any length.
        sample: whether the first rows are enough.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not such a table; with the reason and the line.
    """
    rows = _rows(path, format, sample=sample)
    kinds = _kinds(rows.names, kinds, others)
    words = {name for name, kind in kinds.items() if kind == "category"} | {*classes}
    table = Table(path, {}, rows.count, rows.is_sample, format)
    if not sample:
        values = _of_frame(_frame(path, format, rows, words), words)
        return _with_columns(table, values, kinds, classes)
    cells = dict(zip(rows.names, map(list, zip(*rows.cells, strict=True)), strict=True))
    parsed = [
        (name, cells[name] if name in words else _parsed(cells[name], format)) for name in cells
    ]
    _with_columns(table, parsed, kinds, classes)
    for name, column in table.columns.items():
        if padded := column.numbers is not None and _padded(cells[name]):
            table.columns[name] = replace(column, padded=padded)
    return table


def _kinds(
    names: Sequence[str], given: Mapping[str, Kind] | None, others: Kind | None
) -> dict[str, Kind]:
    """The types of columns that are not inferred."""
    return {**(dict.fromkeys(names, others) if others else {}), **(given or {})}


def _parsed(cells: list[str], format: CsvFormat) -> list[str] | Array:
    """The numbers of a column without gaps and words; for others, its cells."""
    written, is_plain = "".join(cells), format.decimal == "." and not format.thousands
    if is_plain and not format.na_values and written.isascii() and "_" not in written:
        with suppress(ValueError):
            return np.array([*map(float, cells)])
    return cells


def _padded(cells: Iterable[str]) -> str:
    """The first whole number with zeros before it."""
    stripped = map(str.strip, cells)
    return next((cell for cell in stripped if cell[:1] == "0" and cell[1:].isdecimal()), "")


def _frame(path: Path, format: CsvFormat, rows: _Rows, words: Collection[str]) -> pd.DataFrame:
    """All rows, with columns of `words` as text; errors as of `read_csv`."""
    import pandas as pd

    with warnings.catch_warnings():
        # pandas 3 reads floats exactly by default and deprecates the argument that pandas 2 needs.
        warnings.simplefilter("ignore")
        try:
            frame = pd.read_csv(
                path,
                sep=format.separator,
                decimal=format.decimal,
                thousands=format.thousands,
                encoding=_encoding(format),
                na_values=[*MISSING, *format.na_values],
                keep_default_na=False,
                header=0 if format.header else None,
                names=rows.names,
                dtype={name: str for name in rows.names if name in words},
                index_col=False,
                low_memory=False,
                float_precision="round_trip",
                nrows=rows.count,
            )
        except UnicodeError:
            raise ValueError(f"is not {format.encoding} text") from None
    if len(frame) != rows.count:
        raise ValueError(f"has {rows.count:,} rows for Python and {len(frame):,} for pandas")
    return frame


def read_parquet(
    path: Path,
    *,
    kinds: Mapping[str, Kind] | None = None,
    others: Kind | None = None,
    classes: Collection[str] = (),
    sample: bool = False,
) -> Table:
    """Reads a Parquet file, whose texts are never numbers; arguments as of `read_csv`.

    Raises:
        ImportError: pyarrow is not installed.
        OSError: the file cannot be read.
        ValueError: it is not a Parquet file, or has no rows.
    """
    import pyarrow  # noqa: PLC0415 - an extra
    from pyarrow.parquet import ParquetFile  # noqa: PLC0415

    regular_size(path)
    try:
        file = ParquetFile(path)
        schema = file.schema_arrow
        kinds = _kinds(_names(schema.names), kinds, others)
        words = {name for name, kind in kinds.items() if kind == "category"} | {*classes}
        if not file.metadata.num_rows:
            raise ValueError("holds no rows")
        if sample:
            table, values = _sample_of_parquet(path, file, schema, words)
        else:
            # Equal cells take no place in the file.
            check_memory(8 * file.metadata.num_rows * file.metadata.num_columns)
            frame = file.read().to_pandas()
            table = Table(path, {}, len(frame), is_sample=False, format=None)
            values = _of_frame(frame, words)
    except (pyarrow.ArrowException, OSError, LookupError, TypeError, AttributeError) as error:
        if getattr(error, "errno", None) is not None:
            raise
        reason = next(iter(str(error).splitlines()), "damaged")
        raise ValueError(f"is not a Parquet file: {reason}") from error
    return _with_columns(table, values, kinds, classes)


def _sample_of_parquet(
    path: Path, file: ParquetFile, schema: Schema, words: Collection[str]
) -> tuple[Table, Contents]:
    """The first rows, without pandas; of most columns of a wide table only the type."""
    from pyarrow import types  # noqa: PLC0415 - an extra

    # pandas makes these columns the index of a frame, which holds no features.
    index = (schema.pandas_metadata or {}).get("index_columns", [])
    fields = [field for field in schema if field.name not in index]
    numbers = {
        field.name
        for field in fields
        if (types.is_integer(field.type) or types.is_floating(field.type))
        and field.name not in words
    }
    rows = max(1, SAMPLE // (8 * max(1, len(fields))))
    is_sample = rows < file.metadata.num_rows
    late = fields[SAMPLED_COLUMNS:] if is_sample else []
    unread = {field.name for field in late} & numbers
    columns = [field.name for field in fields if field.name not in unread] if unread else None
    batch = next(file.iter_batches(rows, columns=columns), None)
    if not batch:
        raise ValueError("holds no rows")
    values = {
        name: _numbers_of_batch(cells) if name in numbers else cells.to_pylist()
        for name, cells in zip(batch.schema.names, batch.columns, strict=True)
    }
    table = Table(path, {}, len(batch), is_sample, None)
    return table, [(field.name, values.get(field.name, np.empty(0))) for field in fields]


def _numbers_of_batch(cells: Cells) -> Array:
    # `to_numpy` would load pandas.
    values = cells.to_pylist() if cells.null_count else np.from_dlpack(cells)
    return np.asarray(values, np.float64)


Contents = Iterable[tuple[str, "Array | list[str] | list[object] | pd.Series[Any]"]]
"""Of each column, its numbers, or what is to be inferred."""


def _of_frame(frame: pd.DataFrame, words: Collection[str]) -> Contents:
    # All at once, because pandas takes 0.1 ms for each column.
    numeric = [
        name
        for name, dtype in frame.dtypes.items()
        if dtype.kind in "iuf" and str(name) not in words
    ]
    values = frame[numeric].to_numpy(np.float64, na_value=np.nan)
    numbers = dict(zip(numeric, values.T, strict=True))
    for name in frame.columns:
        yield str(name), numbers[name] if name in numbers else frame[name]


def _with_columns(
    table: Table, contents: Contents, kinds: Mapping[str, Kind], classes: Collection[str]
) -> Table:
    for name, values in contents:
        try:
            if isinstance(values, np.ndarray):
                column = _number_column(values, table.format)
            else:
                column = _column(table, name, values, kinds.get(name), is_class=name in classes)
        except ValueError as error:
            raise ValueError(f"{quote(name)} {error}") from None
        table.columns[name] = column
    return table


def _number_column(numbers: Array, format: CsvFormat | None) -> Column:
    if format and (missing := _numbers_of(format.na_values)):
        # pandas compares cells with the spaces around them.
        numbers = np.where(np.isin(numbers, [*missing]), np.nan, numbers)
    # A sample of a wide file has columns of which no row was read.
    is_empty = len(numbers) > 0 and bool(np.isnan(numbers).all())
    return Column(numbers, problem="has no value at all" if is_empty else "")


def _column(
    table: Table,
    name: str,
    values: list[str] | list[object] | pd.Series[Any],
    kind: Kind | None,
    *,
    is_class: bool,
) -> Column:
    """Infers the type of a column.

    Raises:
        ValueError: a cell is not of the given type.
    """
    try:
        codes, uniques = _factorized(values)
    except TypeError:
        return Column(problem="holds lists or records instead of single values")
    cells = [_Cell.of(value, table.format) for value in uniques]
    if all(cell.is_missing for cell in cells):
        return Column(np.full(len(values), np.nan), problem="has no value at all")
    inference = _Inference(table, name, cells, codes)
    if is_class or kind == "category":
        return inference.categories(exact=is_class, given=True)
    return inference.numbers(strict=True) if kind == "number" else inference.infer()


def _factorized(
    values: list[str] | list[object] | pd.Series[Any],
) -> tuple[Array, Iterable[object]]:
    """The number of the distinct cell in each row, -1 without one; and the distinct cells.

    Raises:
        TypeError: a cell is not a single value.
    """
    if not isinstance(values, list):
        return values.factorize()
    index: dict[object, int] = {}
    # Only NaN differs from itself.
    codes = [
        -1 if cell is None or cell != cell else index.setdefault(cell, len(index))  # noqa: PLR0124
        for cell in values
    ]
    return np.array(codes, np.int64), index


@dataclass(frozen=True)
class _Cell:
    """A distinct cell of a column.

    Args:
        text: without white space around it.
        number: its value; None if it is not a number.
    """

    text: str
    number: float | None
    is_missing: bool

    @staticmethod
    def of(value: object, format: CsvFormat | None) -> _Cell:
        """A value as pandas reads it."""
        text = str(value).strip()
        if isinstance(value, str):
            if format is None:
                return _Cell(text, None, is_missing=False)
            number = _number(text, format)
            if (
                text in MISSING
                or text in format.na_values
                or number in _numbers_of(format.na_values)
            ):
                return _Cell(text, None, is_missing=True)
            return _Cell(text, number, is_missing=False)
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            return _Cell(text, None, is_missing=False)
        try:
            return _Cell(text, float(value), is_missing=False)
        except OverflowError:
            return _Cell(text, math.inf, is_missing=False)


@cache
def _numbers_of(na_values: tuple[str, ...]) -> frozenset[float]:
    """The numbers that stand for no value, however they are written."""
    numbers = set[float]()
    for text in na_values:
        with suppress(ValueError):
            numbers.add(float(text))
    return frozenset(numbers)


def _number(text: str, format: CsvFormat) -> float | None:
    """A cell as a number; None if it is not one."""
    if format.thousands:
        text = text.replace(format.thousands, "")
    if format.decimal != ".":
        text = text.replace(".", "x").replace(format.decimal, ".")
    # Python's numbers may have underscores, and the digits of any script.
    if "_" in text or not text.isascii():
        return None
    try:
        return float(text)
    except ValueError:
        return None


@dataclass(frozen=True)
class _Inference:
    """The distinct cells of a column, and which of them each row holds (-1: none)."""

    table: Table
    name: str
    cells: Sequence[_Cell]
    codes: Array

    def infer(self) -> Column:
        """Numbers if all cells are, else categories."""
        present = [cell for cell in self.cells if not cell.is_missing]
        words = [cell for cell in present if cell.number is None]
        if not words:
            return self.numbers()
        # One odd cell among numbers is a mistake, or stands for a missing value.
        if len(present) - len(words) > max(2, len(words)):
            at = self.cells.index(words[0])
            example = next(cell.text for cell in present if cell.number is not None)
            return Column(
                problem=f"is {quote(words[0].text)} on {self._place(at)}, and a number in other "
                f"rows, such as {example}; write na_values: [{quote(words[0].text)}] if it stands "
                f"for no value, or {type_hint(self.name, 'category')}"
            )
        return self.categories()

    def numbers(self, *, strict: bool = False) -> Column:
        """The number of each row; with `strict`, every cell must be one, or true (1) or false (0)."""
        values = np.full(len(self.cells) + 1, np.nan)
        for at, cell in enumerate(self.cells):
            truth = TRUTH.get(cell.text.casefold()) if strict else None
            number = truth if cell.number is None else cell.number
            if number is not None:
                values[at] = number
            elif strict and not cell.is_missing:
                raise ValueError(
                    f"is {quote(cell.text)} on {self._place(at)}, and must be a number"
                )
        return Column(values[self.codes])

    def categories(self, *, exact: bool = False, given: bool = False) -> Column:
        """The category of each row; with `exact`, equal numbers are one category."""
        texts = [None if cell.is_missing else cell.text for cell in self.cells]
        present = [cell for cell in self.cells if not cell.is_missing]
        are_numbers = exact and all(cell.number is not None for cell in present)
        if {cell.text.casefold() for cell in present} <= {"true", "false"}:
            texts = [text and text.capitalize() for text in texts]
        elif are_numbers:
            texts = [text and number_name(text) for text in texts]
        names = sorted({text for text in texts if text is not None})
        if are_numbers:
            names.sort(key=float)  # long numbers that are the same float stay in order
        index = {name: at for at, name in enumerate(names)}
        places = np.array([-1 if text is None else index[text] for text in texts] + [-1])
        problem = "" if given else self._problem(names)
        return Column(None, tuple(names), places[self.codes], problem)

    def _problem(self, names: Sequence[str]) -> str:
        """Why one feature per category would be wrong."""
        others = [cell for cell in self.cells if cell.number is None and not cell.is_missing]
        for pattern, reason in _LOOKS:
            matches = [at for at, cell in enumerate(self.cells) if pattern.fullmatch(cell.text)]
            if len(matches) >= 3 and 2 * len(matches) > len(others):
                cell = quote(self.cells[matches[0]].text)
                return f"is {cell} on {self._place(matches[0])}, {reason}"
        rows = int((self.codes >= 0).sum())
        if rows >= MIN_ROWS and len(names) > NAME_SHARE * rows:
            words = f"has {len(names):,} different words in {rows:,} rows, as names and ids have"
            return f"{words}; leave it out with {type_hint(self.name, 'drop')}"
        return ""

    def _place(self, code: int) -> str:
        return self.table.place(int((self.codes == code).argmax()))


_MONTH = "(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_TIME = r"\d{1,2}:\d\d(:\d\d)?.{0,25}"
_UNIT = (
    " ?(kg|mg|µg|lbs?|oz|km|cm|mm|µm|mi|ft|in|ha|ml|[°º] ?[CF]|sec|min|hrs?|ms|days?|weeks?|months?"
    "|years?|yrs?|mV|mA|kW|MW|kWh|MWh|Hz|kHz|MHz|GHz|[kMGT]i?B|Pa|hPa|kPa|bar|mph|km/h|m/s)"
    "| [gmtlhsVAWK]"
)
_LOOKS = (
    (
        re.compile(
            rf"(\d{{4}}([-/.])\d{{1,2}}(\2\d{{1,2}})?|\d{{1,2}}([-/.])\d{{1,2}}\4(\d{{4}}|\d\d)"
            rf"|(\d{{1,2}}[. -]+)?{_MONTH}[. -]+\d{{1,4}}(,? \d{{4}})?|\d{{4}}-?W\d\d)([T ]{_TIME})?"
        ),
        "a date; leave the column out, or make it numbers first",
    ),
    (
        re.compile(rf"(-?\d+ days?,? )?{_TIME}"),
        "a time; leave the column out, or make it numbers first",
    ),
    (re.compile(r"[+-]?\d+([.,]\d+)? ?%"), "a percentage; remove the percent signs"),
    (
        re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?"),
        "a number with commas; write thousands: ',' or decimal: ','",
    ),
    (re.compile(r"[+-]?\d*,\d+"), DECIMAL_COMMA),
    (re.compile(r"[€$£] ?\d.*|\d.* ?[€$£]"), "an amount of money; remove the currency"),
    (re.compile(rf"[+-]?\d+([.,]\d+)?({_UNIT})"), "a number with a unit; remove the unit"),
    (
        re.compile(
            r"[(<>≤≥~≈±'−–]{1,2} ?\d+([.,]\d+)?[)*†]?|\d+([.,]\d+)?[*†]+"
            r"|[+-]?\d{1,3}([ \u00a0\u202f\u2009]\d{3})+([.,]\d+)?"
        ),
        "a number with other characters; write it with digits, '.' and '-' only",
    ),
)
