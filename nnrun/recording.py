"""What a run folder is told, from its first line to its last plot."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from nnrun import plots, targets
from nnrun.assembly import Assembly
from nnrun.errors import NnrunError
from nnrun.intake import Intake
from nnrun.records import Array, Dataset, History, Logs, Observer, Sequences
from nnrun.runs import Run, environment, layout
from nnrun.spec.loading import dump
from nnrun.training import classes
from nnrun.training.compile import puts_out_logits
from nnrun.training.evaluate import probabilities


@dataclass(frozen=True)
class Origin:
    """Where an experiment came from.

    Args:
        overrides: as given with `--set`.
        began: when work on it began, by `time.perf_counter`.
        import_seconds: spent loading TensorFlow and Keras.
    """

    overrides: tuple[str, ...]
    began: float
    import_seconds: float


@dataclass
class Recorder:
    """Passes on what happens, and writes each epoch down as it ends."""

    run: Run
    observer: Observer
    origin: Origin
    history: History = field(default_factory=History)
    epoch_seconds: list[float] = field(default_factory=list)

    def stage(self, text: str) -> None:
        """Passes it on."""
        self.observer.stage(text)

    def run_began(self, path: Path) -> None:
        """Passes it on."""
        self.observer.run_began(path)

    def notice(self, text: str) -> None:
        """Passes it on."""
        self.observer.notice(text)

    def epoch_began(self, epoch: int, epochs: int, steps: int) -> None:
        """Passes it on."""
        self.observer.epoch_began(epoch, epochs, steps)

    def steps_done(self, step: int) -> None:
        """Passes it on."""
        self.observer.steps_done(step)

    def epoch_ended(self, epoch: int, logs: Logs, seconds: float) -> None:
        """Writes the epoch into the journal, so that a kill loses none."""
        self.history.append(logs)
        self.epoch_seconds.append(seconds)
        self.run.append_epoch(self.history)
        self.observer.epoch_ended(epoch, logs, seconds)

    def seconds(self, assembly: Assembly) -> dict[str, float]:
        """Where the time went, in seconds."""
        spent = {
            "total": time.perf_counter() - self.origin.began,
            "import": self.origin.import_seconds,
            "data": assembly.intake.seconds,
            "build": assembly.seconds,
            "training": sum(self.epoch_seconds),
            "epoch_median": statistics.median(self.epoch_seconds or [0.0]),
        }
        return {name: round(value, 4) for name, value in spent.items()}


def first_record(assembly: Assembly, origin: Origin) -> dict[str, Any]:
    """What `run.json` says from the start."""
    intake = assembly.intake
    return {
        "verb": "train",
        "seed": intake.seed,
        "overrides": list(origin.overrides),
        "engine": assembly.engine,
        "device": assembly.device,
        "data_digest": intake.digest,
        "rows": {
            "train": len(intake.fold.train),
            "validation": len(intake.fold.validation),
            "test": len(intake.dataset.test),
        },
        "notices": list(intake.notices),
        "parameters": assembly.model.count_params(),
        **environment.describe(),
    }


def describe(run: Run, assembly: Assembly) -> None:
    """Writes what is known before the first epoch: spec, summary, fitted preparation."""
    run.write_text(layout.SPEC, dump(assembly.intake.spec))
    run.write_text(layout.SUMMARY, assembly.summary)
    preparation = assembly.intake.preparation
    steps = [
        {
            "step": fitted.step.model_dump(),
            "shape": fitted.shape,
            "state": {name: value.tolist() for name, value in fitted.state.items()},
        }
        for fitted in preparation.steps
    ]
    shape = {"shape": list(preparation.shape), "dtype": preparation.dtype}
    names = {"classes": assembly.intake.dataset.classes}
    run.write_json(layout.PREPARATION, {**shape, **names, "steps": steps})


@contextmanager
def kept(recorder: Recorder, assembly: Assembly, clock: Callable[[], datetime]) -> Iterator[None]:
    """Whatever ends the run, its folder says so and keeps the epochs trained so far."""
    run = recorder.run

    def close(status: str, error: str | None = None) -> None:
        run.update(status=status, ended=clock().isoformat(timespec="seconds"), error=error)

    try:
        yield
    except KeyboardInterrupt:
        # The status comes first: a second Ctrl-C ends at once, and what there is must not look lost.
        close(layout.INTERRUPTED)
        run.write(layout.MODEL, assembly.model.save)
        keep(recorder, assembly)
        raise
    except Exception as error:
        close(layout.FAILED, str(error) if isinstance(error, NnrunError) else repr(error))
        keep(recorder, assembly)
        raise
    close(layout.FINISHED)


def keep(recorder: Recorder, assembly: Assembly, **evaluations: Any) -> None:
    """Writes history, curves and metrics of the epochs there are."""
    # Read back, because Ctrl-C may have come between the two metrics of an epoch.
    run, history = recorder.run, recorder.run.history()
    if not len(history):
        return
    best = best_epoch(history)
    run.write_json(layout.HISTORY, history.epochs)
    run.write_json(
        layout.METRICS,
        {
            "schema_version": layout.SCHEMA_VERSION,
            "epochs": len(history),
            "monitor": monitor(history),
            "best_epoch": best,
            "initial": assembly.initial,
            "last": history.row(len(history) - 1),
            "best": history.row(best - 1) if best else {},
            **evaluations,
            "parameters": assembly.model.count_params(),
            "seconds": recorder.seconds(assembly),
        },
    )
    for metric in history.epochs:
        if not metric.startswith("val_"):
            run.write_figure(metric, plots.curve(history, metric, best_epoch=best))


def monitor(history: History) -> str:
    """The loss by which the best epoch is chosen."""
    return "val_loss" if "val_loss" in history.epochs else "loss"


def best_epoch(history: History) -> int | None:
    """The epoch of the lowest monitored loss, counted from 1; None where there is no number."""
    losses = np.asarray(history.epochs.get(monitor(history), []))
    return int(np.nanargmin(losses)) + 1 if np.isfinite(losses).any() else None


def finish(recorder: Recorder, assembly: Assembly) -> None:
    """Evaluates the trained model and writes all that depends on it."""
    recorder.stage("testing")
    run, intake, evaluator = recorder.run, assembly.intake, assembly.evaluator
    evaluations = {"train": evaluator.metrics(assembly.train, intake.fold.train)}
    if len(intake.fold.validation):
        evaluations["validation"] = evaluator.metrics(assembly.train, intake.fold.validation)
    evaluations["test"] = evaluator.metrics(assembly.test, np.arange(len(assembly.test)))
    output = evaluator.outputs(assembly.test)
    output = probabilities(output) if puts_out_logits(intake.spec.training) else output
    run.write(layout.MODEL, assembly.model.save)
    run.write_arrays(layout.PREDICTIONS, target=intake.dataset.test.y, output=output)
    recorder.stage("drawing")
    _describe_predictions(run, intake, output)
    keep(recorder, assembly, **evaluations)


def _describe_predictions(run: Run, intake: Intake, output: Array) -> None:
    dataset, training = intake.dataset, intake.spec.training
    target = dataset.test.y
    if not dataset.classes:
        figure = plots.predicted_against_true(target, output[:, 0], name=dataset.target)
        run.write_figure("predicted", figure)
        return
    guess = classes.predicted(output, threshold=targets.threshold(training))
    counts = classes.confusion(target, guess, dataset.classes)
    header = ["true \\ predicted", *dataset.classes]
    rows = [[name, *row] for name, row in zip(dataset.classes, counts.tolist(), strict=True)]
    run.write_table(layout.CONFUSION, [header, *rows])
    run.write_json(layout.REPORT, classes.report(target, guess, dataset.classes))
    run.write_figure("confusion", plots.confusion(counts, dataset.classes))
    sure = classes.confidence(output) if targets.are_probabilities(training) else None
    _gallery(run, dataset, guess, None if sure is None else sure.tolist())


def _gallery(run: Run, dataset: Dataset, guess: Array, sure: list[float] | None) -> None:
    names, x = dataset.classes, dataset.test.x
    many = plots.TEXTS if isinstance(x, Sequences) else plots.PICTURES
    labels = [names[index] for index in dataset.test.y[:many]]
    guesses = [names[index] for index in guess[:many]]
    sure = sure[:many] if sure else None
    if isinstance(x, Sequences):
        texts = decoded(dataset, x, len(labels))
        run.write_figure("gallery", plots.texts(texts, labels, guesses, confidence=sure))
    elif x.ndim > 2:
        run.write_figure("gallery", plots.pictures(x[:many], labels, guesses, confidence=sure))


def decoded(dataset: Dataset, x: Sequences, many: int) -> list[str]:
    """The first texts, in words."""
    words: Mapping[int, str] = dataset.vocabulary() if dataset.vocabulary else {}
    return [
        " ".join(words.get(int(index), str(index)) for index in x.row(row))
        for row in range(min(many, len(x)))
    ]
