"""How a comparison shows in a terminal: a table in as many pieces as fit, and sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nnrun.compare import Comparison, Entry, formats
from nnrun.compare.table import Column
from nnrun.compare.verdicts import BETTER, SAME

# A value of a spec is broken over lines at this width.
WIDE = 30


def show(comparison: Comparison, out: Console) -> None:
    """Prints what all have in common, the table, and what can be said of it."""
    if common := formats.shared(comparison):
        out.print(f"in common: {common}", markup=False, style="dim", soft_wrap=False)
    for table in _tables(comparison, out.width):
        out.print(table)
    for sentence in sentences(comparison):
        out.print(sentence, markup=False)


def _tables(comparison: Comparison, width: int) -> Iterator[Table]:
    """The table, in as many pieces as the width asks for; each begins with the names."""
    names, *rest = (
        (column.upwards is not None, [_heading(column), *formats.cells(column, best)])
        for column in comparison.columns
        for best in [comparison.best(column)]
    )
    piece: list[tuple[bool, list[str]]] = []
    for column in rest:
        if piece and _width([names, *piece, column]) > width:
            yield _table([names, *piece])
            piece = []
        piece.append(column)
    yield _table([names, *piece])


def _heading(column: Column) -> str:
    """On two lines where that takes less room, such as `test` over `accuracy`."""
    return column.name if column.upwards is None else column.name.replace("_", "\n", 1)


def _width(columns: list[tuple[bool, list[str]]]) -> int:
    """What Rich needs for such a table."""
    widest = (max(len(line) for cell in cells for line in cell.split("\n")) for _, cells in columns)
    return 1 + sum(3 + min(WIDE, each) for each in widest)


def _table(columns: list[tuple[bool, list[str]]]) -> Table:
    table = Table()
    for numeric, cells in columns:
        side: Literal["right", "left"] = "right" if numeric else "left"
        table.add_column(escape(cells[0]), justify=side, max_width=WIDE, overflow="fold")
    for row in zip(*(cells[1:] for _, cells in columns), strict=True):
        table.add_row(*map(_marked, row))
    return table


def _marked(cell: str) -> str:
    return f"[bold]{escape(cell)}[/]" if cell.endswith(formats.MARK) else escape(cell)


def sentences(comparison: Comparison) -> list[str]:
    """What is said below the table."""
    said = []
    if any(comparison.best(column) is not None for column in comparison.columns):
        said.append(f"{formats.MARK} best of its column")
    if any(entry.is_group for entry in comparison.entries):
        said.append("± is the standard deviation over seeds (ddof 1)")
    if comparison.seeds:
        said.append(over_seeds(comparison.seeds, comparison.metric))
    if len(comparison.entries) == 1:
        said.append("one run has nothing to be compared with")
    said += [verdict.sentence() for verdict in comparison.verdicts]
    if _are_models(comparison):
        said.append(
            "one seed each, so these are differences of trained models; "
            "`nnrun train SPEC --seeds 5` compares the experiments"
        )
    return said


def over_seeds(entry: Entry, metric: str) -> str:
    """Mean, spread and interval of several seeds in one sentence."""
    rows = entry.first.judged
    found = entry.spread(rows, metric)
    mean, std, low, high = (formats.number(found[key]) for key in ("mean", "std", "low", "high"))
    return (
        f"{len(entry.runs)} seeds of {entry.name}: {rows} {metric} {mean} ± {std} (ddof 1), "
        f"95 % interval {low} to {high}"
    )


def _are_models(comparison: Comparison) -> bool:
    """Whether single models were tested, whose seeds may have made the difference."""
    tested = any(verdict.verdict in (BETTER, SAME) for verdict in comparison.verdicts)
    single = [e for e in comparison.entries if not (e.is_group or e.first.has_folds)]
    return tested and len(single) > 1
