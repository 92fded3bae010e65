"""Summary of a run, as printed after training and by `nnrun show`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nnrun.cli import console
from nnrun.errors import RunError
from nnrun.runs import Run, layout
from nnrun.runs.record import GateResult, KFoldMetrics, SmoothedCurve, Spread, TrainMetrics
from nnrun.spec.text import count, escape_line, format_number
from nnrun.types import History

MOST_FOLDS = 20  # with more folds, the table has no line per fold
RISING_EPOCHS = 3
RISE = 0.02
"""Overfitting means that validation loss rose by this share over at least so many epochs."""


@contextmanager
def complete(run: Run) -> Iterator[None]:
    """Turns missing values of a run's files into a RunError."""
    try:
        yield
    except (KeyError, IndexError, ValueError) as error:
        raise RunError(f"{run.path}: is incomplete: {escape_line(str(error))}") from error


def as_json(run: Run) -> dict[str, object]:
    """A run in the `--json` document of any verb."""
    record = run.record()
    error = {"error": record.error} if record.error else {}
    expect = {"expect": [gate.model_dump() for gate in record.expect]} if record.expect else {}
    return {
        "path": str(run.path),
        "name": record.name,
        "status": run.status(),
        **error,
        "metrics": {} if run.metrics().is_empty else run.read_json(layout.METRICS),
        **expect,
    }


def show(run: Run, out: Console) -> None:
    """Prints metrics, best epoch, warnings, expectations and the folder."""
    table, sentences = None, []
    with complete(run):
        metrics = run.metrics()
        is_kfold = isinstance(metrics, KFoldMetrics)
        if metrics.is_empty:
            state = f"{run.record().name}: {run.status()}"
            if is_kfold:
                sentences = [f"{state}, {progress(run)} finished", *_folds_end(run)]
            else:
                sentences = [f"{state}{_last_epoch(run)}"]
        elif isinstance(metrics, KFoldMetrics):
            table, sentences = _folds_table(run, metrics), _folds_sentences(run, metrics)
        else:
            table, sentences = _table(run, metrics), _sentences(run, metrics)
    if table:
        out.print(table)
    for sentence in sentences:
        out.print(sentence)
    if outcomes := run.record().expect:
        out.print(_gates_table(outcomes))


def log(run: Run) -> None:
    """Appends the summary to the run's log; reports a log that cannot be written."""
    try:
        with (run.path / layout.LOG).open("a", encoding="utf-8") as file:
            show(run, console.stderr(file))
    except OSError as error:
        # A run that failed has been reported; its reason must stay the last message.
        if run.status() == layout.FINISHED:
            print_lost_log(run, error, console.stderr())


def print_lost_log(run: Run, error: OSError, out: Console) -> None:
    """Reports that the log cannot be written; all other files of the run are complete."""
    path = console.relative_path(run.path / layout.LOG)
    out.print(f"note: {path}: cannot be written: {error.strerror or error}")


def _gates_table(outcomes: list[GateResult]) -> Table:
    missed = sum(not outcome.passed for outcome in outcomes)
    title = f"{missed} of {len(outcomes)} expectations missed" if missed else "all expectations met"
    rows = []
    for outcome in outcomes:
        got = outcome.got
        number = f"{got:,}" if isinstance(got, int) else format_number(got)
        verdict = "met" if outcome.passed else Text("missed", "red")
        rows.append((outcome.name, outcome.expected, number, verdict))
    return console.make_table(("expect", "wanted", "got", ""), rows, title=title)


def _table(run: Run, metrics: TrainMetrics) -> Table:
    splits = {"training": metrics.train, "validation": metrics.validation, "test": metrics.test}
    splits |= {f"test {name}": values for name, values in metrics.tests.items()}
    # A stopped run has no evaluation, only the values of its last epoch.
    # Of windows over time: the forecast that the last value stays.
    splits["naive forecast"] = metrics.baseline
    columns = {name: values for name, values in splits.items() if values}
    columns = columns or {"last epoch": metrics.last}
    rows = [
        (name.replace("_", " "), *(format_number(values.get(name)) for values in columns.values()))
        for name in next(iter(columns.values()))
    ]
    headings = list(columns)
    return console.make_table(["metric", *headings], rows, title=_title(run), right=headings)


