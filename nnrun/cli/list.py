"""`nnrun list`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnrun.cli import console
from nnrun.cli.verb import Json, Runs, exit_codes
from nnrun.errors import NnrunError

if TYPE_CHECKING:
    from nnrun.runs import Run

EXAMPLE = "Example: nnrun list --runs runs"


def list_runs(root: Runs = Path("runs"), json: Json = False) -> None:
    """List all runs with status, size and metrics, oldest first."""
    with exit_codes():
        from nnrun.runs import find, size

        row = _entry if json else _row
        rows, total = [], 0
        for run in find(root):
            try:
                taken = size(run.path)
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
    from nnrun.cli import closing

    return closing.as_json(run) | {"bytes": taken}


def _row(run: Run, taken: int) -> list[str]:
    from nnrun.cli import closing, closing_folds
    from nnrun.number import number, size

    with closing.complete(run):
        metrics = run.metrics()
        judged = {name: number(value) for name, value in metrics.get("test", {}).items()}
        if not judged and "ddof" in metrics:
            judged = {
                f"val_{name}": closing_folds.mean(spread)
                for name, spread in metrics["validation"].items()
            }
        epochs, best = len(run.history()), metrics.get("best_epoch")
        words = "  ".join(f"{name} {value}" for name, value in judged.items())
        if closing.has_folds(run) and not metrics:
            words = f"{closing_folds.progress(run)} finished"
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
    from nnrun.number import size

    return f"{count:,} {'run' if count == 1 else 'runs'}, {size(taken)}"
