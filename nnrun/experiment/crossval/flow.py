"""Runs a cross-validation: loads the rows, schedules the folds, records the results.

The workers train; this process needs no TensorFlow.
"""

from __future__ import annotations

import os
import statistics
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnrun.check import lint, spec_context
from nnrun.data import checks, splits
from nnrun.errors import RunError
from nnrun.executors.local import Worker, WorkerDied, WorkerPool
from nnrun.experiment import inputs, predictions
from nnrun.experiment.crossval import record
from nnrun.experiment.crossval.messages import (
    BuildFailed,
    Job,
    JobDone,
    ModelReady,
    ObserverCall,
    RunJob,
    Started,
    WorkerInput,
)
from nnrun.experiment.crossval.record import CrossValidationRun
from nnrun.experiment.inputs import RawData
from nnrun.runs import Run, layout
from nnrun.spec import catalogue
from nnrun.spec.experiment import Experiment
from nnrun.spec.validation import Validation
from nnrun.types import Fold, Observer

# A further worker is worth its start if the waiting folds keep the present ones busy for longer.
START_SECONDS = 15.0
TICK_SECONDS = 0.25


@dataclass(frozen=True)
class Order:
    """A cross-validation to run.

    Args:
        spec: with a `validation.kfold`.
        overrides: as given with `--set`.
        workers: number of processes; None lets the program decide.
        folder: makes the run folder, or opens the one to resume.
        began: start time, by `time.perf_counter`.
        check_interrupt: raises KeyboardInterrupt if an interrupt was lost.
    """

    spec: Experiment
    overrides: tuple[str, ...]
    workers: int | None
    folder: Callable[[dict[str, Any]], Run]
    began: float
    check_interrupt: Callable[[], None] = lambda: None


def cross_validate(order: Order, pool: WorkerPool, observer: Observer) -> Run:
    """Trains and records every fold, and their mean.

    Args:
        order: the cross-validation.
        pool: with one worker that already loads TensorFlow while the rows are read.
        observer: receives the progress.

    Returns:
        The run; `failed` if a fold has failed.

    Raises:
        DataError: the data are missing, or differ from those of the folder to resume.
        IncompatibleSpec: spec and data do not fit together, or the model cannot be built; no folder
            is made.
        RunError: the folder cannot be written.
        KeyboardInterrupt: after the workers have written their results so far.
    """
    observer.stage(f"reading {order.spec.dataset.name}")
    raw = inputs.load_data(order.spec)
    rule = raw.spec.validation.kfold
    assert rule is not None
    folds = splits.folds(rule, raw.dataset, seed=raw.seed)
    jobs = [Job(layout.fold(fold.number), fold, raw.spec) for fold in folds]
    scheduler = _Scheduler(pool, order, raw, observer, jobs)
    observer.stage("building the model")
    model = scheduler.build_model()
    notices = _notices(raw, folds)
    run = order.folder(record.first_record(raw, folds, model, notices, order.overrides))
    whole = CrossValidationRun(run, raw, folds, order.began)
    with record.keep(whole, order.check_interrupt):
        observer.run_began(run.path, len(jobs) + rule.final)
        record.describe(whole, model)
        for notice in notices:
            observer.notice(notice)
        with predictions.preload(raw.dataset):
            scheduler.run(whole, [job for job in jobs if not whole.has(job.part)])
        observer.stage("drawing")
        record.summarize(whole)
        run.update()
        if rule.final:
            _train_final(whole, scheduler, observer)
    return run


def _train_final(whole: CrossValidationRun, scheduler: _Scheduler, observer: Observer) -> None:
    """Trains on all training rows for the best number of epochs, and tests once."""
    epochs = whole.run.metrics().best_epoch
    if epochs is None or whole.failed:
        observer.notice("no final model: not every fold could be trained")
        return
    rows = np.arange(len(whole.raw.dataset.train))
    spec = final_spec(whole.raw.spec, epochs)
    kept = spec.training.callbacks
    if disabled := [c.name for c in whole.raw.spec.training.callbacks if c not in kept]:
        observer.notice(
            f"final model: {', '.join(disabled)} disabled: there are no validation rows"
        )
    if not whole.has(layout.FINAL, spec):
        scheduler.run(whole, [Job(layout.FINAL, Fold(rows, rows[:0]), spec)])
    record.add_final(whole)


def final_spec(spec: Experiment, epochs: int) -> Experiment:
    """The experiment on all training rows, as `nnrun train` runs it.

    Callbacks that need validation rows are removed, and so is early stopping.

    Args:
        spec: the one that was cross-validated.
        epochs: the best number.
    """
    callbacks = tuple(
        callback
        for callback in spec.training.callbacks
        if callback.name != "EarlyStopping"
        and not (catalogue.monitored_metric(callback) or "").startswith("val_")
    )
    training = spec.training.model_copy(update={"epochs": epochs, "callbacks": callbacks})
    return spec.model_copy(update={"training": training, "validation": Validation()})


