"""What is said of a run when it is over, and by `nnrun show`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nnrun.cli import console
from nnrun.errors import RunError
from nnrun.runs import Run, layout
from nnrun.runs.gates import Outcome, read
from nnrun.spec import text
from nnrun.spec.text import format_number
from nnrun.types import History

# What is said of a cross-validation when it is over, and by `nnrun show`.

# So many folds have a line of their own.
LINES = 20


def folds_table(run: Run, metrics: dict[str, Any]) -> Table:
    """A column per metric: the folds where they are few, mean and spread, interval."""
    validation, training = metrics["validation"], metrics["train"]
    found = Table(title=escape(run.record()["name"]), title_justify="left")
    found.add_column("")
    for name in validation:
        found.add_column(escape(name.replace("_", " ")), justify="right")
    folds = run.record()["folds"]
    for place, fold in enumerate(folds if len(folds) <= LINES else []):
        values = (format_number(spread["folds"][place]) for spread in validation.values())
        found.add_row(f"fold {fold['number']}", *values)
    found.add_section()
    found.add_row("validation", *map(mean, validation.values()))
    found.add_row("95 % interval", *map(_interval, validation.values()))
    found.add_row("training", *(mean(training[name]) for name in validation))
    if "test" in metrics:
        found.add_row("test", *(format_number(metrics["test"][name]) for name in validation))
    return found


def mean(spread: dict[str, Any]) -> str:
    """Mean and standard deviation over folds."""
    std = f" ± {format_number(spread['std'])}" if spread["std"] is not None else ""
    return format_number(spread["mean"]) + std


def _interval(spread: dict[str, Any]) -> str:
    if spread["low"] is None:
        return "-"
    return f"{format_number(spread['low'])} to {format_number(spread['high'])}"


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
    return f"{by}: {name} {format_number(metrics['best'][name] if smoothed is None else smoothed)}"


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
        said.append(f"stopped: {text.escape_line(error)}")
    said.append(f"files in {console.relative_path(run.path)}")
    if status not in (layout.FINISHED, layout.RUNNING):
        said.append(f"go on with the missing folds: nnrun resume {console.relative_path(run.path)}")
    return said


# A rise must last so many epochs and be so large before it is called over-fitting.
RISING_EPOCHS = 3
RISE = 0.02


@contextmanager
def complete(run: Run) -> Iterator[None]:
    """Of a run that lacks something, which may be somebody else's, it is said what.

    Raises:
        RunError: it says too little to be shown.
    """
    values = run.metrics().get("validation", {}).values()
    if run.metrics() and has_folds(run) != any(isinstance(value, dict) for value in values):
        message = f"is not of the run that {layout.RUN} describes"
        raise RunError(f"{run.path / layout.METRICS}: {message}")
    try:
        yield
    except (KeyError, IndexError, ValueError) as error:
        missing = text.escape_line(str(error))
        raise RunError(f"{run.path}: does not say all that a run says: {missing}") from error


def as_json(run: Run) -> dict[str, Any]:
    """A run as every verb's `--json` gives it."""
    record = run.record()
    error = {"error": record["error"]} if record.get("error") else {}
    status, metrics = run.status(), run.metrics()
    expect = {"expect": record["expect"]} if record.get("expect") else {}
    return {"path": str(run.path), "name": record["name"], "status": status, **error} | {
        "metrics": metrics,
        **expect,
    }


def show(run: Run, out: Console) -> None:
    """Prints metrics, best epoch, a word on over-fitting, and where the files are."""
    metrics, whole = run.metrics(), has_folds(run)
    table, said = None, []
    with complete(run):
        if metrics:
            table = (folds_table if whole else _table)(run, metrics)
            said = (sentences if whole else _sentences)(run, metrics)
        else:
            said = unfinished(run) if whole else [_unfinished(run)]
    if table:
        out.print(table)
    for sentence in said:
        out.print(sentence, markup=False)
    if judged := read(run):
        out.print(_gates(judged))


def _gates(judged: list[Outcome]) -> Table:
    missed = sum(not outcome.passed for outcome in judged)
    title = f"{missed} of {len(judged)} expectations missed" if missed else "all expectations met"
    table = Table("expect", "wanted", "got", "", title=title, title_justify="left")
    for each in judged:
        got = f"{each.got:,}" if isinstance(each.got, int) else format_number(each.got)
        table.add_row(
            escape(each.name),
            escape(each.expected),
            got,
            "met" if each.passed else "[red]missed[/]",
        )
    return table


