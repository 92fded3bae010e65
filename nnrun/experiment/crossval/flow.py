"""Runs a cross-validation: loads the rows, schedules the folds, records the results.

The workers train; this process needs no TensorFlow.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from nnrun.data import checks, splits
from nnrun.errors import NnrunError, RunError
from nnrun.executors.local import Worker, WorkerDied, WorkerPool
from nnrun.experiment import inputs, predictions
from nnrun.experiment.crossval.messages import (
    BuildFailed,
    FoldsTested,
    Job,
    JobDone,
    ModelReady,
    ObserverCall,
    RunJob,
    Started,
    TestFolds,
    WorkerInput,
)
from nnrun.experiment.crossval.record import CrossValidationRun, first_record
from nnrun.experiment.fold import Folder
from nnrun.experiment.inputs import RawData
from nnrun.runs import Run, environment, layout
from nnrun.spec import catalogue
from nnrun.spec.experiment import Experiment
from nnrun.spec.validation import Validation
from nnrun.types import Fold, Observer

# A further worker is worth its start if the waiting folds keep the present ones busy for longer.
START_SECONDS = 15.0
TICK_SECONDS = 0.25


def cross_validate(
    spec: Experiment,
    pool: WorkerPool,
    folder: Folder,
    observer: Observer,
    *,
    overrides: tuple[str, ...],
    workers: int | None,
    began: float,
    check_interrupt: Callable[[], None],
) -> Run:
    """Trains and records every fold, and their mean; the run is `failed` if a fold has failed.

    Args:
        spec: with a `validation.kfold`.
        pool: with one worker that already loads TensorFlow while the rows are read.
        folder: makes the run folder, or opens the one to resume.
        workers: number of processes; None lets the program decide.

    Raises:
        DataError: the data are missing, or differ from those of the folder to resume.
        IncompatibleSpec: spec and data do not fit together, or the model cannot be built; no folder
            is made.
    """
    observer.stage(f"reading {spec.dataset.name}")
    raw = inputs.load_data(spec)
    rule = raw.spec.validation.kfold
    assert rule is not None
    folds = splits.folds(rule, raw.dataset, seed=raw.seed)
    jobs = [Job(layout.fold(fold.number), fold, raw.spec) for fold in folds]
    scheduler = _Scheduler(pool, observer, raw, jobs, overrides, workers)
    observer.stage("building the model")
    model = scheduler.build_model()
    notices = _notices(raw, folds)
    run = folder(first_record(raw, folds, model, notices, overrides))
    kfold = CrossValidationRun(run, raw, folds, began)
    with kfold.keep(check_interrupt):
        observer.run_began(run.path, len(jobs) + rule.final)
        kfold.describe(model)
        for notice in notices:
            observer.notice(notice)
        with predictions.preload(raw.dataset):
            scheduler.run(kfold, [job for job in jobs if not kfold.has(job.part)])
        observer.stage("drawing")
        kfold.summarize()
        run.update()
        # Autoencoders of folds reconstruct inputs that each fold has prepared.
        if not kfold.failed and not raw.spec.dataset.reconstructs:
            observer.stage("testing the mean of all folds")
            tested = scheduler.test_folds(run)
            if tested.error:
                observer.notice(f"the mean of all folds was not tested: {tested.error}")
            else:
                kfold.add_ensemble(tested.metrics)
        if rule.final:
            _train_final(kfold, scheduler, observer)
    return run


def _train_final(kfold: CrossValidationRun, scheduler: _Scheduler, observer: Observer) -> None:
    """Trains on all training rows for the best number of epochs, and tests once."""
    epochs = kfold.run.metrics().best_epoch
    if epochs is None or kfold.failed:
        observer.notice("no final model: not every fold could be trained")
        return
    rows = np.arange(len(kfold.raw.dataset.train))
    spec = final_spec(kfold.raw.spec, epochs)
    wanted, kept = kfold.raw.spec.training, spec.training
    disabled = [c.name for c in wanted.callbacks if c not in kept.callbacks]
    if disabled := disabled + ["restore: best"] * (wanted.restored_by != kept.restored_by):
        observer.notice(
            f"final model: {', '.join(disabled)} disabled: there are no validation rows"
        )
    if not kfold.has(layout.FINAL, spec):
        scheduler.run(kfold, [Job(layout.FINAL, Fold(rows, rows[:0]), spec)])
    kfold.add_final()


def final_spec(spec: Experiment, epochs: int) -> Experiment:
    """The experiment on all training rows, for the best number of epochs.

    Callbacks that need validation rows are removed, and so is what chooses an epoch by them.
    """
    callbacks = tuple(
        callback
        for callback in spec.training.callbacks
        if callback.name != "EarlyStopping"
        and not (catalogue.monitored_metric(callback) or "").startswith("val_")
    )
    changes = {"epochs": epochs, "callbacks": callbacks, "restore": "last"}
    training = spec.training.model_copy(update=changes)
    return spec.model_copy(update={"training": training, "validation": Validation()})


def _notices(raw: RawData, folds: Sequence[Fold]) -> list[str]:
    spec, dataset = raw.spec, raw.dataset
    warnings = [*inputs.spec_warnings(spec, dataset), *checks.fold_notices(dataset, folds)]
    notices = list(inputs.notice_lines(warnings, spec))
    monitors = [
        (callback.name, catalogue.monitored_metric(callback))
        for callback in spec.training.callbacks
        if callback.name == "EarlyStopping"
    ]
    for name, monitor in (*monitors, ("restore: best", spec.training.restored_by)):
        if (monitor or "").startswith("val_"):
            notices.append(
                f"{name} chooses each fold's epoch by the rows that judge the fold, "
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
    observer: Observer
    raw: RawData
    jobs: Sequence[Job]
    overrides: tuple[str, ...]
    max_workers: int | None
    gpus: int = 0
    may_grow: bool = True
    epoch_seconds: list[float] = field(default_factory=list)
    ready: set[Worker] = field(default_factory=set)
    running: dict[Worker, Job] = field(default_factory=dict)

    def build_model(self) -> ModelReady:
        """Starts the first workers and waits until one has built the model."""
        for _ in range(len(self.pool.workers), min(self.max_workers or 1, len(self.jobs))):
            self.pool.start()
        while True:
            for worker, message in self.pool.receive(TICK_SECONDS):
                match message:
                    case Started():
                        self._send_input(worker)
                    case ModelReady():
                        self.ready.add(worker)
                        self.gpus = message.gpus
                        return message
                    case BuildFailed(error=error):
                        raise error
                    case WorkerDied() if not self.pool.workers:
                        raise RunError(f"no worker could be started: {message.reason}")

    def _send_input(self, worker: Worker) -> None:
        # Only after `Started`: a pipe holds little that is not read.
        first = self.jobs[worker.number % len(self.jobs)]
        worker.send(WorkerInput(self.raw, first, self.overrides, worker.number))

    def run(self, kfold: CrossValidationRun, jobs: Sequence[Job]) -> None:
        """Runs every job; a job that fails is recorded, and the others continue."""
        waiting = deque(jobs)
        try:
            while waiting or self.running:
                for worker in self.pool.workers:
                    if waiting and worker in self.ready and worker not in self.running:
                        self.running[worker] = waiting.popleft()
                        worker.send(RunJob(self.running[worker], kfold.run.path))
                if waiting and self._needs_worker(waiting):
                    self.pool.start()
                for worker, message in self.pool.receive(TICK_SECONDS):
                    self._handle(worker, message, kfold)
        except KeyboardInterrupt:
            self._stop()
            raise

    def test_folds(self, run: Run) -> FoldsTested:
        """Lets a worker test the mean output of all folds."""
        tester = next(worker for worker in self.pool.workers if worker in self.ready)
        tester.send(TestFolds(run.path))
        try:
            while True:
                for worker, message in self.pool.receive(TICK_SECONDS):
                    match message:
                        case FoldsTested():
                            return message
                        case WorkerDied(reason=reason) if worker is tester:
                            return FoldsTested({}, reason)
                        case Started():
                            self._send_input(worker)
                        case ModelReady():
                            self.ready.add(worker)
        except KeyboardInterrupt:
            self._stop()
            raise

    def _stop(self) -> None:
        self.observer.stage("stopping")
        self.pool.stop()

    def _needs_worker(self, waiting: Sequence[Job]) -> bool:
        """Whether to start one more worker; this changes only the time, never a result."""
        workers = self.pool.workers
        starting = len(set(workers) - self.ready)
        if starting >= len(waiting):
            return False
        if not workers or not self.may_grow:
            return not workers
        if self.max_workers is not None:
            return len(workers) < self.max_workers
        if (
            starting
            or len(self.epoch_seconds) < 3
            or len(workers) >= (self.gpus or environment.cores())
        ):
            return False
        fold_seconds = statistics.median(self.epoch_seconds) * waiting[0].spec.training.epochs
        return fold_seconds * len(waiting) / len(workers) > START_SECONDS

    def _handle(self, worker: Worker, message: object, kfold: CrossValidationRun) -> None:
        job = self.running.get(worker)
        match message:
            case Started():
                self._send_input(worker)
            case ModelReady():
                self.ready.add(worker)
            case ObserverCall(method=method, arguments=arguments) if job:
                if method == "epoch_ended":
                    self.epoch_seconds.append(arguments[-1])
                getattr(self.observer.part_observer(job.part), method)(*arguments)
            case JobDone(error=error) if job:
                self._end(worker, error, kfold)
            case WorkerDied() if job:
                # Into the record of the part, if its worker made one.
                with suppress(NnrunError):
                    kfold.part(job.part).update(status=layout.FAILED, error=message.reason)
                self._end(worker, message.reason, kfold)
            case BuildFailed(error=error):
                self._stop_growing(f"{error}")
            case WorkerDied() if worker not in self.ready:
                self._stop_growing(message.reason)

    def _stop_growing(self, reason: str) -> None:
        """Continues with the present workers, if any, when a further one could not be started."""
        if not self.ready & set(self.pool.workers):
            raise RunError(f"no further worker could be started: {reason}")
        if self.may_grow:
            self.observer.notice(f"no further worker could be started: {reason}")
        self.may_grow = False

    def _end(self, worker: Worker, error: str | None, kfold: CrossValidationRun) -> None:
        job = self.running.pop(worker)
        if error:
            kfold.failed[job.part] = error
        self.observer.part_ended(job.part, error)
