"""How a comparison shows in a terminal: a table in as many pieces as fit, and sentences."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nnrun.compare import Comparison, formats

# A value of a spec is broken over lines at this width.
WIDE = 30


def show(comparison: Comparison, out: Console) -> None:
    """Prints what all have in common, the table, and what can be said of it."""
    if common := formats.shared(comparison):
        out.print(f"in common: {common}", markup=False, style="dim", soft_wrap=False)
    for table in _tables(comparison, out.width):
        out.print(table)
    for sentence in formats.sentences(comparison):
        out.print(sentence, markup=False)


def _tables(comparison: Comparison, width: int) -> Iterator[Table]:
    """The table, in as many pieces as the width asks for; each begins with the names."""
    headings = _headings([column.name for column in comparison.columns])
    names, *rest = (
        _Column(
            _broken(heading) if column.upwards is None else heading.replace("_", "\n", 1),
            [_broken(cell) for cell in formats.cells(column, comparison.best(column))],
            column.upwards is not None,
        )
        for heading, column in zip(headings, comparison.columns, strict=True)
    )
    piece: list[_Column] = []
    for column in rest:
        if piece and _width([names, *piece, column]) > width:
            yield _table([names, *piece])
            piece = []
        piece.append(column)
    yield _table([names, *piece])


class _Column(NamedTuple):
    heading: str
    cells: list[str]
    right: bool


def _headings(names: list[str]) -> list[str]:
    """Keys of a spec by their last word, `epochs` for `training.epochs`, where no other has it."""
    last = [name.rpartition(".")[2] for name in names]
    count = Counter(last)
    return [short if count[short] == 1 else name for short, name in zip(last, names, strict=True)]


def _broken(cell: str) -> str:
    """On several lines where it is long."""
    return "\n".join(textwrap.wrap(cell, WIDE)) if len(cell) > WIDE else cell


def _width(columns: list[_Column]) -> int:
    """What Rich needs for such a table."""
    return 1 + sum(3 + _widest(column) for column in columns)


def _widest(column: _Column) -> int:
    return max(len(line) for cell in (column.heading, *column.cells) for line in cell.split("\n"))


def _table(columns: list[_Column]) -> Table:
    # Rich's own padding takes as long as all else, which shows in a thousand rows.
    table = Table(padding=0)
    padded = [list(_padded(column)) for column in columns]
    for heading, *_ in padded:
        table.add_column(heading, no_wrap=True)
    for row in zip(*(cells for _, *cells in padded), strict=True):
        table.add_row(*row)
    return table


def _padded(column: _Column) -> Iterator[Text]:
    """Heading and cells, all of one width."""
    width = _widest(column)
    for cell in (column.heading, *column.cells):
        lines = (f"{line:>{width}}" if column.right else line for line in cell.split("\n"))
        style = "bold" if cell.endswith(formats.MARK) else ""
        yield Text("\n".join(f" {line} " for line in lines), style)
