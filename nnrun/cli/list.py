"""`nnrun list`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nnrun.cli import console
from nnrun.cli.verb import Json, Runs, exit_codes

EXAMPLE = "Example: nnrun list --runs runs"


def list_runs(root: Runs = Path("runs"), json: Json = False) -> None:
    """List all runs with status and test metrics, oldest first."""
    with exit_codes():
        from nnrun.cli import closing
        from nnrun.runs import find

        runs = find(root)
        if json:
            entries = [closing.as_json(run) for run in runs]
            console.print_json({"schema_version": 1, "runs": entries})
            return
        if not runs:
            console.stderr().print(f"no runs in {console.short(root)}", markup=False)
            return
        console.stdout().print(_table(runs))


def _table(runs: list[Any]) -> Any:
    from rich.table import Table

    from nnrun.cli.closing import number

    table = Table("run", "status", "epochs", "best", "test")
    for run in runs:
        metrics = run.metrics()
        test = "  ".join(f"{k} {number(v)}" for k, v in metrics.get("test", {}).items())
        epochs, best = len(run.history()), metrics.get("best_epoch")
        table.add_row(run.path.name, run.status(), str(epochs), str(best or "-"), test)
    return table
