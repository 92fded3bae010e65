"""A worker process of `nnrun kfold`: makes one run after another, and tells of each."""

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
from nnrun.experiment.crossval.messages import Begin, Brief, Done, Event, Job, Ready, Refused, Up
from nnrun.experiment.interrupts import Interrupts
from nnrun.runs import Run, create_part, layout, reopen
from nnrun.training import backend, devices
from nnrun.training.backend import Noise
from nnrun.types import Logs

if TYPE_CHECKING:
    from nnrun.experiment.setup import TrainingSetup


def main(line: Connection) -> None:
    """Works until there is nothing more to do, or the one who asked is gone."""
    collect_seldom()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ends = suppress(KeyboardInterrupt, EOFError, OSError)
    with Noise() as noise, ends, Interrupts() as interrupts:
        # What Keras prints belongs into the log of the fold, not into an answer.
        sys.stdout = sys.stderr
        _Worker(line, noise, interrupts).work()
    # Taking TensorFlow apart takes a second and frees nothing that the end does not free.
    os._exit(0)


class _Worker:
    def __init__(self, line: Connection, noise: Noise, interrupts: Interrupts) -> None:
        began = time.perf_counter()
        backend.load()
        from nnrun.experiment import fold

        self._experiment = fold
        self._import_seconds = time.perf_counter() - began
        self._line = line
        self._noise = noise
        self._heed = interrupts.raise_again
        line.send(Up())
        self._brief: Brief = line.recv()
        self._made_ready: tuple[str, TrainingSetup] | None = None
        self._previous: TrainingSetup | None = None

    def work(self) -> None:
        """Makes the first job ready, then does whatever it is told to begin."""
        first = self._brief.first
        try:
            self._made_ready = (first.part, self._prepare(first))
        except Exception as error:  # noqa: BLE001 - the other experiments are tried all the same
            self._line.send(Refused(_portable(error)))
            return
        self._line.send(self._ready(self._made_ready[1]))
        while True:
            begin: Begin = self._line.recv()
            self._line.send(Done(self._do(begin)))

    def _ready(self, setup: TrainingSetup) -> Ready:
        return Ready(
            engine=setup.engine,
            device=setup.device,
            parameters=setup.model.count_params(),
            summary=setup.summary,
            structure=setup.structure,
            gpus=len(self._gpus()),
        )

    def _gpus(self) -> list[str]:

        return [name for name in devices.available() if name.startswith("gpu")]

    def _prepare(self, job: Job) -> TrainingSetup:
        from nnrun.experiment.inputs import prepare_fold

        gpus = self._gpus()
        raw = replace(self._brief.raw, spec=job.spec)
        same = self._previous and self._previous.prepared.spec == job.spec
        return self._experiment.prepare(
            prepare_fold(raw, job.fold),
            _Relay(self._line, self._noise),
            device=gpus[self._brief.number % len(gpus)] if gpus else "auto",
            previous=self._previous if same else None,
        )

    def _do(self, begin: Begin) -> str | None:
        """Makes one run; returns why it failed, if it did."""
        from nnrun.cli import summary
        from nnrun.experiment.recorder import RunContext

        began = time.perf_counter()
        job, whole = begin.job, Run(begin.whole)
        try:
            self._previous = self._setup(job)
            self._experiment.fit_fold(
                self._previous,
                lambda record: _folder(whole, job, record),
                context=RunContext(
                    self._brief.overrides, began, self._import_seconds, heed=self._heed
                ),
                observer=_Relay(self._line, self._noise),
            )
        except NnrunError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - the other experiments are tried all the same
            self._heed()
            # Ours to mend; the log of the fold has all of it, and the other folds go on.
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
        """The job's model: the one that was made ready, or the last one put back to its start."""
        made, self._made_ready = self._made_ready, None
        if made:
            part, self._previous = made
            if part == job.part:
                return self._previous
        return self._prepare(job)


def _folder(whole: Run, job: Job, record: dict[str, Any]) -> Run:
    """The folder of a job: the one that a stopped run has begun, where it can go on, or a new one."""
    from nnrun.experiment import resume
    from nnrun.runs.run import is_same

    path = whole.path / job.part
    with suppress(NnrunError):
        if is_same(Run(path).record(), record):
            run = reopen(path)
            resume.extend(run, job.spec.training, record)
            return run
    return create_part(whole, job.part, job.spec.name, now=datetime.now(), record=record)


class _Relay:
    """An Observer that passes on what it is told, and writes it into the run's log."""

    def __init__(self, line: Connection, noise: Noise) -> None:
        self._line = line
        self._noise = noise
        self._epochs = 0
        self._listened_to = True

    def _pass_on(self, method: str, *arguments: Any) -> None:
        if not self._listened_to:
            return
        try:
            self._line.send(Event(method, arguments))
        except OSError:
            # Nobody wants the rest. Said once: what there is will be kept, and told here again.
            self._listened_to = False
            raise KeyboardInterrupt from None

    def stage(self, text: str) -> None:
        """Passes it on."""
        self._pass_on("stage", text)

    def run_began(self, path: Path) -> None:
        """From now on there is a log to write to."""
        self._noise.move_to(path / layout.LOG)
        self._pass_on("run_began", path)

    def notice(self, text: str) -> None:
        """Goes into the log only; what concerns all folds is said once, by the whole."""
        self._noise.note(f"note: {text}")

    def epoch_began(self, epoch: int, epochs: int, steps: int) -> None:
        """Passes it on."""
        self._epochs = epochs
        self._pass_on("epoch_began", epoch, epochs, steps)

    def steps_done(self, step: int) -> None:
        """Passes it on."""
        self._pass_on("steps_done", step)

    def epoch_ended(self, epoch: int, logs: Logs, seconds: float) -> None:
        """Writes the line of the epoch."""
        from nnrun.cli.progress import epoch_line

        self._noise.note(epoch_line(epoch, self._epochs, logs, seconds))
        self._pass_on("epoch_ended", epoch, dict(logs), seconds)


def _portable(error: Exception) -> Exception:
    """What survives the way to another process; of anything else its words."""
    if isinstance(error, NnrunError):
        return error
    return RuntimeError("".join(traceback.format_exception(error)))
