"""What is said of a cross-validation when it is over, and by `nnrun show`."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table

from nnrun import inert, layout
from nnrun.cli import console
from nnrun.number import number
from nnrun.runs import Run

# So many folds have a line of their own.
LINES = 20


def table(run: Run, metrics: dict[str, Any]) -> Table:
    """A column per metric: the folds where they are few, mean and spread, interval."""
    validation, training = metrics["validation"], metrics["train"]
    found = Table(title=escape(run.record()["name"]), title_justify="left")
    found.add_column("")
    for name in validation:
        found.add_column(escape(name.replace("_", " ")), justify="right")
    folds = run.record()["folds"]
    for place, fold in enumerate(folds if len(folds) <= LINES else []):
        values = (number(spread["folds"][place]) for spread in validation.values())
        found.add_row(f"fold {fold['number']}", *values)
    found.add_section()
    found.add_row("validation", *map(mean, validation.values()))
    found.add_row("95 % interval", *map(_interval, validation.values()))
    found.add_row("training", *(mean(training[name]) for name in validation))
    if "test" in metrics:
        found.add_row("test", *(number(metrics["test"][name]) for name in validation))
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
    time = f"{seconds['total']:.1f} s in all, {seconds['training']:.1f} s of training"
    trained = [epochs for epochs in metrics["fold_epochs"] if epochs is not None]
    there = len(trained)
    count = f"{there} folds" if there == len(folds) else f"{there} of {len(folds)} folds"
    shortest, longest = min(trained), max(trained)
    epochs = f"{shortest} to {longest}" if shortest < longest else str(longest)
    epochs += " epoch" if longest == 1 else " epochs"
    said = [
        f"{run.status()}, {count} of {epochs}: {time}",
        f"{metrics['parameters']:,} parameters, {record['engine']} engine on {record['device']}",
    ]
    if there > 1:
        said.append("± is the standard deviation (ddof 1); the interval allows for shared rows")
    if best := metrics["best_epoch"]:
        said.append(f"best epoch {best} of {longest} by the {_best(metrics)}")
    if "final" in metrics:
        epochs = metrics["final"]["epochs"]
        said.append(f"test: one model, trained on all training rows for {epochs} epochs")
    return [*said, *ending(run)]


def _best(metrics: dict[str, Any]) -> str:
    """By what the best epoch was found, and how good it is."""
    by, name = metrics["best_epoch_by"], metrics["monitor"]
    if by == "median of folds":
        return f"{by}, which were stopped at different epochs"
    smoothed = metrics.get("smoothed", {}).get(name, {}).get("lowest")
    return f"{by}: {name} {number(metrics['best'][name] if smoothed is None else smoothed)}"


def unfinished(run: Run) -> list[str]:
    """What is known of one that says nothing yet of its folds together."""
    return [f"{run.record()['name']}: {run.status()}, {progress(run)} finished", *ending(run)]


def progress(run: Run) -> str:
    """How many of the folds are there."""
    folds = run.record()["folds"]
    parts = [Run(run.path / layout.fold(fold["number"])) for fold in folds]
    there = sum(part.holds(layout.RUN) and part.status() == layout.FINISHED for part in parts)
    return f"{there} of {len(parts)} folds"


def ending(run: Run) -> list[str]:
    """What leaks, what failed, where the files are, how to go on."""
    record, status = run.record(), run.status()
    said = [notice for notice in record.get("notices", []) if notice.startswith("NN214")]
    if error := record.get("error"):
        said.append(f"stopped: {inert.line(error)}")
    said.append(f"files in {console.short(run.path)}")
    if status not in (layout.FINISHED, layout.RUNNING):
        said.append(f"go on with the missing folds: nnrun resume {console.short(run.path)}")
    return said
