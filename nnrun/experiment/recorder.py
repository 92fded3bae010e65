"""Writes a run folder, from its first record to its last plot."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from datetime import datetime

from nnrun import plots
from nnrun.check.training import better_mode
from nnrun.data import input_schema, splits
from nnrun.data.preprocessing import Preparation
from nnrun.experiment import predictions
from nnrun.experiment.inputs import PreparedData
from nnrun.experiment.predictions import Predictions
from nnrun.experiment.setup import TrainingSetup
from nnrun.runs import Run, environment, layout
from nnrun.spec import labels
from nnrun.spec.dumping import digest, dump
from nnrun.training import backend, callbacks, checkpoints
from nnrun.training.checkpoints import Checkpoint, CheckpointSchedule
from nnrun.training.state import State, seeds
from nnrun.types import Dataset, History, Logs, Observer


@dataclass(frozen=True)
class RunContext:
    """The circumstances of a run.

    Args:
        overrides: as given with `--set`.
        began: start time, by `time.perf_counter`.
        import_seconds: spent loading TensorFlow and Keras.
        clock: the local time.
        check_interrupt: raises KeyboardInterrupt if an interrupt was lost.
    """

    overrides: tuple[str, ...]
    began: float
    import_seconds: float
    clock: Callable[[], datetime] = datetime.now
    check_interrupt: Callable[[], None] = lambda: None


def first_record(setup: TrainingSetup, context: RunContext) -> dict[str, object]:
    """The first content of `run.json`."""
    prepared, fold = setup.prepared, setup.prepared.fold
    return {
        "verb": "kfold" if fold.number else "train",
        **({"fold": fold.number} if fold.number else {}),
        "seed": prepared.seed,
        "epochs": prepared.spec.training.epochs,
        "spec_digest": digest(prepared.spec),
        "overrides": list(context.overrides),
        "engine": setup.engine,
        "device": setup.device,
        "data_digest": prepared.digest,
        "split_digest": splits.digest([fold]),
        "rows": {
            "train": len(fold.train),
            "validation": len(fold.validation),
            "test": 0 if fold.number else len(prepared.dataset.test),
            **({} if fold.number else _test_rows(prepared.dataset)),
        },
        **labels.positive_class(prepared.spec.training, prepared.dataset.classes),
        "notices": _notices(setup),
        **({"weights_digest": setup.weights.digest} if setup.weights else {}),
        "parameters": setup.model.count_params(),
        **environment.describe(),
    }


def _test_rows(dataset: Dataset) -> dict[str, int]:
    """Number of rows of each of several test sets."""
    return {f"test_{name}": len(rows) for name, rows in dataset.test.test_sets.items()}


@dataclass
class Recorder(Observer):
    """Writes each epoch into the run folder as it ends, and notifies another observer.

    Args:
        start: the checkpoint from which the run resumes, if any.
        before: seconds spent on the run before that.
    """

    run: Run
    observer: Observer
    context: RunContext
    setup: TrainingSetup
    start: Checkpoint | None = None
    before: float = 0.0
    history: History = field(default_factory=History)
    epoch_seconds: list[float] = field(default_factory=list)
    schedule: CheckpointSchedule = field(default_factory=CheckpointSchedule)

    @property
    def seconds(self) -> float:
        """Total time so far."""
        return self.before + time.perf_counter() - self.context.began

    def keep_run(self) -> AbstractContextManager[None]:
        """Writes the final status when the block ends, and saves the epochs so far on errors."""
        return backend.keep_run(
            self.run,
            self.save,
            check_interrupt=self.context.check_interrupt,
            save_model=lambda: self.run.write(layout.MODEL, self.setup.model.save),
            clear=lambda: shutil.rmtree(self.run.path / layout.CHECKPOINT, ignore_errors=True),
            clock=self.context.clock,
        )

    def begin(self) -> None:
        """Finds the checkpoint to resume from, and writes everything known before training."""
        run, prepared = self.run, self.setup.prepared
        self.observer.run_began(run.path)
        for notice in _notices(self.setup):
            self.observer.notice(notice)
        self._resume()
        run.write_spec(dump(prepared.spec), prepared.spec.code)
        run.write_text(layout.SUMMARY, self.setup.summary)
        run.write_json(layout.PREPARATION, _describe_preparation(prepared))
        views = prepared.dataset.views
        words = {name: asdict(view.words()) for name, view in views.items() if view.words}
        if words:
            run.write_json(layout.WORDS, words.get("", words))
        run.update()

    def _resume(self) -> None:
        """Finds the checkpoint to resume from, and cuts the journal to its epochs."""
        self.start, warnings = checkpoints.latest(self.run)
        for warning in warnings:
            self.observer.notice(warning)
        if self.start:
            self.history = History({**self.start.history.epochs})
            self.epoch_seconds = [*self.start.epoch_seconds]
            self.before = self.start.seconds
            self.observer.notice(f"resuming after epoch {len(self.history)}")
        elif (self.run.path / layout.JOURNAL).exists():
            self.observer.notice("restarting from the beginning, as there is no checkpoint")
        # Also damaged ones: later ones would look as if the journal had lost epochs.
        checkpoints.delete_after(self.run, len(self.history))
        self.run.begin_journal(self.history)

    def save_state(self, capture: Callable[[], State]) -> None:
        """Writes a checkpoint if one is due."""
        self.context.check_interrupt()
        self.schedule.call_if_due(lambda: self._write_checkpoint(capture()))

    def _write_checkpoint(self, state: State) -> None:
        names = callbacks.appended_files(self.setup.prepared.spec.training.callbacks)
        files = checkpoints.appended_files(self.run, names)
        # After a crash of the machine the journal must hold all epochs of the checkpoint.
        self.run.settled(layout.JOURNAL)
        seconds = tuple(self.epoch_seconds)
        checkpoints.write(self.run, Checkpoint(state, self.history, seconds, self.seconds, files))

    def epoch_began(self, epoch: int, epochs: int, steps: int) -> None:
        """Notifies the other observer."""
        self.observer.epoch_began(epoch, epochs, steps)

    def steps_done(self, step: int) -> None:
        """Notifies the other observer."""
        self.observer.steps_done(step)

    def epoch_ended(self, epoch: int, logs: Logs, seconds: float) -> None:
        """Writes the epoch into the journal, so that a kill loses none.

        If an interrupt cuts this off, the epoch is reported again.
        """
        self.history.cut(epoch)
        del self.epoch_seconds[epoch:]
        self.history.append(logs)
        self.epoch_seconds.append(seconds)
        self.run.append_epoch(self.history)
        self.observer.epoch_ended(epoch, logs, seconds)

    def save(self, evaluations: Mapping[str, object] | None = None) -> None:
        """Writes history, curves and metrics of the epochs so far."""
        # Read back, because Ctrl-C may have come between two metrics of an epoch.
        run, history = self.run, self.run.history()
        if not len(history):
            return
        training = self.setup.prepared.spec.training
        restored_by = training.restored_by
        monitor = restored_by or history.monitor
        best = history.best_epoch(monitor, highest=better_mode(monitor, training) == "max")
        run.end_journal()
        run.write_json(layout.HISTORY, history.epochs)
        spent = {
            "total": self.seconds,
            "import": self.context.import_seconds,
            "data": self.setup.prepared.seconds,
            "build": self.setup.seconds,
            "training": sum(self.epoch_seconds),
            "epoch_median": statistics.median(self.epoch_seconds or [0.0]),
        }
        metrics = {
            "schema_version": layout.SCHEMA_VERSION,
            "epochs": len(history),
            "monitor": monitor,
            "best_epoch": best,
            **({"restored_epoch": best} if restored_by and evaluations else {}),
            "initial": self.setup.initial,
            "last": history.row(len(history) - 1),
            "best": history.row(best - 1) if best else {},
            **(evaluations or {}),
            "parameters": self.setup.model.count_params(),
            "seconds": {name: round(value, 4) for name, value in spent.items()},
        }
        run.write_json(layout.METRICS, metrics)
        for metric in history.epochs:
            if not metric.startswith("val_"):
                run.write_figure(metric, plots.curve(history, metric, best_epoch=best))

    def finish(self, metrics: Mapping[str, object], predicted: Predictions) -> None:
        """Writes the trained model and everything that depends on it."""
        run, setup = self.run, self.setup
        run.write(layout.MODEL, setup.model.save)
        run.update(layer_seeds=[seed.numpy().tolist() for seed in seeds(setup.model)])
        self.observer.stage("drawing")
        predictions.write(run, predicted, setup.prepared.spec.training)
        self.save(metrics)
        # The folds of a cross-validation share one drawing, in the folder of the whole run.
        if not setup.prepared.fold.number:
            run.write_drawing("model", plots.model(setup.structure))


def _notices(setup: TrainingSetup) -> list[str]:
    started = [setup.weights.notice] if setup.weights else []
    return [*setup.prepared.notices, *started]


def _describe_preparation(prepared: PreparedData) -> dict[str, object]:
    """The content of `prepare.json`: the fitted steps and the shape of a prepared row, by input."""
    dataset, preparation = prepared.dataset, prepared.preparation
    labels = {"classes": dataset.classes, "target": asdict(dataset.target)}
    if isinstance(preparation, Preparation):
        return {**labels, **_describe_input(dataset, preparation)}
    views, parts = dataset.views, preparation.parts
    return {**labels, "inputs": {name: _describe_input(views[name], parts[name]) for name in parts}}


def _describe_input(dataset: Dataset, preparation: Preparation) -> dict[str, object]:
    return {
        "shape": list(preparation.shape),
        "dtype": preparation.dtype,
        "rows": asdict(input_schema.of(dataset)),
        "steps": [
            {
                "step": fitted.step.model_dump(),
                "shape": fitted.shape,
                "state": {name: value.tolist() for name, value in fitted.state.items()},
            }
            for fitted in preparation.steps
        ],
    }