def has_folds(run: Run) -> bool:
    """Whether it is a cross-validation as a whole."""
    return "folds" in run.record()


def _unfinished(run: Run) -> str:
    """What is known of a run that could not write its metrics any more."""
    history, state = run.history(), f"{run.record()['name']}: {run.status()}"
    if not len(history):
        return f"{state}, no epoch trained"
    last = history.row(len(history) - 1)
    logs = "  ".join(f"{name} {format_number(value)}" for name, value in last.items())
    return f"{state} after epoch {len(history)}: {logs}"


def log(run: Run) -> None:
    """Writes the same at the end of the run's log, or says why that cannot be written."""
    try:
        with (run.path / layout.LOG).open("a", encoding="utf-8") as file:
            show(run, console.stderr(file))
    except OSError as error:
        # What has ended a run has been said; saying it again must not hide the reason.
        if run.status() == layout.FINISHED:
            say_log_is_lost(run, error, console.stderr())


def say_log_is_lost(run: Run, error: OSError, out: Console) -> None:
    """Says that a line is missing in the log; all else of the run is there."""
    path = console.relative_path(run.path / layout.LOG)
    out.print(f"note: {path}: cannot be written: {error.strerror or error}", markup=False)


def _table(run: Run, metrics: dict[str, Any]) -> Table:
    columns: list[str] = [name for name in ("train", "validation", "test") if name in metrics]
    table = Table(title=escape(run.record()["name"]), title_justify="left")
    table.add_column("metric")
    # A run that was stopped has no evaluation, only its last epoch.
    for column in columns or ["last epoch"]:
        table.add_column({"train": "training"}.get(column, column), justify="right")
    values = [metrics[column] for column in columns] or [metrics["last"]]
    for name in values[0]:
        table.add_row(
            escape(name.replace("_", " ")), *(format_number(value.get(name)) for value in values)
        )
    return table


def _sentences(run: Run, metrics: dict[str, Any]) -> list[str]:
    epochs, best = metrics["epochs"], metrics["best_epoch"]
    seconds = metrics["seconds"]
    record = run.record()
    time = f"{seconds['total']:.1f} s in all, {seconds['training']:.1f} s of training"
    engine = f"{record['engine']} engine on {record['device']}"
    said = [
        f"{run.status()} after {epochs} {'epoch' if epochs == 1 else 'epochs'}: {time}",
        f"{metrics['parameters']:,} parameters, {engine}",
    ]
    if best:
        name = metrics["monitor"]
        said.append(f"best epoch {best} of {epochs}: {name} {format_number(metrics['best'][name])}")
    if error := record.get("error"):
        said.append(f"stopped: {text.escape_line(error)}")
    warning = overfitting(run.history())
    if warning and not _restored(metrics):
        said.append(warning)
    return [*said, f"files in {console.relative_path(run.path)}"]


def _restored(metrics: dict[str, Any]) -> bool:
    """Whether a callback put the best weights back, so that the model kept is not over-fitted."""
    kept, best = metrics.get("validation", {}).get("loss"), metrics["best"].get("val_loss")
    return kept is not None and best is not None and math.isclose(kept, best, rel_tol=1e-4)


def overfitting(history: History) -> str | None:
    """A plain sentence where validation loss has been rising while training loss fell.

    Rising means that the last epochs all lie above the best one, by more than a fiftieth of it
    at the end, and that the training loss is lower at the end than it was at the best epoch.
    """
    losses, validation = history.epochs.get("loss", []), history.epochs.get("val_loss", [])
    if len(validation) <= RISING_EPOCHS:
        return None
    best = min(range(len(validation)), key=validation.__getitem__)
    since = len(validation) - 1 - best
    rose = validation[-1] > validation[best] * (1 + RISE)
    if since < RISING_EPOCHS or not rose or losses[-1] >= losses[best]:
        return None
    return (
        f"over-fitting: since epoch {best + 1} validation loss rose from {validation[best]:.4f} "
        f"to {validation[-1]:.4f} while training loss fell from {losses[best]:.4f} to "
        f"{losses[-1]:.4f}; stop earlier (EarlyStopping), or use a smaller model or dropout"
    )