def _title(run: Run) -> str:
    record = run.record()
    if record.positive is None:
        return record.name
    return f"{record.name}, positive class: {escape_line(record.positive)}"


def _sentences(run: Run, metrics: TrainMetrics) -> list[str]:
    epochs, best, error = metrics.epochs, metrics.best_epoch, run.record().error
    lines = [f"{run.status()} after {count(epochs, 'epoch')}: {_seconds(run)}", _engine(run)]
    if best:
        value = format_number(metrics.best[metrics.monitor])
        restored = "; its weights were tested and kept" if metrics.restored_epoch else ""
        lines.append(f"best epoch {best} of {epochs}: {metrics.monitor} {value}{restored}")
    if error:
        lines.append(f"stopped: {escape_line(error)}")
    warning = overfitting(run.history(), metrics.train.get("loss"))
    last, lowest = metrics.validation.get("loss"), metrics.best.get("val_loss")
    # The best weights may have been restored; then the model is not overfitted.
    is_best = last is not None and lowest is not None and math.isclose(last, lowest, rel_tol=1e-4)
    is_best |= metrics.restored_epoch is not None
    if warning and not is_best:
        lines.append(warning)
    return [*lines, f"files in {console.relative_path(run.path)}"]


def _seconds(run: Run) -> str:
    seconds = run.metrics().seconds
    return f"{seconds['total']:.1f} s in total, {seconds['training']:.1f} s of training"


def _engine(run: Run) -> str:
    parameters, record = run.metrics().parameters or 0, run.record()
    return f"{parameters:,} parameters, {record.engine} engine on {record.device}"


def _last_epoch(run: Run) -> str:
    history = run.history()
    if not len(history):
        return ", no epoch trained"
    last = history.row(len(history) - 1)
    logs = "  ".join(f"{name} {format_number(value)}" for name, value in last.items())
    return f" after epoch {len(history)}: {logs}"


def overfitting(history: History, evaluated: float | None) -> str | None:
    """A sentence for a validation loss that has been rising while the training loss fell.

    The last epochs are all above the best one, by more than `RISE` at the end, and the training
    loss at the end is lower than in the best epoch. While it trains, a model has dropout, and
    batches as they are instead of the averages of `BatchNormalization`, which may not have settled.
    So the loss of the training rows must be low as it is for validation rows, too.

    Args:
        history: of the run.
        evaluated: the loss of the training rows after training; None if it was stopped.
    """
    losses, validation = history.epochs.get("loss", []), history.epochs.get("val_loss", [])
    if len(validation) <= RISING_EPOCHS:
        return None
    best = min(range(len(validation)), key=validation.__getitem__)
    since = len(validation) - 1 - best
    rose = validation[-1] > validation[best] * (1 + RISE)
    if since < RISING_EPOCHS or not rose or losses[-1] >= losses[best]:
        return None
    if evaluated is None or evaluated >= validation[best]:
        return None
    return (
        f"overfitting: since epoch {best + 1} validation loss rose from {validation[best]:.4f} "
        f"to {validation[-1]:.4f} while training loss fell from {losses[best]:.4f} to "
        f"{losses[-1]:.4f}; stop earlier (EarlyStopping), or use a smaller model or dropout"
    )


