"""`nnrun list`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnrun.cli import console
from nnrun.cli.verb import Json, Runs, exit_codes
from nnrun.errors import NnrunError

if TYPE_CHECKING:
    from nnrun.runs import Run
from typing import Annotated

import typer


def list_runs(root: Runs = Path("runs"), json: Json = False) -> None:
    """List all runs with status, size and metrics.

    Example: nnrun list --runs runs
    """
    with exit_codes():
        from nnrun.runs import find
        from nnrun.runs.cleaning import disk_usage

        row = _entry if json else _row
        rows, total = [], 0
        for run in find(root):
            try:
                taken = disk_usage(run.path)
                rows.append(row(run, taken))
                total += taken
            except NnrunError as error:
                # One broken folder must not hide all others.
                console.print_error(error)
        if json:
            console.print_json({"schema_version": 1, "runs": rows, "bytes": total})
        elif not rows:
            console.stderr().print(f"no runs in {console.short(root)}", markup=False)
        else:
            _print(rows, total)


def _entry(run: Run, taken: int) -> dict[str, Any]:
    from nnrun.cli import summary

    return summary.as_json(run) | {"bytes": taken}


def _row(run: Run, taken: int) -> list[str]:
    from nnrun.cli import summary
    from nnrun.spec.text import number, size

    with summary.complete(run):
        metrics = run.metrics()
        judged = {name: number(value) for name, value in metrics.get("test", {}).items()}
        if not judged and "ddof" in metrics:
            judged = {
                f"val_{name}": summary.mean(spread)
                for name, spread in metrics["validation"].items()
            }
        epochs, best = len(run.history()), metrics.get("best_epoch")
        words = "  ".join(f"{name} {value}" for name, value in judged.items())
        if summary.has_folds(run) and not metrics:
            words = f"{summary.progress(run)} finished"
        return [run.path.name, run.status(), str(epochs), str(best or "-"), size(taken), words]


def _print(rows: list[Any], total: int) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("run", "status", "epochs", "best")
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("metrics")
    for row in rows:
        table.add_row(*map(escape, row))
    console.stdout().print(table)
    console.stdout().print(counted(len(rows), total), markup=False)


def counted(count: int, taken: int) -> str:
    """So many runs, and the bytes they take: `2 runs, 1.3 MB`."""
    from nnrun.spec.text import size

    return f"{count:,} {'run' if count == 1 else 'runs'}, {size(taken)}"


# `nnrun show RUN`.


def show(
    path: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    json: Json = False,
) -> None:
    """Show one run: metrics, best epoch, seed, versions and files.

    Example: nnrun show runs/20260101-120000-digits
    """
    with exit_codes():
        from rich.markup import escape
        from rich.table import Table

        from nnrun.cli import summary
        from nnrun.runs import Run, layout

        run = Run(path)
        record = run.record()
        if json:
            console.print_json(summary.as_json(run) | {"record": record})
            return
        summary.show(run, console.stdout())
        table = Table(show_header=False)
        for name in ("started", "ended", "seed", "overrides", "rows", "commit", "versions"):
            table.add_row(name, escape(_plain(record.get(name))))
        meanings = layout.MEANING | layout.MEANING_OF_TEXTS
        meanings |= layout.MEANING_OF_FOLDS | layout.MEANING_OF_UNFINISHED
        for name, meaning in meanings.items():
            if any(path.glob(name)):
                table.add_row(name, meaning)
        console.stdout().print(table)


def _plain(value: object) -> str:
    match value:
        case dict():
            return ", ".join(f"{key} {item}" for key, item in value.items())
        case list():
            return ", ".join(map(str, value)) or "-"
    return "-" if value is None else str(value)
