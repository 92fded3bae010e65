"""What the folder of a cross-validation says of all its folds together."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from nnrun import plots
from nnrun.data import splits
from nnrun.errors import NnrunError, heeding
from nnrun.experiment import predictions
from nnrun.experiment.crossval import averages
from nnrun.experiment.crossval.messages import Ready
from nnrun.experiment.inputs import RawData
from nnrun.experiment.predictions import Predictions
from nnrun.runs import Run, environment, layout
from nnrun.spec.experiment import Experiment
from nnrun.spec.loading import digest, dump
from nnrun.spec.validation import Smooth
from nnrun.types import Fold, History, lowest_epoch

# A cross-validation with its folder, and which of its parts are there.


@dataclass
class CrossValidationRun:
    """A cross-validation with its folder.

    Args:
        began: when work on it began, by `time.perf_counter`.
        failed: why each part failed that did.
        before: seconds that were spent on it before it was stopped.
    """

    run: Run
    raw: RawData
    folds: Sequence[Fold]
    began: float
    failed: dict[str, str] = field(default_factory=dict)
    before: float = 0.0

    def __post_init__(self) -> None:
        # Of one that was stopped: what the folds took that are there.
        self.before = sum(run.metrics()["seconds"]["total"] for _, run in self.finished)

    @property
    def seconds(self) -> float:
        """Spent on it in all."""
        return self.before + time.perf_counter() - self.began

    def part(self, name: str) -> Run:
        """The run of a fold, or of all rows."""
        return Run(self.run.path / name)

    def has(self, name: str, spec: Experiment | None = None) -> bool:
        """Whether a part is there and finished, with all that is needed of it.

        Args:
            name: from `layout`.
            spec: what it should be of, by default the experiment as a whole.
        """
        spec = spec or self.raw.spec
        part = self.part(name)
        try:
            record = part.record()
            for needed in (layout.METRICS, layout.JOURNAL, layout.PREDICTIONS):
                part.read_bytes(needed)
        except NnrunError:
            # Damaged, or not there: it is made again.
            return False
        wanted = (layout.FINISHED, spec.training.epochs, digest(spec))
        return (record["status"], record.get("epochs"), record.get("spec_digest")) == wanted

    def lost(self, name: str, reason: str) -> None:
        """Says in a part's record what it could not say itself any more."""
        with suppress(NnrunError):
            self.part(name).update(status=layout.FAILED, error=reason)

    @property
    def finished(self) -> list[tuple[Fold, Run]]:
        """The folds that are there, each with its run."""
        names = [(fold, layout.fold(fold.number)) for fold in self.folds]
        return [(fold, self.part(name)) for fold, name in names if self.has(name)]


# So many failed parts are named before it is only said that there are more.
NAMED = 5


def first(
    raw: RawData,
    folds: Sequence[Fold],
    ready: Ready,
    notices: Sequence[str],
    overrides: Sequence[str],
) -> dict[str, Any]:
    """What `run.json` says from the start."""
    rows = {"train": len(raw.dataset.train), "test": len(raw.dataset.test)}
    return {
        "verb": "kfold",
        "seed": raw.seed,
        "epochs": raw.spec.training.epochs,
        "spec_digest": digest(raw.spec),
        "overrides": list(overrides),
        "engine": ready.engine,
        "device": ready.device,
        "data_digest": raw.digest,
        "split_digest": splits.digest(folds),
        "rows": rows,
        "folds": [
            {"number": fold.number, "train": len(fold.train), "validation": len(fold.validation)}
            for fold in folds
        ],
        "notices": list(notices),
        "parameters": ready.parameters,
        **environment.describe(),
    }


def describe(whole: CrossValidationRun, ready: Ready) -> None:
    """Writes what is known before the first fold."""
    whole.run.write_text(layout.SPEC, dump(whole.raw.spec))
    whole.run.write_text(layout.SUMMARY, ready.summary)
    whole.run.write_drawing("model", plots.model(ready.structure))
    whole.run.update()


@contextmanager
def kept(whole: CrossValidationRun, heed: Callable[[], None]) -> Iterator[None]:
    """Whatever ends the cross-validation, its folder says so and keeps the folds there are.

    Args:
        whole: the cross-validation.
        heed: raises KeyboardInterrupt where a signal came that was lost on its way.
    """

    def close(status: str, error: str | None = None) -> None:
        now = datetime.now().isoformat(timespec="seconds")
        whole.run.update(status=status, ended=now, error=error)

    try:
        with heeding(heed):
            yield
        close(*_outcome(whole))
    except KeyboardInterrupt as interrupt:
        close(layout.INTERRUPTED)
        try:
            summarise(whole)
            whole.run.update()
        except ValueError:
            # A second Ctrl-C, where it fell into the part of matplotlib that is not Python.
            raise interrupt from None
        raise
    except Exception as error:
        # What stopped it must not be buried under what stops this.
        with suppress(NnrunError):
            close(layout.FAILED, str(error) if isinstance(error, NnrunError) else repr(error))
            summarise(whole)
            whole.run.update()
        raise
    finally:
        whole.run.release()


def _outcome(whole: CrossValidationRun) -> tuple[str, str | None]:
    """The status of one that came to its end, and what failed in it."""
    if not whole.failed:
        return layout.FINISHED, None
    reasons = [f"{part}: {why}" for part, why in whole.failed.items()]
    more = [f"and {len(reasons) - NAMED} more"] if len(reasons) > NAMED else []
    return layout.FAILED, "; ".join([*reasons[:NAMED], *more])


