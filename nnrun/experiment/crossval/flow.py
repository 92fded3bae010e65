"""One cross-validation, from its rows to a finished run folder. Needs no TensorFlow itself."""

from __future__ import annotations

import os
import statistics
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from nnrun.check import lint, spec_context
from nnrun.data import checks, splits
from nnrun.errors import RunError
from nnrun.executors.local import Worker, WorkerDied, WorkerPool
from nnrun.experiment import inputs, predictions
from nnrun.experiment.crossval import record
from nnrun.experiment.crossval.messages import Begin, Brief, Done, Event, Job, Ready, Refused, Up
from nnrun.experiment.crossval.record import CrossValidationRun
from nnrun.experiment.inputs import RawData
from nnrun.runs import Run, layout
from nnrun.spec import catalogue
from nnrun.spec.experiment import Experiment
from nnrun.spec.validation import KFold, Validation
from nnrun.types import Fold, Observer

# What a person should know about a cross-validation before its first fold.


def of(raw: RawData, folds: Sequence[Fold]) -> list[str]:
    """The warnings about spec and rows, and what is special about their folds."""
    spec, dataset = raw.spec, raw.dataset
    found = [*lint.findings(spec_context(spec)), *checks.fold_notices(dataset, folds)]
    return [
        *inputs.notice_lines(found, spec),
        *_stopped_by_what_they_are_judged_by(spec),
        *_smoothed_away(spec),
    ]


def _stopped_by_what_they_are_judged_by(spec: Experiment) -> Iterable[str]:
    """Callbacks that choose an epoch by the rows that the fold is then judged by."""
    for callback in spec.training.callbacks:
        monitor = catalogue.monitor(callback) or ""
        if callback.name == "EarlyStopping" and monitor.startswith("val_"):
            yield (
                "EarlyStopping chooses each fold's epoch by the rows that judge the fold, "
                "so validation looks a little better than it is"
            )


def _smoothed_away(spec: Experiment) -> Iterable[str]:
    """A curve of which smoothing would leave nothing."""
    rule, epochs = spec.validation.kfold, spec.training.epochs
    if rule and rule.smooth and rule.smooth.skip >= epochs:
        yield f"not smoothed: of {epochs} epochs, skip: {rule.smooth.skip} leaves none"


# Another worker is worth its start when the folds that wait would keep those there are busy longer.
START_SECONDS = 15.0
TICK_SECONDS = 0.25


class FoldObserver(Protocol):
    """Whoever wants to know how a cross-validation goes."""

    def stage(self, text: str) -> None:
        """Something that takes a while begins."""

    def run_began(self, run: Run, parts: int) -> None:
        """The run has its folder; so many parts are to be trained."""

    def notice(self, text: str) -> None:
        """A person should know this."""

    def observer(self, part: str) -> Observer:
        """Is told of a part, such as `fold-1`."""

    def ended(self, part: str, error: str | None) -> None:
        """A part is over, and why where it failed."""


@dataclass(frozen=True)
class Order:
    """What is asked for.

    Args:
        spec: with a `validation.kfold`.
        overrides: as given with `--set`.
        workers: how many processes side by side; None lets `_is_worth_it` decide.
        folder: makes the run folder, or reads one that is to be gone on with.
        began: when work on it began, by `time.perf_counter`.
        heed: raises KeyboardInterrupt where a signal came that was lost on its way.
    """

    spec: Experiment
    overrides: tuple[str, ...]
    workers: int | None
    folder: Callable[[dict[str, Any]], Run]
    began: float
    heed: Callable[[], None] = lambda: None


def cross_validate(order: Order, team: WorkerPool, audience: FoldObserver) -> Run:
    """Trains and records every fold, and what they say together.

    Args:
        order: what is asked for.
        team: has one worker already, which loads TensorFlow while the rows are read.
        audience: is told how it goes.

    Returns:
        The run; `failed` where a fold has failed.

    Raises:
        DataError: the data cannot be had, or are not those that the folder was begun with.
        Misfit: spec and data do not go together, or the model cannot be built; no folder is made.
        RunError: the folder cannot be written.
        KeyboardInterrupt: as soon as the workers have kept what there is.
    """
    audience.stage(f"reading {order.spec.dataset.name}")
    raw = inputs.load_data(order.spec)
    rule = raw.spec.validation.kfold
    assert rule is not None
    folds = splits.folds(rule, raw.dataset, seed=raw.seed)
    jobs = [Job(layout.fold(fold.number), fold, raw.spec) for fold in folds]
    crew = _Crew(team, order, raw, audience, jobs)
    audience.stage("building the model")
    ready = crew.ready()
    told = of(raw, folds)
    run = order.folder(record.first(raw, folds, ready, told, order.overrides))
    whole = CrossValidationRun(run, raw, folds, order.began)
    with record.kept(whole, order.heed):
        audience.run_began(run, len(jobs) + rule.final)
        record.describe(whole, ready)
        for notice in told:
            audience.notice(notice)
        with predictions.preload(raw.dataset):
            crew.work(whole, [job for job in jobs if not whole.has(job.part)])
        audience.stage("drawing")
        record.summarise(whole)
        run.update()
        if rule.final:
            _finally(whole, rule, crew, audience)
    return run