def _notices(raw: RawData, folds: Sequence[Fold]) -> list[str]:
    """Warnings about spec, rows and folds."""
    spec, dataset = raw.spec, raw.dataset
    warnings = [*lint.findings(spec_context(spec)), *checks.fold_notices(dataset, folds)]
    notices = list(inputs.notice_lines(warnings, spec))
    for callback in spec.training.callbacks:
        monitor = catalogue.monitored_metric(callback) or ""
        if callback.name == "EarlyStopping" and monitor.startswith("val_"):
            notices.append(
                "EarlyStopping chooses each fold's epoch by the rows that judge the fold, "
                "so validation looks a little better than it is"
            )
    rule, epochs = spec.validation.kfold, spec.training.epochs
    if rule and rule.smooth and rule.smooth.skip >= epochs:
        notices.append(f"not smoothed: skip: {rule.smooth.skip} leaves none of {epochs} epochs")
    return notices


@dataclass
class _Scheduler:
    """Gives jobs to the workers and handles their messages."""

    pool: WorkerPool
    order: Order
    raw: RawData
    observer: Observer
    jobs: Sequence[Job]
    gpus: int = 0
    may_grow: bool = True
    epoch_seconds: list[float] = field(default_factory=list)

    def build_model(self) -> ModelReady:
        """Starts the first workers and waits until one has built the model."""
        for _ in range(len(self.pool.workers), min(self.order.workers or 1, len(self.jobs))):
            self.pool.start()
        while True:
            for worker, message in self.pool.receive(TICK_SECONDS):
                match message:
                    case Started():
                        self._send_input(worker)
                    case ModelReady():
                        worker.ready, self.gpus = True, message.gpus
                        return message
                    case BuildFailed(error=error):
                        raise error
                    case WorkerDied() if not self.pool.workers:
                        raise RunError(f"no worker could be started: {message.reason}")

    def _send_input(self, worker: Worker) -> None:
        # Only to a worker that listens: a pipe holds little that is not read.
        first = self.jobs[worker.number % len(self.jobs)]
        worker.send(WorkerInput(self.raw, first, self.order.overrides, worker.number))

    def run(self, whole: CrossValidationRun, jobs: list[Job]) -> None:
        """Runs every job; a job that fails is recorded, and the others continue.

        Raises:
            KeyboardInterrupt: after the workers have written their results so far.
        """
        try:
            self._run(whole, deque(jobs))
        except KeyboardInterrupt:
            self.observer.stage("stopping")
            self.pool.stop()
            raise

    def _run(self, whole: CrossValidationRun, waiting: deque[Job]) -> None:
        while waiting or any(worker.job for worker in self.pool.workers):
            for worker in self.pool.workers:
                if waiting and worker.ready and worker.job is None:
                    worker.job = waiting.popleft()
                    worker.send(RunJob(worker.job, whole.run.path))
            if waiting and self._needs_worker(waiting):
                self.pool.start()
            for worker, message in self.pool.receive(TICK_SECONDS):
                self._handle(worker, message, whole)

    def _needs_worker(self, waiting: deque[Job]) -> bool:
        """Whether to start one more worker; this changes only the time, never a result.

        `--workers` starts all of them, and replaces one that died. By default there is one, and up
        to one per GPU or core if the waiting folds take longer than a start.
        """
        workers = self.pool.workers
        starting = sum(not worker.ready for worker in workers)
        if starting >= len(waiting):
            return False
        if not workers or not self.may_grow:
            return not workers
        if self.order.workers is not None:
            return len(workers) < self.order.workers
        if starting or len(self.epoch_seconds) < 3 or len(workers) >= (self.gpus or _cores()):
            return False
        fold_seconds = statistics.median(self.epoch_seconds) * waiting[0].spec.training.epochs
        return fold_seconds * len(waiting) / len(workers) > START_SECONDS

    def _handle(self, worker: Worker, message: Any, whole: CrossValidationRun) -> None:
        job: Job | None = worker.job
        match message:
            case Started():
                self._send_input(worker)
            case ModelReady():
                worker.ready = True
            case ObserverCall(method=method, arguments=arguments) if job:
                if method == "epoch_ended":
                    self.epoch_seconds.append(arguments[-1])
                getattr(self.observer.part_observer(job.part), method)(*arguments)
            case JobDone(error=error) if job:
                worker.job = None
                self._end(job, error, whole)
            case WorkerDied() if job:
                whole.record_failure(job.part, message.reason)
                self._end(job, message.reason, whole)
            case BuildFailed(error=error):
                self._stop_growing(f"{error}")
            case WorkerDied() if not worker.ready:
                self._stop_growing(message.reason)

    def _stop_growing(self, reason: str) -> None:
        """Continues with the present workers when a further one could not be started.

        Raises:
            RunError: there is none.
        """
        if not any(worker.ready for worker in self.pool.workers):
            raise RunError(f"no further worker could be started: {reason}")
        if self.may_grow:
            self.observer.notice(f"no further worker could be started: {reason}")
        self.may_grow = False

    def _end(self, job: Job, error: str | None, whole: CrossValidationRun) -> None:
        if error:
            whole.failed[job.part] = error
        self.observer.part_ended(job.part, error)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