def summarise(whole: CrossValidationRun) -> None:
    """Writes what the folds that are there say together, failed ones left out."""
    metrics = {fold.number: run.metrics() for fold, run in whole.finished}
    histories = {fold.number: run.history() for fold, run in whole.finished}
    whole.run.write_table(layout.FOLDS, _table(whole))
    if not metrics:
        return
    mean = averages.mean_curve(list(histories.values()))
    whole.run.write_json(layout.HISTORY, mean.epochs)
    whole.run.write_table(layout.JOURNAL, _journal(mean))
    _write_predictions(whole)
    summary = _metrics(whole, metrics, mean)
    # Last, because whoever finds it takes the rest for complete.
    _draw(whole, histories, mean, summary)
    whole.run.write_json(layout.METRICS, summary)


def _table(whole: CrossValidationRun) -> list[list[Any]]:
    """A row per fold; of one that failed what is known of it."""
    rows: list[dict[str, Any]] = []
    for fold in whole.folds:
        run = whole.part(layout.fold(fold.number))
        begun = run.holds(layout.RUN)
        metrics = run.metrics() if begun else {}
        sizes = {"train_rows": len(fold.train), "validation_rows": len(fold.validation)}
        row = {"fold": fold.number, "status": run.status() if begun else "missing", **sizes}
        row |= {"epochs": metrics.get("epochs"), "best_epoch": metrics.get("best_epoch")}
        row["seconds"] = metrics.get("seconds", {}).get("total")
        row |= metrics.get("train", {})
        row |= {f"val_{name}": value for name, value in metrics.get("validation", {}).items()}
        rows.append(row)
    header = list(dict.fromkeys(name for row in rows for name in row))
    return [header, *([row.get(name) for name in header] for row in rows)]


def _journal(history: History) -> list[list[Any]]:
    rows = [[epoch + 1, *history.row(epoch).values()] for epoch in range(len(history))]
    return [["epoch", *history.epochs], *rows]


def _metrics(
    whole: CrossValidationRun, metrics: dict[int, dict[str, Any]], mean: History
) -> dict[str, Any]:
    by, best, smooth = _best(whole, metrics, mean)
    spreads = {
        rows: averages.spreads(
            [metrics.get(fold.number, {}).get(rows) for fold in whole.folds], whole.folds
        )
        for rows in ("initial", "train", "validation")
    }
    seconds = [each["seconds"] for each in metrics.values()]
    spent = {
        "total": whole.seconds,
        "data": whole.raw.seconds,
        "training": sum(each["training"] for each in seconds),
        "epoch_median": statistics.median(each["epoch_median"] for each in seconds),
    }
    return {
        "schema_version": layout.SCHEMA_VERSION,
        "epochs": len(mean),
        "fold_epochs": [metrics.get(fold.number, {}).get("epochs") for fold in whole.folds],
        "monitor": mean.monitor,
        "best_epoch": best,
        "best_epoch_by": by,
        "ddof": averages.DDOF,
        "confidence": averages.CONFIDENCE,
        **spreads,
        "last": mean.row(len(mean) - 1) if len(mean) else {},
        "best": mean.row(best - 1) if best and best <= len(mean) else {},
        **({"smoothed": smooth} if smooth else {}),
        "parameters": next(iter(metrics.values()))["parameters"],
        "seconds": {name: round(value, 4) for name, value in spent.items()},
    }


def _best(
    whole: CrossValidationRun, metrics: dict[int, dict[str, Any]], mean: History
) -> tuple[str, int | None, dict[str, Any]]:
    """By what the best epoch was found, that epoch, and the lowest points of the smoothed curves.

    It is that of the lowest mean validation loss, smoothed where the spec says so. Where folds were
    stopped at different epochs the mean curve ends too early to tell; then it is the median of the
    epochs that were best for each fold.
    """
    rule = _smooth(whole, mean)
    lowest: dict[str, Any] = {**rule.model_dump()} if rule else {}
    for name, values in mean.epochs.items():
        if rule and name.startswith("val_"):
            points = averages.smoothed(values, rule)
            at = lowest_epoch(points)
            lowest[name] = {"lowest_epoch": at and at + rule.skip, "lowest": at and points[at - 1]}
    if len({each["epochs"] for each in metrics.values()}) > 1:
        own = [each["best_epoch"] for each in metrics.values() if each["best_epoch"]]
        return "median of folds", round(statistics.median(own)) if own else None, lowest
    if rule:
        return "smoothed mean curve", lowest.get(mean.monitor, {}).get("lowest_epoch"), lowest
    return "mean curve", mean.best_epoch, lowest


def _smooth(whole: CrossValidationRun, mean: History) -> Smooth | None:
    """How the mean curve is smoothed, where there is something left of it."""
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
    """Each row as a model saw it that was not trained on it, fold by fold."""
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
    """Adds the test of the model that was trained on all rows, if it could be."""
    if whole.part(layout.FINAL).holds(layout.METRICS):
        final = whole.part(layout.FINAL).metrics()
        known = whole.run.metrics()
        known["seconds"]["total"] = round(whole.seconds, 4)
        told = {"test": final["test"], "final": {"epochs": final["epochs"]}}
        whole.run.write_json(layout.METRICS, known | told)