def _folds_table(run: Run, metrics: KFoldMetrics) -> Table:
    validation, record = metrics.validation, run.record()
    folds = record.folds or []
    folds = folds if len(folds) <= MOST_FOLDS else []
    rows = []
    for place, fold in enumerate(folds):
        numbers = (format_number(spread.folds[place]) for spread in validation.values())
        rows.append((f"fold {fold.number}", *numbers))
    rows.append(("validation", *map(mean, validation.values())))
    rows.append(("95 % interval", *map(_interval, _bounded(run, validation))))
    rows.append(("training", *(mean(metrics.train[name]) for name in validation)))
    if tested := metrics.ensemble:
        named = {f"test {name}": values for name, values in tested.tests.items()}
        for name, values in {"test": tested.test, **named}.items():
            numbers = (format_number(values.get(metric)) for metric in validation)
            rows.append((f"{name}, mean of {tested.models} models", *numbers))
    if metrics.test:
        rows.append(("test", *(format_number(metrics.test[name]) for name in validation)))
    headings = [name.replace("_", " ") for name in validation]
    table = console.make_table(["", *headings], rows, title=_title(run), right=headings)
    if folds:
        table.rows[len(folds) - 1].end_section = True
    return table


def mean(spread: Spread) -> str:
    """Mean and standard deviation over folds."""
    std = f" ± {format_number(spread.std)}" if spread.std is not None else ""
    return format_number(spread.mean) + std


def _bounded(run: Run, metrics: Mapping[str, Spread]) -> list[Spread]:
    """Metrics with intervals within the bounds of each, which older runs do not respect."""
    from nnrun.analysis.compare import facts
    from nnrun.spec import labels

    reported: Mapping[str, str] = {}
    with suppress(RunError):
        reported = facts.read(run).reported
    bounds = {name: labels.bounds(reported.get(name, "")) for name in metrics}
    return [spread.within(*bounds[name]) for name, spread in metrics.items()]


def _interval(spread: Spread) -> str:
    if spread.low is None:
        return "-"
    return f"{format_number(spread.low)} to {format_number(spread.high)}"


def _folds_sentences(run: Run, metrics: KFoldMetrics) -> list[str]:
    trained = [epochs for epochs in metrics.fold_epochs if epochs is not None]
    folds = len(run.record().folds or [])
    finished = f"{folds}" if len(trained) == folds else f"{len(trained)} of {folds}"
    shortest, longest = min(trained), max(trained)
    epochs = f"{shortest} to " * (shortest < longest) + count(longest, "epoch")
    state = f"{run.status()}, {finished} folds of {epochs}"
    lines = [f"{state}: {_seconds(run)}", _engine(run)]
    if len(trained) > 1:
        lines.append("± is the standard deviation (ddof 1); the interval allows for shared rows")
    if best := metrics.best_epoch:
        lines.append(f"best epoch {best} of {longest} by the {_best_epoch_by(metrics)}")
    if tested := metrics.ensemble:
        mean_output = f"the mean output of {tested.models} models"
        lines.append(f"{mean_output} was tested on {tested.rows:,} rows that no fold used")
    if metrics.final:
        epochs = count(metrics.final.epochs, "epoch")
        lines.append(f"test: one model, trained on all training rows for {epochs}")
    return [*lines, *_folds_end(run)]


def _best_epoch_by(metrics: KFoldMetrics) -> str:
    by, name = metrics.best_epoch_by, metrics.monitor
    if by == "median of folds":
        return f"{by}, each with its own best epoch"
    smoothed = metrics.smoothed.get(name)
    lowest = smoothed.lowest if isinstance(smoothed, SmoothedCurve) else None
    return f"{by}: {name} {format_number(metrics.best[name] if lowest is None else lowest)}"


def progress(run: Run) -> str:
    """The number of finished folds: `2 of 5 folds`."""
    folds = [Run(run.path / layout.fold(fold.number)) for fold in run.record().folds or []]
    finished = sum(fold.holds(layout.RUN) and fold.status() == layout.FINISHED for fold in folds)
    return f"{finished} of {len(folds)} folds"


def _folds_end(run: Run) -> list[str]:
    """Data leaks, the error, the folder, and the command that resumes the run."""
    record, status = run.record(), run.status()
    path = console.relative_path(run.path)
    lines = [notice for notice in record.notices if notice.startswith("NN214")]
    if error := record.error:
        lines.append(f"stopped: {escape_line(error)}")
    lines.append(f"files in {path}")
    if status not in (layout.FINISHED, layout.RUNNING):
        lines.append(f"to train the missing folds: nnrun resume {path}")
    return lines