def _finally(whole: CrossValidationRun, rule: KFold, crew: _Crew, audience: FoldObserver) -> None:
    """Trains on all training rows for the best number of epochs and tests once."""
    epochs = whole.run.metrics().get("best_epoch")
    if epochs is None or whole.failed:
        audience.notice("not trained on all rows: not every fold could be trained")
        return
    everything = np.arange(len(whole.raw.dataset.train))
    fold = Fold(everything, everything[:0])
    spec = final_spec(whole.raw.spec, epochs)
    kept = spec.training.callbacks
    if gone := [each.name for each in whole.raw.spec.training.callbacks if each not in kept]:
        audience.notice(f"trained on all rows without {', '.join(gone)}: no row is left to watch")
    if not whole.has(layout.FINAL, spec):
        crew.work(whole, [Job(layout.FINAL, fold, spec)])
    record.add_final(whole)


def final_spec(spec: Experiment, epochs: int) -> Experiment:
    """The experiment on all training rows; `nnrun train` on it does the same.

    Callbacks that watch validation rows, of which there are none now, are left out, and so is what
    would stop before the epochs are over.

    Args:
        spec: the one that was cross-validated.
        epochs: how many were best.
    """
    callbacks = tuple(
        callback
        for callback in spec.training.callbacks
        if callback.name != "EarlyStopping"
        and not (catalogue.monitor(callback) or "").startswith("val_")
    )
    training = spec.training.model_copy(update={"epochs": epochs, "callbacks": callbacks})
    return spec.model_copy(update={"training": training, "validation": Validation()})


@dataclass
class _Crew:
    """Deals jobs out to the workers and passes on what they tell."""

    team: WorkerPool
    order: Order
    raw: RawData
    audience: FoldObserver
    jobs: Sequence[Job]
    gpus: int = 0
    grows: bool = True
    epoch_seconds: list[float] = field(default_factory=list)

    def ready(self) -> Ready:
        """Hires the first workers and waits until one has built the model."""
        for _ in range(len(self.team.workers), min(self.order.workers or 1, len(self.jobs))):
            self.team.hire()
        while True:
            for worker, message in self.team.heard(TICK_SECONDS):
                match message:
                    case Up():
                        self._brief(worker)
                    case Ready():
                        worker.ready, self.gpus = True, message.gpus
                        return message
                    case Refused(error=error):
                        raise error
                    case WorkerDied() if not self.team.workers:
                        raise RunError(f"no worker could be started: {message.reason}")

    def _brief(self, worker: Worker) -> None:
        """Hands a worker the rows, once it listens: a pipe takes no more than it is read."""
        first = self.jobs[worker.number % len(self.jobs)]
        worker.tell(Brief(self.raw, first, self.order.overrides, worker.number))

    def work(self, whole: CrossValidationRun, jobs: list[Job]) -> None:
        """Has every job done; those that fail are noted, and the others go on.

        Raises:
            KeyboardInterrupt: when the workers have kept what there is.
        """
        try:
            self._deal(whole, deque(jobs))
        except KeyboardInterrupt:
            self.audience.stage("stopping")
            self.team.dismiss()
            raise

    def _deal(self, whole: CrossValidationRun, waiting: deque[Job]) -> None:
        while waiting or any(worker.job for worker in self.team.workers):
            for worker in self.team.workers:
                if waiting and worker.ready and worker.job is None:
                    worker.job = waiting.popleft()
                    worker.tell(Begin(worker.job, whole.run.path))
            if waiting and self._is_worth_it(waiting):
                self.team.hire()
            for worker, message in self.team.heard(TICK_SECONDS):
                self._hear(worker, message, whole)

    def _is_worth_it(self, waiting: deque[Job]) -> bool:
        """Whether to start one more worker. It changes no number, only when the numbers are there.

        With `--workers` all are there from the start, and one that died is replaced. Else there is
        one, and more, up to a worker per GPU or else per core, as soon as the folds that wait would
        take those there are longer than a start.
        """
        workers = self.team.workers
        coming = sum(not worker.ready for worker in workers)
        if coming >= len(waiting):
            return False
        if not workers or not self.grows:
            return not workers
        if self.order.workers is not None:
            return len(workers) < self.order.workers
        if coming or len(self.epoch_seconds) < 3 or len(workers) >= (self.gpus or _cores()):
            return False
        fold_seconds = statistics.median(self.epoch_seconds) * waiting[0].spec.training.epochs
        return fold_seconds * len(waiting) / len(workers) > START_SECONDS

    def _hear(self, worker: Worker, message: Any, whole: CrossValidationRun) -> None:
        job: Job | None = worker.job
        match message:
            case Up():
                self._brief(worker)
            case Ready():
                worker.ready = True
            case Event(method=method, arguments=arguments) if job:
                if method == "epoch_ended":
                    self.epoch_seconds.append(arguments[-1])
                getattr(self.audience.observer(job.part), method)(*arguments)
            case Done(error=error) if job:
                worker.job = None
                self._end(job, error, whole)
            case WorkerDied() if job:
                whole.lost(job.part, message.reason)
                self._end(job, message.reason, whole)
            case Refused(error=error):
                self._do_without(f"{error}")
            case WorkerDied() if not worker.ready:
                self._do_without(message.reason)

    def _do_without(self, reason: str) -> None:
        """Goes on with the workers there are when a further one could not be started.

        Raises:
            RunError: there is none.
        """
        if not any(worker.ready for worker in self.team.workers):
            raise RunError(f"no further worker could be started: {reason}")
        if self.grows:
            self.audience.notice(f"no further worker could be started: {reason}")
        self.grows = False

    def _end(self, job: Job, error: str | None, whole: CrossValidationRun) -> None:
        if error:
            whole.failed[job.part] = error
        self.audience.ended(job.part, error)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
