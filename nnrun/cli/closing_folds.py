"""What is said of a cross-validation when it is over, and by `nnrun show`."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table

from nnrun.cli import console
from nnrun.cli.number import number
from nnrun.runs import Run, layout

# So many folds have a column of their own.
COLUMNS = 6


def table(run: Run, metrics: dict[str, Any]) -> Table:
    """A row per metric: mean, spread and interval over folds, and the folds where they are few."""
    validation = metrics["validation"]
    folds = [f"fold {each['number']}" for each in run.record()["folds"]]
    found = Table(title=escape(run.record()["name"]), title_justify="left")
    found.add_column("metric")
    columns = ["training", "validation", "95 % interval"]
    columns += folds if len(folds) <= COLUMNS else []
    columns += ["test"] if "test" in metrics else []
    for column in columns:
        found.add_column(column, justify="right")
    for name, spread in validation.items():
        cells = [mean(metrics["train"][name]), mean(spread), _interval(spread)]
        cells += map(number, spread["folds"]) if len(folds) <= COLUMNS else []
        cells += [number(metrics["test"][name])] if "test" in metrics else []
        found.add_row(escape(name.replace("_", " ")), *cells)
    return found


def mean(spread: dict[str, Any]) -> str:
    """Mean and standard deviation over folds."""
    std = f" ± {number(spread['std'])}" if spread["std"] is not None else ""
    return number(spread["mean"]) + std


def _interval(spread: dict[str, Any]) -> str:
    if spread["low"] is None:
        return "-"
    return f"{number(spread['low'])} to {number(spread['high'])}"


def sentences(run: Run, metrics: dict[str, Any]) -> list[str]:
    """How it went, which epoch is best, what leaks, and how to go on."""
    record, seconds = run.record(), metrics["seconds"]
    folds = record["folds"]
    there = sum(value is not None for value in metrics["validation"]["loss"]["folds"])
    count = f"{len(folds)} folds" if there == len(folds) else f"{there} of {len(folds)} folds"
    time = f"{seconds['total']:.1f} s in all, {seconds['training']:.1f} s of training"
    said = [
        f"{run.status()}, {count} of {metrics['epochs']} epochs: {time}",
        f"{metrics['parameters']:,} parameters, {record['engine']} engine on {record['device']}",
        "± is the standard deviation (ddof 1); the interval allows for rows that folds share",
    ]
    if best := metrics["best_epoch"]:
        name = metrics["monitor"]
        smoothed = "smoothed mean curve" if "smoothed" in metrics else "mean curve"
        value = number(metrics["best"][name])
        said.append(f"best epoch {best} of {metrics['epochs']} by the {smoothed}: {name} {value}")
    if "final" in metrics:
        epochs = metrics["final"]["epochs"]
        said.append(f"test: one model, trained on all training rows for {epochs} epochs")
    return [*said, *ending(run)]


def unfinished(run: Run) -> list[str]:
    """What is known of one that has no fold yet."""
    record = run.record()
    return [f"{record['name']}: {run.status()}, no fold finished", *ending(run)]


def ending(run: Run) -> list[str]:
    """What leaks, what failed, where the files are, how to go on."""
    record, status = run.record(), run.status()
    said = [notice for notice in record.get("notices", []) if notice.startswith("leak")]
    if error := record.get("error"):
        said.append(f"stopped: {error}")
    said.append(f"files in {console.short(run.path)}")
    if status not in (layout.FINISHED, layout.RUNNING):
        said.append(f"go on with the missing folds: nnrun resume {console.short(run.path)}")
    return said
