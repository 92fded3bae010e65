"""Writes the run folder of a cross-validation: the results of all its folds together."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnrun import plots
from nnrun.data import splits
from nnrun.errors import NnrunError
from nnrun.experiment import predictions
from nnrun.experiment.crossval import averages
from nnrun.experiment.crossval.messages import ModelReady
from nnrun.experiment.inputs import RawData
from nnrun.experiment.predictions import Predictions
from nnrun.runs import Run, environment, layout
from nnrun.runs.record import TrainMetrics
from nnrun.spec.dumping import digest, dump
from nnrun.spec.experiment import Experiment
from nnrun.spec.validation import Smooth
from nnrun.training import backend
from nnrun.types import Fold, History, lowest_epoch


@dataclass
class CrossValidationRun:
    """A cross-validation with its folder.

    Args:
        began: start time, by `time.perf_counter`.
        failed: the error of each part that failed.
        before: seconds spent before the run was resumed.
    """

    run: Run
    raw: RawData
    folds: Sequence[Fold]
    began: float
    failed: dict[str, str] = field(default_factory=dict)
    before: float = 0.0

    def __post_init__(self) -> None:
        self.before = sum(run.metrics().seconds["total"] for _, run in self.finished)

    @property
    def seconds(self) -> float:
        """Total time so far."""
        return self.before + time.perf_counter() - self.began

    def part(self, name: str) -> Run:
        """The run of a fold, or of all rows."""
        return Run(self.run.path / name)

    def has(self, name: str, spec: Experiment | None = None) -> bool:
        """Whether a part is finished and complete.

        Args:
            name: from `layout`.
            spec: its experiment, by default the one that is cross-validated.
        """
        spec = spec or self.raw.spec
        part = self.part(name)
        try:
            record = part.record()
            for needed in (layout.METRICS, layout.JOURNAL, layout.PREDICTIONS):
                part.read_bytes(needed)
        except NnrunError:
            # Missing or damaged: it is trained again.
            return False
        wanted = (layout.FINISHED, spec.training.epochs, digest(spec))
        return (record.status, record.epochs, record.spec_digest) == wanted

    def record_failure(self, name: str, reason: str) -> None:
        """Writes the failure of a part whose worker died into its record."""
        with suppress(NnrunError):
            self.part(name).update(status=layout.FAILED, error=reason)

    @property
    def finished(self) -> list[tuple[Fold, Run]]:
        """The finished folds, each with its run."""
        names = [(fold, layout.fold(fold.number)) for fold in self.folds]
        return [(fold, self.part(name)) for fold, name in names if self.has(name)]


# Failed parts named in an error message; more are only counted.
NAMED = 5


def first_record(
    raw: RawData,
    folds: Sequence[Fold],
    model: ModelReady,
    notices: Sequence[str],
    overrides: Sequence[str],
) -> dict[str, Any]:
    """The first content of `run.json`."""
    rows = {"train": len(raw.dataset.train), "test": len(raw.dataset.test)}
    return {
        "verb": "kfold",
        "seed": raw.seed,
        "epochs": raw.spec.training.epochs,
        "spec_digest": digest(raw.spec),
        "overrides": list(overrides),
        "engine": model.engine,
        "device": model.device,
        "data_digest": raw.digest,
        "split_digest": splits.digest(folds),
        "rows": rows,
        "folds": [
            {"number": fold.number, "train": len(fold.train), "validation": len(fold.validation)}
            for fold in folds
        ],
        "notices": list(notices),
        "parameters": model.parameters,
        **environment.describe(),
    }


def describe(whole: CrossValidationRun, model: ModelReady) -> None:
    """Writes spec, summary and drawing of the model, before the first fold."""
    whole.run.write_text(layout.SPEC, dump(whole.raw.spec))
    whole.run.write_text(layout.SUMMARY, model.summary)
    whole.run.write_drawing("model", plots.model(model.structure))
    whole.run.update()


def keep(
    whole: CrossValidationRun, check_interrupt: Callable[[], None]
) -> AbstractContextManager[None]:
    """Writes the final status when the block ends, and summarizes the folds so far on errors."""
    return backend.keep_run(
        whole.run,
        lambda: summarize(whole),
        check_interrupt=check_interrupt,
        outcome=lambda: _outcome(whole),
    )


def _outcome(whole: CrossValidationRun) -> tuple[str, str | None]:
    """Status and error of a cross-validation that was not stopped."""
    if not whole.failed:
        return layout.FINISHED, None
    reasons = [f"{part}: {why}" for part, why in whole.failed.items()]
    more = [f"and {len(reasons) - NAMED} more"] if len(reasons) > NAMED else []
    return layout.FAILED, "; ".join([*reasons[:NAMED], *more])


def summarize(whole: CrossValidationRun) -> None:
    """Writes the results over all finished folds."""
    metrics = {fold.number: run.train_metrics() for fold, run in whole.finished}
    histories = {fold.number: run.history() for fold, run in whole.finished}
    whole.run.write_table(layout.FOLDS, _table(whole))
    if not metrics:
        return
    mean = averages.mean_curve(list(histories.values()))
    whole.run.write_json(layout.HISTORY, mean.epochs)
    whole.run.write_table(layout.JOURNAL, _journal(mean))
    _write_predictions(whole)
    summary = _metrics(whole, metrics, mean)
    # Last: a folder with metrics counts as complete.
    _draw(whole, histories, mean, summary)
    whole.run.write_json(layout.METRICS, summary)


def _table(whole: CrossValidationRun) -> list[list[Any]]:
    """A row per fold, also for failed ones."""
    rows: list[dict[str, Any]] = []
    for fold in whole.folds:
        run = whole.part(layout.fold(fold.number))
        begun = run.holds(layout.RUN)
        metrics = run.train_metrics() if begun else TrainMetrics()
        sizes = {"train_rows": len(fold.train), "validation_rows": len(fold.validation)}
        row = {"fold": fold.number, "status": run.status() if begun else "missing", **sizes}
        row["epochs"] = None if metrics.is_empty else metrics.epochs
        row |= {"best_epoch": metrics.best_epoch, "seconds": metrics.seconds.get("total")}
        row |= metrics.train
        row |= {f"val_{name}": value for name, value in metrics.validation.items()}
        rows.append(row)
    header = list(dict.fromkeys(name for row in rows for name in row))
    return [header, *([row.get(name) for name in header] for row in rows)]


def _journal(history: History) -> list[list[Any]]:
    rows = [[epoch + 1, *history.row(epoch).values()] for epoch in range(len(history))]
    return [["epoch", *history.epochs], *rows]


def _metrics(
    whole: CrossValidationRun, metrics: dict[int, TrainMetrics], mean: History
) -> dict[str, Any]:
    by, best, smooth = _best(whole, metrics, mean)
    folds = [metrics.get(fold.number) for fold in whole.folds]
    values = {
        "initial": [fold.initial if fold else None for fold in folds],
        "train": [fold.train if fold else None for fold in folds],
        "validation": [fold.validation if fold else None for fold in folds],
    }
    spreads = {rows: averages.spreads(of_folds, whole.folds) for rows, of_folds in values.items()}
    seconds = [each.seconds for each in metrics.values()]
    spent = {
        "total": whole.seconds,
        "data": whole.raw.seconds,
        "training": sum(each["training"] for each in seconds),
        "epoch_median": statistics.median(each["epoch_median"] for each in seconds),
    }
    return {
        "schema_version": layout.SCHEMA_VERSION,
        "epochs": len(mean),
        "fold_epochs": [fold.epochs if fold else None for fold in folds],
        "monitor": mean.monitor,
        "best_epoch": best,
        "best_epoch_by": by,
        "ddof": averages.DDOF,
        "confidence": averages.CONFIDENCE,
        **spreads,
        "last": mean.row(len(mean) - 1) if len(mean) else {},
        "best": mean.row(best - 1) if best and best <= len(mean) else {},
        **({"smoothed": smooth} if smooth else {}),
        "parameters": next(iter(metrics.values())).parameters,
        "seconds": {name: round(value, 4) for name, value in spent.items()},
    }


def _best(
    whole: CrossValidationRun, metrics: dict[int, TrainMetrics], mean: History
) -> tuple[str, int | None, dict[str, Any]]:
    """The method that chose the best epoch, that epoch, and the minima of the smoothed curves.

    It is the epoch of the lowest mean validation loss, smoothed if the spec asks for it. If the
    folds stopped at different epochs, the mean curve ends too early; then it is the median of the
    best epochs of the folds.
    """
    rule = _smooth(whole, mean)
    lowest: dict[str, Any] = {**rule.model_dump()} if rule else {}
    for name, values in mean.epochs.items():
        if rule and name.startswith("val_"):
            points = averages.smoothed(values, rule)
            at = lowest_epoch(points)
            lowest[name] = {"lowest_epoch": at and at + rule.skip, "lowest": at and points[at - 1]}
    if len({each.epochs for each in metrics.values()}) > 1:
        own = [each.best_epoch for each in metrics.values() if each.best_epoch]
        return "median of folds", round(statistics.median(own)) if own else None, lowest
    if rule:
        return "smoothed mean curve", lowest.get(mean.monitor, {}).get("lowest_epoch"), lowest
    return "mean curve", mean.best_epoch, lowest


def _smooth(whole: CrossValidationRun, mean: History) -> Smooth | None:
    """How the mean curve is smoothed, unless nothing would remain of it."""
    kfold = whole.raw.spec.validation.kfold
    return kfold.smooth if kfold and kfold.smooth and kfold.smooth.skip < len(mean) else None


def _draw(
    whole: CrossValidationRun, histories: dict[int, History], mean: History, summary: dict[str, Any]
) -> None:
    rule, best = _smooth(whole, mean), summary["best_epoch"]
    best = best if best and best <= len(mean) else None
    for metric in mean.epochs:
        if f"val_{metric}" not in mean.epochs:
            continue
        figure = plots.folds(histories, mean, f"val_{metric}", best_epoch=best)
        whole.run.write_figure(metric, figure)
        if rule:
            points = averages.smoothed(mean.epochs[f"val_{metric}"], rule)
            figure = plots.smoothed(points, f"val_{metric}", skip=rule.skip, best_epoch=best)
            whole.run.write_figure(f"{metric}-smoothed", figure)


def _write_predictions(whole: CrossValidationRun) -> None:
    """Predictions for each row, by the model of the fold that held it out."""
    rows, outputs, numbers = [], [], []
    for fold, run in whole.finished:
        arrays = run.read_arrays(layout.PREDICTIONS)
        rows.append(arrays["row"])
        outputs.append(arrays["output"])
        numbers.append(np.full(len(arrays["row"]), fold.number))
    order = np.argsort(np.concatenate(rows), kind="stable")
    found = Predictions(
        whole.raw.dataset,
        "train",
        np.concatenate(rows)[order],
        np.concatenate(outputs)[order],
        {"fold": np.concatenate(numbers)[order]},
    )
    predictions.write(whole.run, found, whole.raw.spec.training)


def add_final(whole: CrossValidationRun) -> None:
    """Adds the test of the final model, if it was trained."""
    if whole.part(layout.FINAL).holds(layout.METRICS):
        final = whole.part(layout.FINAL).metrics()
        known = whole.run.read_json(layout.METRICS)
        known["seconds"]["total"] = round(whole.seconds, 4)
        added = {"test": final.test, "final": {"epochs": final.epochs}}
        whole.run.write_json(layout.METRICS, known | added)
