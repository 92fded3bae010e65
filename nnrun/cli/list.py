"""`nnrun list` and `nnrun show RUN`."""

from __future__ import annotations

from pathlib import Path

from nnrun.cli import console, summary
from nnrun.cli.verb import Json, RunFolder, Runs
from nnrun.errors import NnrunError
from nnrun.runs import Run, find, layout
from nnrun.runs.cleaning import disk_usage
from nnrun.runs.record import KFoldMetrics
from nnrun.spec.text import count, format_number, format_size

COLUMNS = ("run", "status", "epochs", "best", "size", "metrics")


def list_runs(root: Runs = Path("runs"), json: Json = False) -> None:
    """List all runs with status, size and metrics.

    Example: nnrun list --runs runs
    """
    entries: list[dict[str, object]] = []
    rows = []
    total = 0
    for run in find(root):
        try:
            size = disk_usage(run.path)
            if json:
                entries.append(summary.as_json(run) | {"bytes": size})
            else:
                rows.append(_row(run, size))
            total += size
        except NnrunError as error:
            # A broken folder must not hide the other runs.
            console.print_error(error)
    if json:
        console.print_json({"runs": entries, "bytes": total})
    elif not rows:
        console.stderr().print(f"no runs in {console.relative_path(root)}")
    else:
        console.stdout().print(console.make_table(COLUMNS, rows, right=["size"]))
        console.stdout().print(count_runs(len(rows), total))


def _row(run: Run, size: int) -> list[str]:
    with summary.complete(run):
        metrics = run.metrics()
        values = {name: format_number(value) for name, value in metrics.test.items()}
        if not values and isinstance(metrics, KFoldMetrics):
            spreads = metrics.validation.items()
            values = {f"val_{name}": summary.mean(spread) for name, spread in spreads}
        words = "  ".join(f"{name} {value}" for name, value in values.items())
        if isinstance(metrics, KFoldMetrics) and metrics.is_empty:
            words = f"{summary.progress(run)} finished"
        epochs, best = str(len(run.history())), str(metrics.best_epoch or "-")
        return [run.path.name, run.status(), epochs, best, format_size(size), words]


def count_runs(runs: int, size: int) -> str:
    """Number of runs and their size on disk: `2 runs, 1.3 MB`."""
    return f"{count(runs, 'run')}, {format_size(size)}"


def show(path: RunFolder, json: Json = False) -> None:
    """Show one run: metrics, best epoch, seed, versions and files.

    Example: nnrun show runs/20260101-120000-digits
    """
    run = Run(path)
    record = run.read_json(layout.RUN)
    if json:
        console.print_json(summary.as_json(run) | {"record": record})
        return
    summary.show(run, console.stdout())
    facts = ("started", "ended", "seed", "overrides", "rows", "commit", "versions")
    rows = [(name, _plain(record.get(name))) for name in facts]
    meanings = layout.MEANING | layout.MEANING_OF_TEXTS
    meanings |= layout.MEANING_OF_FOLDS | layout.MEANING_OF_CODE | layout.MEANING_OF_UNFINISHED
    rows += [item for item in meanings.items() if any(path.glob(item[0]))]
    table = console.make_table(("", ""), rows)
    table.show_header = False
    console.stdout().print(table)


def _plain(value: object) -> str:
    match value:
        case dict():
            return ", ".join(f"{key} {item}" for key, item in value.items())
        case list():
            return ", ".join(map(str, value)) or "-"
    return "-" if value is None else str(value)
