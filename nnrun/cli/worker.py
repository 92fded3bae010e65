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
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from nnrun.cli.entry import collect_seldom, show_warnings
from nnrun.errors import NnrunError
from nnrun.experiment.crossval import messages
from nnrun.runs import Run, create_part, layout, reopen
from nnrun.spec import code
from nnrun.training import backend
from nnrun.training.backend import Interrupts, Noise
from nnrun.types import Logs, Observer

if TYPE_CHECKING:
    from nnrun.experiment.setup import TrainingSetup


def main(line: Connection) -> None:
    """Trains until the main process closes the connection."""
    collect_seldom()
    show_warnings()
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
        import nnrun.experiment.fold  # noqa: F401 - while the main process reads the data
        from nnrun.training import devices

        self._gpus = [name for name in devices.available() if name.startswith("gpu")]
        self._import_seconds = time.perf_counter() - began
        self._line = line
        self._noise = noise
        self._check_interrupt = interrupts.check
        line.send(messages.Started())
        self._input: messages.WorkerInput = line.recv()
        # The main process has asked the user.
        code.allow(self._input.raw.spec.code, remember=False)
        self._first: TrainingSetup | None = None
        self._previous: TrainingSetup | None = None

    def work(self) -> None:
        try:
            self._first = first = self._prepare(self._input.first)
        except Exception as error:  # noqa: BLE001 - sent to the main process
            error = code.blame(error) or error
            if not isinstance(error, NnrunError):
                # Other errors may not survive pickling.
                error = RuntimeError("".join(traceback.format_exception(error)))
            self._line.send(messages.BuildFailed(error))
            return
        ready = messages.ModelReady(
            engine=first.engine,
            device=first.device,
            parameters=first.model.count_params(),
            summary=first.summary,
            structure=first.structure,
            gpus=len(self._gpus),
        )
        self._line.send(ready)
        while True:
            match self._line.recv():
                case messages.RunJob(job=job, whole=whole):
                    self._line.send(messages.JobDone(self._run(job, Run(whole))))
                case messages.TestFolds(whole=whole):
                    self._line.send(self._test(whole))

    def _prepare(self, job: messages.Job) -> TrainingSetup:
        """Builds the model of a job; the previous model is reused for the same experiment."""
        from nnrun.experiment import fold, inputs

        raw = replace(self._input.raw, spec=job.spec)
        is_same = self._previous and self._previous.prepared.spec == job.spec
        return fold.build(
            inputs.prepare_fold(raw, job.fold),
            _Relay(self._line, self._noise),
            device=self._gpus[self._input.number % len(self._gpus)] if self._gpus else "auto",
            previous=self._previous if is_same else None,
        )

    def _run(self, job: messages.Job, whole: Run) -> str | None:
        """Trains one part; returns the error if it failed."""
        from nnrun.cli import summary
        from nnrun.experiment import fold
        from nnrun.experiment.recorder import RunContext

        began = time.perf_counter()
        overrides, check = self._input.overrides, self._check_interrupt
        context = RunContext(overrides, began, self._import_seconds, check_interrupt=check)
        try:
            setup, self._first = self._first, None
            self._previous = setup or self._previous
            if setup is None or job.part != self._input.first.part:
                setup = self._prepare(job)
            self._previous = setup
            relay = _Relay(self._line, self._noise)
            fold.train(setup, partial(_folder, whole, job), context=context, observer=relay)
        except NnrunError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - the other folds are trained
            check()
            if blamed := code.blame(error):
                return str(blamed)
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

    def _test(self, whole: Path) -> messages.FoldsTested:
        """Tests the mean output of all folds."""
        from nnrun.analysis.predict import ensemble, files, model

        setup = self._previous or self._first
        assert setup
        try:
            with setup.on_device(), setup.check_memory():
                rows = files.of_split(self._input.raw.dataset.test)
                return messages.FoldsTested(model.metrics(ensemble(whole, folds=True), rows))
        except NnrunError as error:
            return messages.FoldsTested({}, str(error))


def _folder(whole: Run, job: messages.Job, record: dict[str, object]) -> Run:
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

    def _send(self, method: str, *arguments: object) -> None:
        if not self._is_connected:
            return
        try:
            self._line.send(messages.ObserverCall(method, arguments))
        except OSError:
            # The main process has ended. Interrupt once: later calls save the results.
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
