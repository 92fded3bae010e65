"""`nnrun compare RUN…`."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnrun.cli import console
from nnrun.cli.console import save
from nnrun.cli.verb import Json, Runs, exit_codes
from nnrun.errors import CommandError, NnrunError, NotARun

if TYPE_CHECKING:
    from nnrun.analysis.compare import Comparison, Facts
import textwrap
from collections import Counter
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nnrun.analysis.compare import Comparison, formats

# Not every run can be compared with every other.
INCOMPARABLE = 4


class Format(StrEnum):
    """What the answer is written as."""

    table = "table"
    json = "json"
    csv = "csv"
    md = "md"
    html = "html"


def compare(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RUN]...", help="Run folders; by default all of --runs."),
    ] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="NAME", help="Judge by this metric.")
    ] = None,
    sort: Annotated[
        str | None, typer.Option("--sort", metavar="COLUMN", help="Sort by this column.")
    ] = None,
    where: Annotated[
        list[str],
        typer.Option("--where", metavar="KEY=VALUE", help="Only these; * and ? stand for any."),
    ] = [],  # noqa: B006 - Typer reads it, nobody changes it
    status: Annotated[
        str | None, typer.Option("--status", help="Only runs of this status, such as finished.")
    ] = None,
    last: Annotated[
        int | None, typer.Option("--last", min=1, metavar="N", help="Only the N newest.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 4 where runs cannot be compared.")
    ] = False,
    format_: Annotated[
        Format | None,
        typer.Option("--format", help="By default a table, or what the end of FILE says."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write the answer to a file.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.png", help="Draw curves and intervals.")
    ] = None,
    root: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """Compare runs: which is better, and is it significant?

    Example: nnrun compare runs/*-imdb runs/*-imdb-dropout --plot imdb.png
    """
    with exit_codes():
        from nnrun.analysis import compare as comparing

        conditions = [*where, *([f"status={status}"] if status else [])]
        runs = _chosen(_read(paths, root), conditions, last)
        comparison = comparing.compare(runs, metric=metric, sort=sort)
        _answer(comparison, Format.json if json else format_ or _named(output), output)
        if plot:
            _draw(comparison, plot)
        if strict and (comparison.unfinished or not comparison.is_comparable):
            raise typer.Exit(INCOMPARABLE)


def _named(output: Path | None) -> Format:
    """The format that a file's name asks for."""
    suffix = output.suffix.removeprefix(".") if output else ""
    return Format(suffix) if suffix in set(Format) else Format.table


def _read(paths: Sequence[Path] | None, root: Path) -> Iterator[Facts]:
    """Reads each run once; what is none, or is broken, is named and skipped."""
    from nnrun.analysis.compare import read
    from nnrun.runs import Run, find

    found = [run.path for run in find(root)] if paths is None else paths
    for path in dict.fromkeys(path.resolve() for path in found):
        try:
            yield read(Run(path))
        except NotARun:
            console.stderr().print(f"skipped: {console.short(path)} is no run", markup=False)
        except NnrunError as error:
            console.stderr().print(f"skipped: {error}", markup=False)


def _chosen(runs: Iterator[Facts], conditions: Sequence[str], last: int | None) -> list[Facts]:
    """The runs that meet all conditions, of these the newest.

    Raises:
        CommandError: there is none.
    """
    from nnrun.analysis.compare.facts import holds, started

    found, unknown = [], set(conditions)
    for run in runs:
        met = {condition: holds(run, condition) for condition in conditions}
        unknown -= {condition for condition, is_met in met.items() if is_met is not None}
        if all(met.values()):
            found.append(run)
    if not found:
        reason = f"no run {'is left' if conditions else 'found'} to compare"
        keys = ", ".join(sorted(condition.partition("=")[0] for condition in unknown))
        raise CommandError(f"{reason}; none has a key {keys}" if keys else reason)
    return sorted(found, key=started)[-last:] if last else found


def _answer(comparison: Comparison, format_: Format, output: Path | None) -> None:
    from nnrun.analysis.compare import formats

    if format_ is Format.table:
        if output is None:
            show(comparison, console.stdout())
            return
        answer = io.StringIO()
        show(comparison, console.stderr(answer))
        text = answer.getvalue()
    elif format_ is Format.json:
        text = console.as_json(formats.as_json(comparison))
    else:
        text = formats.FORMATS[format_](comparison)
    if output is None:
        sys.stdout.write(text)
    else:
        save(output, lambda path: path.write_text(text, encoding="utf-8"))


def _draw(comparison: Comparison, path: Path) -> None:
    from nnrun import plots
    from nnrun.analysis.compare.statistics import interval

    entries = comparison.entries[: plots.COMPARED]
    series = [
        plots.Compared(label, entry.history(), interval(entry, comparison.metric))
        for label, entry in zip(comparison.labels, entries, strict=False)
    ]
    judged = " or ".join(sorted({entry.first.judged for entry in entries}))
    figure = plots.comparison(series, comparison.metric, rows=judged)
    kind = path.suffix.removeprefix(".") or "png"
    save(path, lambda path: figure.savefig(path, format=kind))


# How a comparison shows in a terminal: a table in as many pieces as fit, and sentences.

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
