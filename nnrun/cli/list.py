"""`nnrun list`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnrun.cli import console
from nnrun.cli.verb import Json, Runs, exit_codes
from nnrun.errors import NnrunError

if TYPE_CHECKING:
    from rich.table import Table

    from nnrun.runs import Run

EXAMPLE = "Example: nnrun list --runs runs"


def list_runs(root: Runs = Path("runs"), json: Json = False) -> None:
    """List all runs with status and metrics, oldest first."""
    with exit_codes():
        from nnrun.cli import closing
        from nnrun.runs import find

        row = closing.as_json if json else _row
        rows = []
        for run in find(root):
            try:
                rows.append(row(run))
            except NnrunError as error:
                # One broken folder must not hide all others.
                console.print_error(error)
        if json:
            console.print_json({"schema_version": 1, "runs": rows})
        elif not rows:
            console.stderr().print(f"no runs in {console.short(root)}", markup=False)
        else:
            console.stdout().print(_table(rows))


def _row(run: Run) -> list[str]:
    from nnrun.cli import closing, closing_folds
    from nnrun.number import number

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
    return [run.path.name, run.status(), str(epochs), str(best or "-"), words]


def _table(rows: list[Any]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table("run", "status", "epochs", "best", "metrics")
    for row in rows:
        table.add_row(*map(escape, row))
    return table
