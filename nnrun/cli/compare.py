"""`nnrun compare RUN…`."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nnrun.cli import console
from nnrun.cli.verb import Json, Output, Runs
from nnrun.errors import CommandError, NnrunError, NotARun
from nnrun.runs import Run, find

if TYPE_CHECKING:
    from nnrun.analysis.compare import Comparison, Facts

INCOMPARABLE = 4  # exit code of `--strict` for runs that cannot be compared
CELL_WIDTH = 30  # longer cells are wrapped
Format = StrEnum("Format", ["table", "json", "csv", "md", "html"])


def compare(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RUN]...", help="Run folders; by default all of --runs."),
    ] = None,
    metric: Annotated[str | None, typer.Option(metavar="NAME", help="Rank by this metric.")] = None,
    sort: Annotated[str | None, typer.Option(metavar="COLUMN", help="Sort by this column.")] = None,
    where: Annotated[
        list[str], typer.Option(metavar="KEY=VALUE", help="Only these runs; * and ? are wildcards.")
    ] = [],  # noqa: B006 - Typer reads it, nobody changes it
    status: Annotated[
        str | None, typer.Option(help="Only runs with this status, such as finished.")
    ] = None,
    last: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only the N newest runs.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 4 if runs cannot be compared.")
    ] = False,
    format_: Annotated[
        Format | None, typer.Option("--format", help="Default: the suffix of FILE, or a table.")
    ] = None,
    output: Output = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Plot curves and intervals.")
    ] = None,
    root: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """Compare runs and test which differences are significant.

    Example: nnrun compare runs/*-imdb runs/*-imdb-dropout --plot imdb.png
    """
    from nnrun.analysis import compare as comparing

    conditions = [*where, *([f"status={status}"] if status else [])]
    runs = _select(_read(paths, root), conditions, last)
    comparison = comparing.compare(runs, metric=metric, sort=sort)
    format_ = Format.json if json else format_ or console.format_of(output, Format)
    _write(comparison, format_, output)
    if plot:
        _plot(comparison, plot)
    if strict and (comparison.unfinished or not comparison.is_comparable):
        raise typer.Exit(INCOMPARABLE)


def _read(paths: Sequence[Path] | None, root: Path) -> Iterator[Facts]:
    from nnrun.analysis.compare import read

    paths = [run.path for run in find(root)] if paths is None else paths
    for path in dict.fromkeys(path.resolve() for path in paths):
        try:
            yield read(Run(path))
        except NnrunError as error:
            is_run = not isinstance(error, NotARun)
            reason = str(error) if is_run else f"{console.relative_path(path)} is not a run"
            console.stderr().print(f"skipped: {reason}")


def _select(runs: Iterator[Facts], conditions: Sequence[str], last: int | None) -> list[Facts]:
    """The newest of the runs that meet all conditions."""
    from nnrun.analysis.compare.facts import holds

    selected, unknown = [], set(conditions)
    for run in runs:
        met = {condition: holds(run, condition) for condition in conditions}
        unknown -= {condition for condition, is_met in met.items() if is_met is not None}
        if all(met.values()):
            selected.append(run)
    if not selected:
        reason = f"no run {'is left' if conditions else 'found'} to compare"
        keys = ", ".join(sorted(condition.partition("=")[0] for condition in unknown))
        raise CommandError(f"{reason}; no run has a key {keys}" if keys else reason)
    return sorted(selected, key=lambda run: run.started)[-last:] if last else selected


def _write(comparison: Comparison, format_: Format, output: Path | None) -> None:
    from nnrun.analysis.compare import formats

    if format_ is Format.json:
        console.write_result(console.as_json(formats.as_json(comparison)), output)
    elif format_ is Format.table:
        console.write_result(partial(_show, comparison), output)
    else:
        console.write_result(formats.FORMATS[format_](comparison), output)


def _plot(comparison: Comparison, path: Path) -> None:
    from nnrun import plots
    from nnrun.analysis.compare.statistics import interval

    entries = comparison.entries[: plots.MAX_RUNS]
    series = [
        plots.RunCurves(entry.label, entry.history(), interval(entry, comparison.metric))
        for entry in entries
    ]
    judged = " or ".join(sorted({entry.first.judged for entry in entries}))
    figure = plots.comparison(series, comparison.metric, rows=judged)
    kind = path.suffix.removeprefix(".") or "png"
    console.save(path, lambda path: figure.savefig(path, format=kind))


def _show(comparison: Comparison, out: Console) -> None:
    from nnrun.analysis.compare import formats

    if common := formats.shared(comparison):
        out.print(f"in common: {common}", style="dim", soft_wrap=False)
    for table in _tables(comparison, out.width):
        out.print(table)
    for sentence in formats.sentences(comparison):
        out.print(sentence)


def _tables(comparison: Comparison, width: int) -> Iterator[Table]:
    """The table, split by columns to fit the width; each part begins with the names."""
    names, *rest = _columns(comparison)
    part = [names]
    for column in rest:
        # Rich needs one character per column besides its padded cells, and one more per table.
        widths = [len(cells[0].plain.partition("\n")[0]) for cells in [*part, column]]
        if len(part) > 1 and 1 + len(widths) + sum(widths) > width:
            yield _table(part)
            part = [names]
        part.append(column)
    yield _table(part)


def _columns(comparison: Comparison) -> Iterator[list[Text]]:
    # Padded to one width: padding by Rich doubles the time for a thousand rows.
    from nnrun.analysis.compare import formats

    names = [column.name for column in comparison.columns]
    # `training.epochs` is shortened to `epochs` unless another key has the same last part.
    count = Counter(name.rpartition(".")[2] for name in names)
    for name, column in zip(names, comparison.columns, strict=True):
        last = name.rpartition(".")[2]
        heading = last if count[last] == 1 else name
        is_number = column.upwards is not None
        heading = heading.replace("_", "\n", 1) if is_number else _wrap(heading)
        values = [_wrap(cell) for cell in formats.cells(column, comparison.best(column))]
        width = max(len(line) for cell in (heading, *values) for line in cell.split("\n"))
        align = ">" if is_number else "<"
        cells = []
        for cell in (heading, *values):
            padded = "\n".join(f" {line:{align}{width}} " for line in cell.split("\n"))
            cells.append(Text(padded, "bold" if cell.endswith(formats.MARK) else ""))
        yield cells


def _wrap(cell: str) -> str:
    return "\n".join(textwrap.wrap(cell, CELL_WIDTH)) if len(cell) > CELL_WIDTH else cell


def _table(columns: Sequence[Sequence[Text]]) -> Table:
    table = Table(padding=0)
    for heading, *_ in columns:
        table.add_column(heading, no_wrap=True)
    for row in zip(*(cells for _, *cells in columns), strict=True):
        table.add_row(*row)
    return table
