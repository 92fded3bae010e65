"""Writes the run folder of a cross-validation: the results of all its folds together."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from nnrun import plots
from nnrun.data import splits
from nnrun.errors import NnrunError
from nnrun.experiment import predictions
from nnrun.experiment.crossval import averages
from nnrun.experiment.crossval.messages import ModelReady
from nnrun.experiment.inputs import RawData
from nnrun.experiment.predictions import Predictions
from nnrun.runs import Run, environment, history_table, layout
from nnrun.runs.record import TrainMetrics
from nnrun.spec import labels
from nnrun.spec.dumping import digest, dump
from nnrun.spec.experiment import Experiment
from nnrun.spec.text import shorten_list
from nnrun.spec.validation import Smooth
from nnrun.training import backend
from nnrun.types import Fold, History, lowest_epoch

MAX_REASONS = 5  # failed parts named in an error message; more are only counted


def first_record(
    raw: RawData,
    folds: Sequence[Fold],
    model: ModelReady,
    notices: Sequence[str],
    overrides: Sequence[str],
) -> dict[str, object]:
    """The first content of `run.json`."""
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
        "rows": {"train": len(raw.dataset.train), "test": len(raw.dataset.test)},
        "folds": [
            {"number": fold.number, "train": len(fold.train), "validation": len(fold.validation)}
            for fold in folds
        ],
        **labels.positive_class(raw.spec.training, raw.dataset.classes),
        "notices": list(notices),
        "parameters": model.parameters,
        **environment.describe(),
    }


@dataclass
class CrossValidationRun:
    """A cross-validation with its folder.

    Args:
        failed: the error of each part that failed.
        before: seconds spent before the run was resumed.
    """

    run: Run
    raw: RawData
    folds: Sequence[Fold]
    began: float
    failed: dict[str, str] = field(default_factory=dict)
    before: float = field(init=False)

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
            spec: its experiment, by default the one that is cross-validated.
        """
        spec = spec or self.raw.spec
        part = self.part(name)
        try:
            record = part.record()
            for file in (layout.METRICS, layout.JOURNAL, layout.PREDICTIONS):
                part.whole(file)
        except NnrunError:
            # Missing or damaged: it is trained again.
            return False
        wanted = (layout.FINISHED, spec.training.epochs, digest(spec))
        return (record.status, record.epochs, record.spec_digest) == wanted

    @property
    def finished(self) -> list[tuple[Fold, Run]]:
        """The finished folds, each with its run."""
        names = [(fold, layout.fold(fold.number)) for fold in self.folds]
        return [(fold, self.part(name)) for fold, name in names if self.has(name)]

    def describe(self, model: ModelReady) -> None:
        """Writes spec, summary and drawing of the model, before the first fold."""
        self.run.write_spec(dump(self.raw.spec), self.raw.spec.code)
        self.run.write_text(layout.SUMMARY, model.summary)
        self.run.write_drawing("model", plots.model(model.structure))
        self.run.update()

    def keep(self, check_interrupt: Callable[[], None]) -> AbstractContextManager[None]:
        """Writes the final status when the block ends, and summarizes the folds so far on errors."""
        return backend.keep_run(
            self.run, self.summarize, check_interrupt=check_interrupt, outcome=self._outcome
        )

    def _outcome(self) -> tuple[str, str | None]:
        """Status and error of a cross-validation that was not stopped."""
        if not self.failed:
            return layout.FINISHED, None
        reasons = [f"{part}: {reason}" for part, reason in self.failed.items()]
        return layout.FAILED, "; ".join(shorten_list(reasons, MAX_REASONS))

    def summarize(self) -> None:
        """Writes the results over all finished folds."""
        self.run.write_table(layout.FOLDS, self._fold_table())
        finished = self.finished
        if not finished:
            return
        metrics = {fold.number: run.train_metrics() for fold, run in finished}
        histories = {fold.number: run.history() for fold, run in finished}
        mean = averages.mean_curve(list(histories.values()))
        self.run.write_json(layout.HISTORY, mean.epochs)
        self.run.write_table(layout.JOURNAL, history_table.table(mean))
        self._write_predictions(finished)
        kfold = self.raw.spec.validation.kfold
        # Not smoothed if the mean curve is too short.
        rule = kfold.smooth if kfold and kfold.smooth and kfold.smooth.skip < len(mean) else None
        minima = _smoothed_minima(mean, rule) if rule else {}
        method, best = self._best_epoch(list(metrics.values()), mean, minima)
        in_curve = best if best and best <= len(mean) else None
        folds = [metrics.get(fold.number, TrainMetrics()) for fold in self.folds]
        seconds = [values.seconds for values in metrics.values()]
        spent = {
            "total": self.seconds,
            "data": self.raw.seconds,
            "training": sum(each["training"] for each in seconds),
            "epoch_median": statistics.median(each["epoch_median"] for each in seconds),
        }
        self._draw(histories, mean, rule, in_curve)
        bounds = labels.all_bounds(self.raw.spec.training)
        spreads = partial(averages.spreads, folds=self.folds, bounds=bounds)
        # Last: a folder with metrics counts as complete.
        self.run.write_json(
            layout.METRICS,
            {
                "schema_version": layout.SCHEMA_VERSION,
                "epochs": len(mean),
                "fold_epochs": [None if fold.is_empty else fold.epochs for fold in folds],
                "monitor": self.raw.spec.training.restored_by or mean.monitor,
                "best_epoch": best,
                "best_epoch_by": method,
                "ddof": averages.DDOF,
                "confidence": averages.CONFIDENCE,
                "initial": spreads([fold.initial for fold in folds]),
                "train": spreads([fold.train for fold in folds]),
                "validation": spreads([fold.validation for fold in folds]),
                "last": mean.row(len(mean) - 1) if len(mean) else {},
                "best": mean.row(in_curve - 1) if in_curve else {},
                **({"smoothed": {**rule.model_dump(), **minima}} if rule else {}),
                "parameters": next(iter(metrics.values())).parameters,
                "seconds": {name: round(value, 4) for name, value in spent.items()},
            },
        )

    def _best_epoch(
        self,
        metrics: Sequence[TrainMetrics],
        mean: History,
        minima: dict[str, dict[str, float | None]],
    ) -> tuple[str, int | None]:
        """The best epoch, and the method that chose it.

        It is the epoch of the lowest mean validation loss, smoothed if the spec asks for it. If the
        folds stopped at different epochs, the mean curve ends too early, and if each restored its
        own best epoch, the curve is not of their models; then it is the median of the best epochs
        of the folds.
        """
        if self.raw.spec.training.restored_by or len({fold.epochs for fold in metrics}) > 1:
            epochs = [fold.best_epoch for fold in metrics if fold.best_epoch]
            return "median of folds", round(statistics.median(epochs)) if epochs else None
        if minima:
            epoch = minima.get(mean.monitor, {}).get("lowest_epoch")
            return "smoothed mean curve", None if epoch is None else int(epoch)
        return "mean curve", mean.best_epoch()

    def _fold_table(self) -> list[list[object]]:
        """A row per fold, also for failed ones."""
        rows: list[dict[str, object]] = []
        for fold in self.folds:
            run = self.part(layout.fold(fold.number))
            exists = run.holds(layout.RUN)
            metrics = run.train_metrics() if exists else TrainMetrics()
            rows.append(
                {
                    "fold": fold.number,
                    "status": run.status() if exists else "missing",
                    "train_rows": len(fold.train),
                    "validation_rows": len(fold.validation),
                    "epochs": None if metrics.is_empty else metrics.epochs,
                    "best_epoch": metrics.best_epoch,
                    "seconds": metrics.seconds.get("total"),
                    **metrics.train,
                    **{f"val_{name}": value for name, value in metrics.validation.items()},
                }
            )
        header = list(dict.fromkeys(name for row in rows for name in row))
        return [[*header], *([row.get(name) for name in header] for row in rows)]

    def _write_predictions(self, finished: Sequence[tuple[Fold, Run]]) -> None:
        """Predictions for each row, by the model of the fold that held it out."""
        rows, outputs, numbers, targets = [], [], [], []
        for fold, run in finished:
            arrays = run.read_arrays(layout.PREDICTIONS)
            rows.append(self.raw.dataset.train.positions(arrays["row"]))
            outputs.append(arrays["output"])
            targets.append(arrays["target"])
            numbers.append(np.full(len(arrays["row"]), fold.number))
        order = np.argsort(np.concatenate(rows), kind="stable")
        predicted = Predictions(
            self.raw.dataset,
            "train",
            np.concatenate(rows)[order],
            np.concatenate(outputs)[order],
            {"fold": np.concatenate(numbers)[order]},
            np.concatenate(targets)[order] if self.raw.spec.dataset.reconstructs else None,
        )
        predictions.write(self.run, predicted, self.raw.spec.training)

    def _draw(
        self, histories: dict[int, History], mean: History, rule: Smooth | None, best: int | None
    ) -> None:
        for metric in mean.epochs:
            name = f"val_{metric}"
            if name not in mean.epochs:
                continue
            figure = plots.folds(histories, mean, name, best_epoch=best)
            self.run.write_figure(metric, figure)
            if rule:
                points = averages.smoothed(mean.epochs[name], rule)
                figure = plots.smoothed(points, name, skip=rule.skip, best_epoch=best)
                self.run.write_figure(f"{metric}-smoothed", figure)

    def add_ensemble(self, tested: Mapping[str, Mapping[str, float]]) -> None:
        """Adds the test of the mean output of all folds, also on each of several test sets."""
        metrics = self.run.read_json(layout.METRICS)
        metrics["seconds"]["total"] = round(self.seconds, 4)
        rows = len(self.raw.dataset.test)
        tests = {name: dict(values) for name, values in tested.items() if name}
        metrics["ensemble"] = {
            "models": len(self.folds),
            "rows": rows,
            "test": dict(tested[""]),
            **({"tests": tests} if tests else {}),
        }
        self.run.write_json(layout.METRICS, metrics)

    def add_final(self) -> None:
        """Adds the test of the final model, if it was trained."""
        if self.part(layout.FINAL).holds(layout.METRICS):
            final = self.part(layout.FINAL).metrics()
            metrics = self.run.read_json(layout.METRICS)
            metrics["seconds"]["total"] = round(self.seconds, 4)
            tests = {"tests": final.tests} if final.tests else {}
            metrics |= {"test": final.test, **tests, "final": {"epochs": final.epochs}}
            self.run.write_json(layout.METRICS, metrics)


def _smoothed_minima(mean: History, rule: Smooth) -> dict[str, dict[str, float | None]]:
    """The lowest value of each smoothed validation curve, and its epoch."""
    minima: dict[str, dict[str, float | None]] = {}
    for name, values in mean.epochs.items():
        if name.startswith("val_"):
            points = averages.smoothed(values, rule)
            epoch = lowest_epoch(points)
            minima[name] = {
                "lowest_epoch": epoch and epoch + rule.skip,
                "lowest": epoch and points[epoch - 1],
            }
    return minima
