"""What is said of a cross-validation when it is over, and by `nnrun show`."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table

from nnrun.cli import console
from nnrun.cli.number import number
from nnrun.runs import Run, layout

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
    there = sum(value is not None for value in metrics["validation"]["loss"]["folds"])
    count = f"{len(folds)} folds" if there == len(folds) else f"{there} of {len(folds)} folds"
    time = f"{seconds['total']:.1f} s in all, {seconds['training']:.1f} s of training"
    trained = [epochs for epochs in metrics["fold_epochs"] if epochs is not None]
    shortest, longest = min(trained), max(trained)
    epochs = f"{shortest} to {longest}" if shortest < longest else str(longest)
    said = [
        f"{run.status()}, {count} of {epochs} epochs: {time}",
        f"{metrics['parameters']:,} parameters, {record['engine']} engine on {record['device']}",
        "± is the standard deviation (ddof 1); the interval allows for shared rows",
    ]
    if best := metrics["best_epoch"]:
        name = metrics["monitor"]
        curve, value = "mean curve", metrics["best"][name]
        if "smoothed" in metrics:
            curve, value = "smoothed mean curve", metrics["smoothed"][name]["lowest"]
        said.append(
            f"best epoch {best} of {metrics['epochs']} by the {curve}: {name} {number(value)}"
        )
    if shortest < longest:
        said.append(f"the mean curve ends at epoch {shortest}, with the first fold that stopped")
    if "final" in metrics:
        epochs = metrics["final"]["epochs"]
        said.append(f"test: one model, trained on all training rows for {epochs} epochs")
    return [*said, *ending(run)]


def unfinished(run: Run) -> list[str]:
    """What is known of one that says nothing yet of its folds together."""
    record = run.record()
    parts = [Run(run.path / layout.fold(fold["number"])) for fold in record["folds"]]
    there = sum(p.holds(layout.RUN) and p.status() == layout.FINISHED for p in parts)
    state = f"{record['name']}: {run.status()}, {there} of {len(parts)} folds finished"
    return [state, *ending(run)]


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
