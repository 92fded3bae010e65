"""A worker process of `nnrun kfold`: trains one part after another."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnrun.cli.entry import collect_seldom
from nnrun.errors import NnrunError
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
from nnrun.runs import Run, create_part, layout, reopen
from nnrun.training import backend
from nnrun.training.backend import Interrupts, Noise
from nnrun.types import Logs, Observer

if TYPE_CHECKING:
    from nnrun.experiment.setup import TrainingSetup


def main(line: Connection) -> None:
    """Trains until the main process closes the connection."""
    collect_seldom()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ends = suppress(KeyboardInterrupt, EOFError, OSError)
    with Noise() as noise, ends, Interrupts() as interrupts:
        # Output of Keras belongs into the log of the fold.
        sys.stdout = sys.stderr
        _Worker(line, noise, interrupts).work()
    # The shutdown of TensorFlow takes a second.
    os._exit(0)


class _Worker:
    def __init__(self, line: Connection, noise: Noise, interrupts: Interrupts) -> None:
        began = time.perf_counter()
        backend.load()
        from nnrun.experiment import fold
        from nnrun.training import devices

        self._experiment = fold
        self._devices = devices
        self._import_seconds = time.perf_counter() - began
        self._line = line
        self._noise = noise
        self._check_interrupt = interrupts.check
        line.send(Started())
        self._input: WorkerInput = line.recv()
        self._first: tuple[str, TrainingSetup] | None = None
        self._previous: TrainingSetup | None = None

    def work(self) -> None:
        """Builds the model of the first job, then runs the jobs that it receives."""
        first = self._input.first
        try:
            self._first = (first.part, self._prepare(first))
        except Exception as error:  # noqa: BLE001 - sent to the main process
            self._line.send(BuildFailed(_portable(error)))
            return
        self._line.send(self._ready(self._first[1]))
        while True:
            message: RunJob = self._line.recv()
            self._line.send(JobDone(self._run(message)))

    def _ready(self, setup: TrainingSetup) -> ModelReady:
        return ModelReady(
            engine=setup.engine,
            device=setup.device,
            parameters=setup.model.count_params(),
            summary=setup.summary,
            structure=setup.structure,
            gpus=len(self._gpus()),
        )

    def _gpus(self) -> list[str]:
        return [name for name in self._devices.available() if name.startswith("gpu")]

    def _prepare(self, job: Job) -> TrainingSetup:
        from nnrun.experiment.inputs import prepare_fold

        gpus = self._gpus()
        raw = replace(self._input.raw, spec=job.spec)
        is_same = self._previous and self._previous.prepared.spec == job.spec
        return self._experiment.build(
            prepare_fold(raw, job.fold),
            _Relay(self._line, self._noise),
            device=gpus[self._input.number % len(gpus)] if gpus else "auto",
            previous=self._previous if is_same else None,
        )

    def _run(self, message: RunJob) -> str | None:
        """Trains one part; returns the error if it failed."""
        from nnrun.cli import summary
        from nnrun.experiment.recorder import RunContext

        began = time.perf_counter()
        job, whole = message.job, Run(message.whole)
        try:
            self._previous = self._setup(job)
            self._experiment.train(
                self._previous,
                lambda record: _folder(whole, job, record),
                context=RunContext(
                    self._input.overrides,
                    began,
                    self._import_seconds,
                    check_interrupt=self._check_interrupt,
                ),
                observer=_Relay(self._line, self._noise),
            )
        except NnrunError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - the other folds are trained
            self._check_interrupt()
            # A bug of nnrun: the log of the fold has the traceback, and the other folds continue.
            traceback.print_exc()
            return repr(error)
        finally:
            part = Run(whole.path / job.part)
            self._noise.leave_log()
            if part.holds(layout.RUN):
                summary.log(part)
            self._import_seconds = 0.0
        return None

    def _setup(self, job: Job) -> TrainingSetup:
        """The model of the job: the one that was built first, or the last one reset."""
        made, self._first = self._first, None
        if made:
            part, self._previous = made
            if part == job.part:
                return self._previous
        return self._prepare(job)


def _folder(whole: Run, job: Job, record: dict[str, Any]) -> Run:
    """The folder of a job: of a stopped run if it can be resumed, or a new one."""
    from nnrun.experiment import resume
    from nnrun.runs.run import is_same

    path = whole.path / job.part
    with suppress(NnrunError):
        if is_same(Run(path).record(), record):
            run = reopen(path)
            resume.extend(run, job.spec.training, record)
            return run
    return create_part(whole, job.part, job.spec.name, now=datetime.now(), record=record)


class _Relay(Observer):
    """Sends the progress of a fold to the main process, and writes it into the fold's log."""

    def __init__(self, line: Connection, noise: Noise) -> None:
        self._line = line
        self._noise = noise
        self._epochs = 0
        self._is_connected = True

    def _send(self, method: str, *arguments: Any) -> None:
        if not self._is_connected:
            return
        try:
            self._line.send(ObserverCall(method, arguments))
        except OSError:
            # The main process is gone. Interrupt once: the calls that follow save the results.
            self._is_connected = False
            raise KeyboardInterrupt from None

    def stage(self, text: str) -> None:
        self._send("stage", text)

    def run_began(self, path: Path, parts: int = 1) -> None:
        self._noise.move_to(path / layout.LOG)
        self._send("run_began", path)

    def notice(self, text: str) -> None:
        # Only in the log: the main process reports what concerns all folds.
        self._noise.note(f"note: {text}")

    def epoch_began(self, epoch: int, epochs: int, steps: int) -> None:
        self._epochs = epochs
        self._send("epoch_began", epoch, epochs, steps)

    def steps_done(self, step: int) -> None:
        self._send("steps_done", step)

    def epoch_ended(self, epoch: int, logs: Logs, seconds: float) -> None:
        from nnrun.cli.progress import epoch_line

        self._noise.note(epoch_line(epoch, self._epochs, logs, seconds))
        self._send("epoch_ended", epoch, dict(logs), seconds)


def _portable(error: Exception) -> Exception:
    """An error that can be pickled; other errors become their traceback."""
    if isinstance(error, NnrunError):
        return error
    return RuntimeError("".join(traceback.format_exception(error)))
